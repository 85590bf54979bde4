"""The checks of `aegis doctor` can fail."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from aegis.cli import checks
from aegis.cli.desk_checks import process_checks
from aegis.operations.processes import identify
from aegis.operations.state import Process, ProcessState, RunFile, StateDirectory


class Disk(NamedTuple):
    free: int


def outcome(name: str, directory: Path) -> str:
    return next(one.outcome for one in checks.machine_checks(StateDirectory(directory)) if one.name == name)


@pytest.mark.parametrize(("free", "expected"), [(10**8, "FAIL"), (10**9, "WARN"), (10**11, "OK")])
def test_a_full_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, expected: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(free))
    assert outcome("disk", tmp_path / "new") == expected


def test_a_state_directory_that_others_may_read_is_warned_of(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert outcome("state", tmp_path) == "WARN"
    tmp_path.chmod(0o700)
    assert outcome("state", tmp_path) == "OK"


def test_a_missing_nats_server_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_sdk.server.binary._candidates", lambda: iter([tmp_path / "nats-server"]))
    assert outcome("nats-server", tmp_path) == "FAIL"


def test_an_old_nats_server_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nats-server"
    program.write_text("#!/bin/sh\necho nats-server: v2.10.4\n")
    program.chmod(0o755)
    monkeypatch.setattr("aegis_sdk.server.binary._candidates", lambda: iter([program]))
    assert outcome("nats-server", tmp_path) == "FAIL"


def test_a_process_that_was_given_up_fails_and_one_that_was_restarted_is_warned_of(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path)
    us = identify(os.getpid())
    assert us
    states = [
        Process(name="good-1", state=ProcessState.RUNNING),
        Process(name="shaky-1", state=ProcessState.RUNNING, restarts=2, last_exit="exit code 3"),
        Process(name="late-1", state=ProcessState.STARTING),
        Process(name="bad-1", state=ProcessState.FAILED, last_exit="exit code 3"),
    ]
    directory.write(RunFile(supervisor=us, started_at=0, processes=states))
    found = {one.name: one.outcome for one in process_checks(directory)}
    assert found == {"desk": "OK", "shaky-1": "WARN", "late-1": "WARN", "bad-1": "FAIL"}


@pytest.mark.parametrize(("today", "expected"), [("20200102", "OK"), ("20991231", "WARN")])
def test_a_calendar_that_ends_soon_is_warned_of(today: str, expected: str) -> None:
    check = checks._calendar(today)  # pyright: ignore[reportPrivateUsage]
    assert (check.name, check.outcome) == ("calendar", expected)
