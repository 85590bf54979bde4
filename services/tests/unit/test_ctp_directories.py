"""Where a CTP session keeps its files, and what becomes of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aegis.ctp.directories import SessionDirectory, sweep

ABANDON = """
import os
from aegis.ctp.directories import SessionDirectory
print(SessionDirectory().path, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_it_is_private_and_gone_when_it_is_removed(temporary: Path) -> None:
    made = SessionDirectory()
    assert made.path.stat().st_mode & 0o777 == 0o700
    assert (made.path / ".vntrader").is_dir()
    made.remove()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_service_left_is_swept_and_what_is_used_is_not(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(temporary))
    killed = subprocess.run([sys.executable, "-c", ABANDON], stdout=subprocess.PIPE, text=True)
    left, used = Path(killed.stdout.strip()), SessionDirectory()
    (left / "DialogRsp.con").touch()
    other = temporary / "aegis-ctp-file"
    other.touch()
    assert sweep() == [left]
    assert sorted(temporary.iterdir()) == sorted([used.path, other])
    used.remove()


def test_a_link_is_not_followed(temporary: Path) -> None:
    kept = temporary / "kept"
    kept.mkdir()
    (temporary / "aegis-ctp-link").symlink_to(kept)
    assert sweep() == []
    assert kept.is_dir()
