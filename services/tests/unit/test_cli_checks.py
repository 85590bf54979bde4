"""The checks of `aegis doctor` can fail."""

from __future__ import annotations

import importlib.util
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from aegis.cli import checks
from aegis.cli.desk_checks import process_checks, ticks_check
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


def test_a_missing_gate_of_ctp_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: "vnpy_ctp")
    monkeypatch.setattr("aegis.ctp.libraries.gate_library", lambda: None)
    assert outcome("ctp gate", tmp_path) == "WARN"
    monkeypatch.setattr("aegis.ctp.libraries.gate_library", lambda: tmp_path)
    assert outcome("ctp gate", tmp_path) == "OK"


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


@pytest.mark.parametrize(
    ("used", "bound", "first", "free", "outcome", "words"),
    [
        (2_000, -1, "2025-01-02T00:00:00Z", 10**9, "WARN", "without a bound"),
        (500, 1_000, "2025-01-02T09:00:00.123456789Z", 10**9, "OK", "the oldest of 3.0 hours ago"),
        (950, 1_000, "2024-12-30T09:00:00Z", 10**9, "OK", "the oldest of 75.0 hours ago"),
        (950, 1_000, "2025-01-02T09:00:00Z", 10**9, "WARN", "cannot be followed"),
        (500, 1_000, "2025-01-02T09:00:00Z", 100, "WARN", "the disk is full before the stream is"),
        (500, 1_000, "2025-01-02T09:00:00Z", None, "OK", ""),
    ],
)
def test_a_stream_that_forgets_too_soon_is_said(
    used: int, bound: int, first: str, free: int | None, outcome: str, words: str
) -> None:
    info = {"state": {"bytes": used, "messages": 7, "first_ts": first}, "config": {"max_bytes": bound}}
    check = ticks_check(info, free, datetime(2025, 1, 2, 12, tzinfo=UTC))
    assert check.outcome == outcome
    assert words in f"{check.found} {check.todo}"


def test_a_stream_without_messages_reaches_nowhere() -> None:
    info = {"state": {"bytes": 0, "messages": 0, "first_ts": "0001-01-01T00:00:00Z"}, "config": {"max_bytes": 1_000}}
    assert ticks_check(info, None, datetime.now(UTC)).outcome == "OK"
