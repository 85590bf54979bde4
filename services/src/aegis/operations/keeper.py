"""Keeps one part of a desk running: starts it, waits until it is ready, starts it again when it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import msgspec

from aegis.operations.parts import End, Part
from aegis.operations.processes import identify
from aegis.operations.restarts import Crashes, RestartPolicy
from aegis.operations.state import Process, ProcessState
from aegis_sdk.errors import AegisError

__all__ = ["Keeper", "Say", "begin_in_turn", "unless"]

_LOAD_S: Final = 2.0

Say = Callable[..., None]
"""`say(kind, process, text, detail=())`."""


class Keeper:
    """`status` is what is known of the part; `on_change` is called whenever it changes."""

    def __init__(self, part: Part, policy: RestartPolicy, say: Say, on_change: Callable[[], None]) -> None:
        self.part = part
        self.status = Process(name=part.name)
        self.settled = asyncio.Event()  # it was ready, or was given up, once
        self._policy = policy
        self._say = say
        self._on_change = on_change

    async def run(self) -> None:
        """Until it is cancelled, which leaves the process as it is, or the part is given up."""
        crashes = Crashes()
        while True:
            began = time.monotonic()
            end, detail = await self._live(began)
            crashes = crashes.another(self._policy, started=began, now=time.monotonic())
            if end.misconfigured:
                self._give_up(end, "given up: its configuration is wrong", detail[-1:])
                return
            pause = self._policy.pause(crashes)
            if pause is None:
                policy = self._policy
                crashed = f"given up after {policy.limit} crashes in {policy.within_s:g} s; the last: {end.how}"
                self._give_up(end, crashed, detail)
                return
            self._become(state=ProcessState.RESTARTING, process=None, last_exit=end.how)
            self._say("warning", self.part.name, f"ended: {end.how}; starts again in {pause:g} s")
            await asyncio.sleep(pause)
            self._become(restarts=self.status.restarts + 1)

    async def stop(self) -> None:
        """Stop the part; `run` must have ended."""
        if self.part.pid is None:
            self._become(state=self._at_rest(), process=None)
            return
        self._become(state=ProcessState.STOPPING)
        began = time.monotonic()
        await self.part.stop(self.part.stop_deadline_s)
        took = time.monotonic() - began
        self._become(state=ProcessState.STOPPED, process=None)
        if took < self.part.stop_deadline_s:
            self._say("step", self.part.name, "stopped")
        else:
            self._say("warning", self.part.name, f"did not stop within {self.part.stop_deadline_s:g} s: killed")

    def _at_rest(self) -> ProcessState:
        return ProcessState.FAILED if self.status.state is ProcessState.FAILED else ProcessState.STOPPED

    async def _live(self, began: float) -> tuple[End, list[str]]:
        """From the start of a process to its end: how it ended, and the end of its log."""
        self._become(state=ProcessState.STARTING, since=time.time())
        try:
            await self.part.start()
        except AegisError as error:
            first, *rest = str(error).splitlines()
            return End(first), rest or self.part.last_lines()
        self._become(process=identify(self.part.pid) if self.part.pid else None)
        async with asyncio.TaskGroup() as group:
            readiness = group.create_task(self._note_ready(began))
            end = await self.part.ended()
            readiness.cancel()
        return end, self.part.last_lines()

    async def _note_ready(self, began: float) -> None:
        await self.part.ready()
        self._become(state=ProcessState.RUNNING)
        again = f" again after {time.monotonic() - began:.2f} s" if self.status.restarts else ""
        where = f" on {self.part.where}" if self.part.where else ""
        self._say("step", self.part.name, f"ready{again}{where} (pid {self.part.pid})")
        self.settled.set()

    def _give_up(self, end: End, what: str, detail: list[str]) -> None:
        self._become(state=ProcessState.FAILED, process=None, last_exit=end.how)
        self._say("failure", self.part.name, what, detail)
        self.settled.set()

    def _become(self, **changes: Any) -> None:
        self.status = msgspec.structs.replace(self.status, **changes)
        self._on_change()


async def begin_in_turn(keepers: Iterable[Keeper], begin: Callable[[Keeper], None], *, at_once: int) -> None:
    """Begin one after the other: no more than `at_once` of them load their programs at a time.

    To read a program keeps a core busy for half a second. So those at the front, the feeds, are not slowed by all
    behind them; and nobody waits for one that does not come for longer than `_LOAD_S`.
    """
    loading: set[asyncio.Task[None]] = set()
    try:
        for keeper in keepers:
            if len(loading) >= at_once:
                _, loading = await asyncio.wait(loading, return_when=asyncio.FIRST_COMPLETED)
            begin(keeper)
            loading.add(asyncio.create_task(_loaded(keeper)))
    finally:
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)


async def _loaded(keeper: Keeper) -> None:
    """Return when its program is loaded, or it was given up, or has taken too long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOAD_S):
            await unless(keeper.settled, keeper.part.loaded())


async def unless(stop: asyncio.Event, work: Awaitable[None]) -> bool:
    """Do the work, unless `stop` is set before it is done; whether it was done. Raises what it raises."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            return False
        doing.result()
        return True
    finally:
        for task in (doing, stopping):
            task.cancel()
        await asyncio.gather(doing, stopping, return_exceptions=True)
