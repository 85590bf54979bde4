"""Processes of a round: started, told what to do, stopped by force, and gone afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from . import wall_clocks

PACKAGE: Final = Path(__file__).parent
_DEADLINE_S: Final = 90.0
_POLL_S: Final = 0.005


class Worker:
    """A module of this package as a process. `log` has what it says on its standard error."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self._process = process

    @classmethod
    async def start(
        cls,
        name: str,
        module: str,
        *arguments: str,
        log: Path,
        environment: Mapping[str, str],
        prefix: Sequence[str] = (),
    ) -> Self:
        paths = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH"))))
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *prefix,
                *(sys.executable, "-m", f"{PACKAGE.name}.{module}", *arguments),
                stdin=PIPE,
                stdout=PIPE,
                stderr=errors,
                env={**os.environ, **environment, "PYTHONPATH": paths},
            )
        return cls(name, process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.returncode is None

    async def line(self) -> str:
        """The next line that it prints. Raises RuntimeError where it ends first."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_DEADLINE_S):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has ended: see its log")
        return line.decode().strip()

    def order(self, do: str, **arguments: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stopped(self, timeout: float) -> bool:
        """Whether it stops itself within `timeout` seconds, as it was told to do at a fail point."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.lives and not self.is_stopped:  # noqa: ASYNC110 (asyncio tells ends alone)
                    await asyncio.sleep(_POLL_S)
        return self.is_stopped

    @property
    def is_stopped(self) -> bool:
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except OSError:
            return False

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self._process.wait()
        wall_clocks.clean_up(self.pid)

    async def end(self) -> int:
        """SIGTERM; its exit code."""
        self.signal(signal.SIGTERM)
        async with asyncio.timeout(_DEADLINE_S):
            return await self._process.wait()
