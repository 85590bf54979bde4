"""`ctpsim` as a program: how it is started, found, told and ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from aegis_sdk.errors import AegisError
from ctpsim.access import read_access
from ctpsim.control import Control, ControlRefused
from ctpsim.testing import front

CTPSIM = (sys.executable, "-m", "ctpsim")


@asynccontextmanager
async def served(directory: Path, *options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A counter started from the command line, and its ready line."""
    process = await asyncio.create_subprocess_exec(
        *(*CTPSIM, "serve", "--market", "load", "--directory", str(directory), *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            yield process, (await process.stdout.readline()).decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(*arguments: str) -> tuple[int | None, str]:
    """The exit code and the words of a command."""
    process = await asyncio.create_subprocess_exec(
        *(*CTPSIM, *arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_it_says_where_it_is_and_keeps_its_secrets_in_a_file_of_its_owner(tmp_path: Path) -> None:
    async with served(tmp_path, "--fronts", "2") as (process, line):
        ready = json.loads(line)
        access = read_access(tmp_path)
        user = access.users[0]
        assert (ready["pid"], len(ready["fronts"])) == (process.pid, 2)
        assert ready["users"] == [{"broker_id": user.broker_id, "user_id": user.user_id}]
        assert not [secret for secret in (user.password, user.auth_code, access.token) if secret in line]
        assert stat.S_IMODE((tmp_path / "access.json").stat().st_mode) == 0o600
        masked, shown = (
            await said("env", "--access", str(tmp_path)),
            await said("env", "--access", str(tmp_path), "--show"),
        )
        assert user.password not in masked[1]
        assert f"export CTP_PASSWORD='{user.password}'" in shown[1]
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert not (tmp_path / "access.json").exists()


async def test_a_killed_one_that_starts_again_goes_on_with_its_day(tmp_path: Path) -> None:
    moments: list[str] = []
    for _ in range(2):
        async with served(tmp_path):  # and killed
            _, status = await said("control", "status", "--access", str(tmp_path))
            moments.append(json.loads(status)["now"])
    assert moments[0] < moments[1]


async def test_it_is_told_by_the_command_line(tmp_path: Path) -> None:
    async with served(tmp_path):
        assert await said("control", "fault", "login_error=7", "--access", str(tmp_path)) == (0, "null\n")
        _, status = await said("control", "status", "--access", str(tmp_path))
        assert json.loads(status)["faults"] == {"login_error@market": 7, "login_error@trader": 7}
        code, refusal = await said("control", "fault", "nonsense", "--access", str(tmp_path))
        assert code == 1
        assert "'nonsense' is none of refuse_hello" in refusal


async def test_a_directory_is_one_counters_at_a_time(tmp_path: Path) -> None:
    async with served(tmp_path):
        code, words = await said("serve", "--market", "load", "--directory", str(tmp_path))
        assert (code, words) == (1, f"ctpsim: another counter serves in {tmp_path}\n")


async def test_an_option_that_does_not_fit_is_named_in_one_line(tmp_path: Path) -> None:
    code, output = await said("serve", "--directory", str(tmp_path), "--market", "replay")
    assert (code, output) == (1, "ctpsim: path: a replay needs one, and nothing else takes one\n")


async def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec("sleep", "60")
    async with served(tmp_path, "--parent", str(parent.pid)) as (process, _):
        parent.kill()
        await parent.wait()
        assert await process.wait() == 0


async def test_who_does_not_know_the_token_is_told_nothing() -> None:
    async with front(market="load") as counter:
        stranger = msgspec.structs.replace(counter.access, token="guessed")
        with pytest.raises(AegisError, match="closed the connection"):
            await Control(stranger).__aenter__()
        with pytest.raises(ControlRefused, match="none of status"):
            await counter.control.send("nonsense")
        with pytest.raises(ControlRefused, match="KeyError"):
            await counter.control.send("tick")


async def test_users_may_come_from_a_file(tmp_path: Path) -> None:
    user = {"broker_id": "1", "user_id": "u", "password": "p", "app_id": "a", "auth_code": "c", "balance": 5.0}
    users = tmp_path / "users.json"
    users.write_text(json.dumps([user]))
    async with served(tmp_path, "--users", str(users)):
        assert [each.user_id for each in read_access(tmp_path).users] == ["u"]


async def test_a_program_that_is_killed_leaves_nothing_that_hinders_the_next_one(tmp_path: Path) -> None:
    async with served(tmp_path) as (process, _):
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        with pytest.raises(AegisError, match="does not answer"):
            await Control.at(tmp_path).__aenter__()
    async with served(tmp_path) as (_, line):
        assert json.loads(line)["pid"]


async def test_nothing_is_missing_where_the_counter_was_built() -> None:
    assert await said("build", "--check") == (0, "")
