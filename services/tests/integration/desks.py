"""Desks of real processes in a directory of their own, for tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import forked

from aegis.desk import Desk as Trades
from aegis.operations import detached, processes
from aegis.operations.notes import Note
from aegis.operations.plan import DeskOptions
from aegis.operations.processes import ProcessId
from aegis.operations.state import Process, ProcessState, RunFile, StateDirectory
from aegis_sdk import NatsTransport
from aegis_sdk.errors import AegisError
from aegis_sdk.lease_view import LeaseView

T = TypeVar("T")

READY_S = 90.0

AEGIS = (forked.AEGIS,)
ECHO = {
    "service": "echo",
    "instance": "echo-1",
    "command": [sys.executable, str(Path(__file__).with_name("echo_service.py"))],
}


class Desk:
    """A desk that may be up or not. Its processes are those of `services`, or the usual ones."""

    def __init__(self, home: Path, services: list[dict[str, Any]] | None) -> None:
        self.state = StateDirectory(home)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
        self.environment |= {"AEGIS_HOME": str(home)}
        self.plan: list[str] = []
        if services is not None:
            file = home.with_name("plan.json")
            file.write_text(json.dumps(services))
            self.plan = ["--plan", str(file)]

    def aegis(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return forked.run(arguments, self.environment | environment, stdin)

    def up(self, **options: Any) -> list[Note]:
        """Bring it up detached, as `aegis up -d` does, in half of the time; what was said."""
        notes: list[Note] = []
        plan = self.plan[1] if self.plan else ""
        patient = {"ready_deadline_s": READY_S, **options}
        assert detached.start(DeskOptions(directory=str(self.state.path), plan_file=plan, **patient), notes.append)
        return notes

    def up_by_command(self, *options: str) -> str:
        """The same by `aegis up -d`, which is more impatient than a busy machine; what that said."""
        said = self.aegis("up", "-d", *self.plan, *options).stdout
        assert "everything is ready" in said or "not ready" in said, said
        until(lambda: all(one.state is ProcessState.RUNNING for one in self.run.processes), READY_S)
        return said

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on; its output is read by the test."""
        process = subprocess.Popen(
            [*AEGIS, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment | {"PYTHONUNBUFFERED": "1"},
            text=True,
            errors="replace",  # a test may stop reading in the middle of a character
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @property
    def run(self) -> RunFile:
        found = self.state.read()
        assert found
        return found

    def process(self, name: str) -> Process:
        return next(one for one in self.run.processes if one.name == name)

    def id_of(self, name: str) -> ProcessId:
        found = self.process(name).process
        assert found
        return found

    def all_ids(self) -> list[ProcessId]:
        return [self.run.supervisor, *(one.process for one in self.run.processes if one.process)]

    def until_running_anew(self, name: str, old: ProcessId) -> Process:
        """Wait until another process than `old` has its name and is ready."""

        def is_anew() -> bool:
            now = self.process(name)
            return now.state is ProcessState.RUNNING and now.process not in (None, old)

        until(is_anew)
        return self.process(name)

    def asked(self, question: Callable[[NatsTransport], Awaitable[T]]) -> T:
        """What somebody finds who is connected to its NATS: what a command would say, in a fraction of its time."""

        nats = self.run.nats
        assert nats
        password = Path(nats.password_file).read_text()

        async def ask() -> T:
            transport = await NatsTransport.connect(nats.urls, user=nats.user, password=password)
            try:
                return await question(transport)
            finally:
                await transport.close()

        return asyncio.run(ask())

    def trades(self) -> bool:
        """Whether somebody answers for its account."""
        return bool(self.asked(_account))

    def trader(self, but: str = "") -> str:
        """Who trades its account; waits until somebody does, and is another than `but`."""
        found: list[str] = []

        def is_there() -> bool:
            rows = self.asked(_leases_of_trading)
            found[:] = [row["holder"] for row in rows if row["state"] == "ACTIVE"]
            return bool(found) and found != [but]

        until(is_there)
        return found[0]

    def close(self) -> None:
        """End whatever is left of it."""
        run = self.state.read()
        if run is None:
            return
        processes.send(run.supervisor, signal.SIGKILL)
        for one in [run.supervisor, *(one.process for one in run.processes if one.process)]:
            ended = processes.wait_gone(one, 30)
            processes.send(one, signal.SIGKILL)
            assert ended, f"{one} outlived its desk"


async def _account(transport: NatsTransport) -> str:
    async with Trades.over(transport, "paper") as trades:
        return (await trades.account()).account


async def _leases_of_trading(transport: NatsTransport) -> list[dict[str, Any]]:
    async with LeaseView.open(transport, "trading") as view:
        return view.rows()


def until(holds: Callable[[], Any], timeout_s: float = 30.0) -> None:
    """Return when `holds`; TimeoutError after so many seconds. For what another process brings about."""
    end = time.monotonic() + timeout_s
    while True:
        with suppress(AssertionError, StopIteration, AegisError):  # it is not there yet
            if holds():
                return
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout_s:g} s")
        time.sleep(0.01)


@contextmanager
def desk_in(directory: Path, services: list[dict[str, Any]] | None) -> Iterator[Desk]:
    made = Desk(directory / "home", services)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def trading_desk_in(directory: Path) -> Iterator[Desk]:
    """The usual one, up, and somebody trades its account."""
    with desk_in(directory, None) as made:
        made.up()
        until(made.trades)
        yield made
