"""The decisions and files of a supervisor, without processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from aegis.management.first_run import Note, write_note
from aegis.operations import logfiles, processes
from aegis.operations.keeper import Keeper, begin_in_turn
from aegis.operations.parts import ServiceProcess, how_it_ended
from aegis.operations.plan import DeskOptions, plan
from aegis.operations.processes import ProcessId
from aegis.operations.restarts import Crashes, RestartPolicy
from aegis.operations.state import DeskInUse, SignIn, StateDirectory
from aegis_sdk.errors import ConfigurationError

POLICY = RestartPolicy()


def pauses(policy: RestartPolicy, crashes_at: list[float], run_s: float) -> list[float | None]:
    """The pause after each of these crashes, each of which came after a run of `run_s`."""
    crashes, found = Crashes(), []
    for at in crashes_at:
        crashes = crashes.another(policy, started=at - run_s, now=at)
        found.append(policy.pause(crashes))
    return found


def test_pauses_double_and_the_fifth_crash_in_thirty_seconds_is_the_last() -> None:
    assert pauses(POLICY, [1, 2, 3, 4, 5], run_s=0.5) == [0.1, 0.2, 0.4, 0.8, None]


def test_who_crashes_seldom_is_never_given_up_but_waits_longer_and_longer() -> None:
    assert pauses(POLICY, [10 * i for i in range(9)], run_s=9) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5]


def test_a_steady_run_begins_a_new_streak() -> None:
    assert pauses(POLICY, [10, 20, 100], run_s=9)[:2] == [0.1, 0.2]
    assert pauses(POLICY, [100, 200, 300], run_s=30) == [0.1, 0.1, 0.1]


def test_a_process_is_known_by_more_than_its_pid() -> None:
    us = processes.identify(os.getpid())
    assert us
    assert processes.is_alive(us)
    assert not processes.is_alive(ProcessId(us.pid, us.started + "1"))
    used = processes.usage(us)
    assert used
    assert used.memory_bytes > 2**20
    assert used.cpu_s > 0


def test_a_process_that_ended_is_gone_even_before_it_is_waited_for() -> None:
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    identity = processes.identify(child.pid)
    assert identity
    assert child.stdin
    child.stdin.close()
    try:
        assert processes.wait_gone(identity, 30)
        assert processes.identify(child.pid) is None
        assert processes.usage(identity) is None
    finally:
        child.wait()


def test_a_pid_that_is_another_process_by_now_is_not_signalled() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert not processes.send(ProcessId(child.pid, "boot:1"), signal.SIGKILL)
        processes.end(ProcessId(child.pid, "boot:1"), 1)
        identity = processes.identify(child.pid)
        assert identity
        assert processes.send(identity, signal.SIGTERM)
        assert child.wait(30) == -signal.SIGTERM
    finally:
        child.kill()
        child.wait()


def test_a_name_with_brackets_and_spaces_does_not_confuse_proc(tmp_path: Path) -> None:
    program = tmp_path / "a) b 1"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([program, "60"])
    try:
        identity = processes.identify(child.pid)
        assert identity
        assert processes.usage(identity)
        assert identity.started.rpartition(":")[2].isdecimal()
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(("code", "text"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL")])
def test_an_end_is_told_in_words(code: int, text: str) -> None:
    assert how_it_ended(code) == text


def test_a_log_that_is_too_large_is_moved_aside_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with logfiles.open_log(path) as log:
        log.write(b"old\n" * 10)
        logfiles.rotate([path], max_bytes=20)
        log.write(b"new\n")
    assert path.read_bytes() == b"new\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"old\n" * 10
    assert logfiles.tail(path, 3) == ["old", "old", "new"]


def test_a_log_that_cannot_be_rotated_is_named_and_the_others_are(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.log", tmp_path / "good.log"
    for path in (bad, good):
        path.write_bytes(b"x" * 30)
    (tmp_path / "bad.log.1").mkdir()
    failed = logfiles.rotate([bad, good], max_bytes=20)
    assert [(path, type(error)) for path, error in failed.items()] == [(bad, IsADirectoryError)]
    assert (bad.stat().st_size, good.stat().st_size) == (30, 0)


def test_a_log_that_fits_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 20)
    logfiles.rotate([path, tmp_path / "missing.log"], max_bytes=20)
    assert path.stat().st_size == 20


def test_the_tail_of_a_long_file_is_its_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(f"line {i} {'x' * 100}\n" for i in range(5_000)))
    assert [line.split()[1] for line in logfiles.tail(path, 2)] == ["4998", "4999"]
    assert logfiles.tail(path, 0) == []
    assert logfiles.tail(tmp_path / "missing.log", 5) == []


def test_a_desk_is_found_from_below_up_to_the_root_of_its_repository(tmp_path: Path) -> None:
    repository, below = tmp_path / "repository", tmp_path / "repository" / "a" / "b"
    below.mkdir(parents=True)
    (repository / ".git").mkdir()
    (tmp_path / ".aegis").mkdir()
    assert StateDirectory.find({}, below).path == below / ".aegis"
    (repository / ".aegis").mkdir()
    assert StateDirectory.find({}, below).path == repository / ".aegis"
    assert StateDirectory.find({"AEGIS_HOME": "/somewhere"}, below).path == Path("/somewhere")


def test_a_state_directory_serves_one_supervisor_at_a_time(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path / "home")
    directory.create()
    held = directory.lock()
    with pytest.raises(DeskInUse):
        directory.lock()
    os.close(held)
    os.close(directory.lock())


def test_the_usual_plan_hands_its_options_on() -> None:
    marketdata, health, *_ = plan(DeskOptions(directory="x", replay="/ticks", speed=10, codec="msgpack"))
    assert (health.service, health.environment) == ("health", {})
    assert marketdata.environment == {
        "AEGIS_REPLAY": "/ticks",
        "AEGIS_SPEED": "10",
        "AEGIS_CODEC": "msgpack",
    }


def test_options_that_were_not_given_are_left_to_the_environment() -> None:
    marketdata, *_ = plan(DeskOptions(directory="x"))
    assert marketdata.environment == {}


@pytest.mark.parametrize("given", [{}, {"AEGIS_PAPER_ACCOUNTS": "mine=5"}])
def test_a_desk_has_a_paper_account_unless_the_environment_names_others(tmp_path: Path, given: dict[str, str]) -> None:
    (paper,) = [one for one in plan(DeskOptions(directory="x")) if one.service == "paper"]
    process = ServiceProcess(paper, tmp_path / "log", given, cast(Any, None))
    told = process._environment
    assert told == {
        "AEGIS_PAPER_ACCOUNTS": "paper=10000000",
        "AEGIS_PAPER_TICKS": "sim",
        **given,
        "AEGIS_INSTANCE": "paper-1",
    }


@pytest.mark.parametrize("content", ["", "{}", '[{"service": "a"}]'])
def test_a_plan_that_is_none_names_the_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"plan\.json"):
        plan(DeskOptions(directory="x", plan_file=str(path)))


class Loading:
    """A part that loads until it is told that it has."""

    where = ""
    stop_deadline_s = 1.0
    pid = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_loaded = asyncio.Event()

    async def loaded(self) -> None:
        await self.is_loaded.wait()

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"nobody asked for {name}")


async def test_no_more_programs_load_at_a_time_than_there_are_cores() -> None:
    parts = [Loading(f"part-{number}") for number in range(5)]
    keepers = [Keeper(part, POLICY, lambda *_: None, lambda: None) for part in parts]
    begun: list[str] = []
    news = asyncio.Event()

    def begin(keeper: Keeper) -> None:
        begun.append(keeper.part.name)
        news.set()

    async def until(count: int) -> None:
        while len(begun) < count:
            news.clear()
            await news.wait()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(begin_in_turn(keepers, begin, at_once=2))
        await until(2)
        parts[1].is_loaded.set()
        await until(3)
        await asyncio.sleep(0)
        assert begun == ["part-0", "part-1", "part-2"], "the first and the third still load"
        keepers[0].settled.set()  # given up
        await until(4)
        assert begun == ["part-0", "part-1", "part-2", "part-3"]
        for part in parts:
            part.is_loaded.set()
    assert len(begun) == len(parts)


def test_the_first_sign_in_is_told_once(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path)
    assert directory.take_sign_in() is None
    write_note(directory.management_note, Note(address="http://127.0.0.1:8420", user="admin", password="first"))
    assert directory.take_sign_in() == SignIn(address="http://127.0.0.1:8420", user="admin", password="first")
    assert directory.take_sign_in() == SignIn(address="http://127.0.0.1:8420")
    assert directory.management_note.stat().st_mode & 0o777 == 0o600
