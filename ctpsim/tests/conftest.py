"""What the tests of ctpsim share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ctpsim import building

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "integration"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a compiler there can be no counter; with one its absence is a failure."""
    if building.compiler() is not None:
        return
    for item in items:
        if HERE in item.path.parents and "integration" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason="there is no C++ compiler, so there is no CTP here"))
