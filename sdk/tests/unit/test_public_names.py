"""The SDK's public names."""

import subprocess
import sys

import pytest

import aegis_sdk


@pytest.mark.parametrize("name", aegis_sdk.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(aegis_sdk, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = aegis_sdk.Nonsense  # pyright: ignore[reportAttributeAccessIssue]


def test_a_pure_module_brings_no_connection_with_it() -> None:
    """The command line's start-up depends on it."""
    code = "import sys, aegis_sdk.subjects; sys.exit(any(name in sys.modules for name in ('nats', 'pydantic')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
