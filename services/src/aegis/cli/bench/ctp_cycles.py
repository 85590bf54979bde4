"""Sessions that are ended while ticks come: how each ended, how long it took, and what all of them left behind."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Final, NamedTuple

from aegis.cli.bench.ctp_parts import children_of, profile
from aegis.cli.bench.figures import Figures
from aegis.ctp.session import Session
from aegis.marketdata.adapters.ctp import Limits, start_of
from aegis.marketdata.adapters.ctp.frames import FromSession, Quotes, Ready, Start, Subscribe, Universe, from_session
from aegis.profiles import load
from ctpsim.testing import RunningFront

__all__ = ["IN_ORDER", "cycles"]

IN_ORDER: Final[Figures] = dict.fromkeys(
    ("killed", "other_ends", "descriptors", "threads", "processes", "clients"), 0.0
)
"""The most that these may be."""
_PROGRAM: Final = "aegis.marketdata.adapters.ctp.process"
_TICKS: Final = 1_000
"""That each session has when it is told to end."""
_COMES_S: Final = 30.0


async def cycles(counter: RunningFront, count: int) -> Figures:
    """`killed`: had to be; `other_ends`: by themselves, and not with exit code 0. The rest is what is there afterwards
    and was not before, in this process and at the counter.
    """
    with profile(counter) as path:
        login = load(str(path), {})
    start = start_of(login, login.primary)
    await _Cycle().ended(start)  # what is made once for all sessions is there now
    before = await _held(counter)
    ends = [await _Cycle().ended(start) for _ in range(count)]
    left = {name: held - before[name] for name, held in (await _held(counter)).items()}
    return {
        "cycles": float(count),
        "killed": float(sum(end.was_killed for end in ends)),
        "other_ends": float(sum(end.said != "with exit code 0" for end in ends if not end.was_killed)),
        "close_max_ms": max(end.took_s for end in ends) * 1e3,
        **left,
    }


class _End(NamedTuple):
    said: str
    was_killed: bool
    took_s: float


class _Cycle:
    """One session: it wants everything, and is told to end in the middle of it."""

    def __init__(self) -> None:
        self._symbols: list[str] = []
        self._ticks = 0
        self._flows = asyncio.Event()
        self._session = Session(_PROGRAM, from_session, self._heard)

    async def ended(self, start: Start) -> _End:
        session = self._session
        await session.start(start)
        ended = asyncio.create_task(session.ended())
        try:
            async with asyncio.timeout(_COMES_S):
                await self._flows.wait()
        finally:
            began_at = time.monotonic()
            await session.stop(Limits().stop_s)
        return _End(await ended, session.was_killed, time.monotonic() - began_at)

    def _heard(self, frame: FromSession) -> None:
        match frame:
            case Universe(instruments):
                self._symbols += [one.symbol for one in instruments]
            case Ready():
                self._session.tell(Subscribe(self._symbols))
            case Quotes(quotes):
                self._ticks += len(quotes)
                if self._ticks >= _TICKS:
                    self._flows.set()
            case _:
                pass


async def _held(counter: RunningFront) -> Figures:
    clients: dict[str, int] = (await counter.control.status())["clients"]
    return {
        "descriptors": float(len(os.listdir("/proc/self/fd"))),
        "threads": float(len(os.listdir("/proc/self/task"))),
        "processes": float(len(children_of(os.getpid()))),
        "clients": float(sum(clients.values())),
    }
