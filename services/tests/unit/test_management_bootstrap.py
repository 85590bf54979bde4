"""Which console the management service serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.management import bootstrap


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a build would be."""
    monkeypatch.setattr(bootstrap, "SITE", tmp_path / "site")
    return tmp_path / "site"


def served(**environment: str) -> Path | None:
    least = {"AEGIS_NATS_URL": "nats://127.0.0.1", "AEGIS_INSTANCE": "management-1"}
    return bootstrap.build({**least, **environment}).settings.console


def test_the_console_that_is_built_is_served(site: Path) -> None:
    site.mkdir()
    (site / "index.html").write_text("")
    assert served() == site


def test_without_a_build_none_is_served(site: Path) -> None:
    site.mkdir()  # a build that was broken off
    assert served() is None


def test_the_environment_names_another_one_or_none(site: Path, tmp_path: Path) -> None:
    site.mkdir()
    (site / "index.html").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text("")
    assert served(AEGIS_MANAGEMENT_CONSOLE=str(tmp_path / "other")) == tmp_path / "other"
    assert served(AEGIS_MANAGEMENT_CONSOLE="") is None
