"""Desks of real processes in a directory of their own, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aegis.operations import detached, processes
from aegis.operations.notes import Note
from aegis.operations.plan import DeskOptions
from aegis.operations.processes import ProcessId
from aegis.operations.state import Process, ProcessState, RunFile, StateDirectory

AEGIS = (str(Path(sys.executable).with_name("aegis")),)
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
        return subprocess.run(
            [*AEGIS, *arguments],
            input=stdin,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def up(self, **options: Any) -> list[Note]:
        """Bring it up detached, as `aegis up -d` does, in half of the time; what was said."""
        notes: list[Note] = []
        plan = self.plan[1] if self.plan else ""
        assert detached.start(DeskOptions(directory=str(self.state.path), plan_file=plan, **options), notes.append)
        return notes

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

    def trader(self, but: str = "") -> str:
        """Who trades the desk's account; waits until somebody does, and is another than `but`."""
        found: list[str] = []

        def trades() -> bool:
            done = self.aegis("leases", "trading", "--json")
            rows = json.loads(done.stdout) if done.returncode == 0 else []
            found[:] = [row["holder"] for row in rows if row["state"] == "ACTIVE"]
            return bool(found) and found != [but]

        until(trades)
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


def until(holds: Callable[[], Any], timeout_s: float = 30.0) -> None:
    """Return when `holds`; TimeoutError after so many seconds. For what another process brings about."""
    end = time.monotonic() + timeout_s
    while True:
        with suppress(AssertionError, StopIteration):  # the run file is not there yet
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
