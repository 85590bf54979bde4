"""The two kinds of processes that a desk is made of: nodes of NATS, and services."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from aegis.operations import logfiles
from aegis.operations.plan import ServicePlan
from aegis.operations.readiness import Registered
from aegis_sdk.errors import AegisError
from aegis_sdk.server import Node, NodeExit, launch

__all__ = ["End", "NatsNode", "Part", "ServiceProcess"]

_LAUNCH: Final = launch.__file__
_LINES: Final = 10
_WRONG_CONFIGURATION: Final = 2  # the exit code of `aegis_sdk.run` for it


class End(NamedTuple):
    """How a process ended."""

    how: str
    misconfigured: bool = False  # another start would end in the same way; its last line says why


class Part(Protocol):
    """A process that can be started again after it has ended."""

    name: str
    where: str  # it listens; empty where that is of no interest
    stop_deadline_s: float

    @property
    def pid(self) -> int | None: ...

    async def start(self) -> None:
        """Start it, if it does not run. Raises AegisError."""
        ...

    async def loaded(self) -> None:
        """Return when its program has been read; never, if it never is."""
        ...

    async def ready(self) -> None:
        """Return when it does its work; never, if it never does."""
        ...

    async def ended(self) -> End:
        """Returns when it has ended."""
        ...

    async def stop(self, deadline_s: float) -> None:
        """SIGTERM, then SIGKILL after the deadline. Returns when it is gone."""
        ...

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        ...

    def last_lines(self) -> list[str]:
        """The end of its log."""
        ...


class NatsNode:
    """A node of the embedded server, which is started as a whole before its nodes become parts."""

    def __init__(self, node: Node, name: str) -> None:
        self.name = name
        self.where = node.url
        self.stop_deadline_s = 5.0
        self._node = node
        self._exit: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def pid(self) -> int | None:
        return self._node.pid

    async def start(self) -> None:
        self._exit = asyncio.get_running_loop().create_future()
        await self._node.start()

    async def loaded(self) -> None:
        """`start` has waited for it."""

    async def ready(self) -> None:
        """As for that."""

    def exited(self, end: NodeExit) -> None:
        """To be called when the server reports the end of this node."""
        if not self._exit.done():
            self._exit.set_result(how_it_ended(end.exit_code))

    async def ended(self) -> End:
        return End(await asyncio.shield(self._exit))

    async def stop(self, deadline_s: float) -> None:
        await self._node.stop(deadline_s)

    async def kill(self) -> None:
        await self._node.kill()

    def last_lines(self) -> list[str]:
        return self._node.log_tail().splitlines()[-_LINES:]


class ServiceProcess:
    """An instance of a service as a process of its own, that dies with us. It writes to its log file itself."""

    def __init__(
        self,
        plan: ServicePlan,
        log: Path,
        environment: Mapping[str, str],
        registered: Registered,
    ) -> None:
        self.name = plan.instance
        self.where = ""
        self.stop_deadline_s = plan.stop_deadline_s
        self._plan = plan
        self._log = log
        self._environment = {**plan.defaults, **environment, "AEGIS_INSTANCE": plan.instance, **plan.environment}
        self._registered = registered
        self._started_at = time.time()
        self._process: asyncio.subprocess.Process | None = None
        self._exit: asyncio.Task[int] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        self._started_at = time.time()
        try:
            with logfiles.open_log(self._log) as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), *self._plan.command),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment,
                    start_new_session=True,  # a Ctrl-C in the terminal is for us, who stop things in order
                )
        except OSError as error:
            raise AegisError(f"cannot be started: {error}") from None
        self._exit = asyncio.create_task(self._process.wait(), name=f"watch {self.name}")

    async def loaded(self) -> None:
        await self._registered.is_loaded(self._plan, self._started_at)

    async def ready(self) -> None:
        await self._registered.serves(self._plan, self._started_at)

    async def ended(self) -> End:
        assert self._exit
        exit_code = await asyncio.shield(self._exit)
        return End(how_it_ended(exit_code), misconfigured=exit_code == _WRONG_CONFIGURATION)

    async def stop(self, deadline_s: float) -> None:
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a paused process is resumed to hear it
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(deadline_s):
                    await self._gone()
        finally:
            await self.kill()

    async def kill(self) -> None:
        if self.pid is not None:  # with the processes that it started: they are in its session
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        await self._gone()

    async def _gone(self) -> None:
        if self._exit:
            await asyncio.shield(self._exit)

    def _signal(self, number: signal.Signals) -> None:
        # Not Process.send_signal: it reaps a process that just ended, and its exit code is lost.
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def last_lines(self) -> list[str]:
        return logfiles.tail(self._log, _LINES)


def how_it_ended(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"
