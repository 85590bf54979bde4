"""Sessions that are closed while ticks come: how each ended, how long it took, and what all of them left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from aegis.cli.bench.ctp_parts import children_of, profile
from aegis.cli.bench.figures import Figures
from aegis.contracts.market import InstrumentId, Quote
from aegis.contracts.reasons import Reason
from aegis.marketdata.adapters.ctp import CtpFeed, start_of
from aegis.marketdata.adapters.ctp.frames import Start
from aegis.marketdata.ports import FeedState
from aegis.profiles import load
from ctpsim.testing import RunningFront

__all__ = ["IN_ORDER", "Cycles", "cycles"]

IN_ORDER: Final[Figures] = dict.fromkeys(
    ("killed", "other_ends", "descriptors", "threads", "processes", "clients"), 0.0
)
"""The most that these may be."""
_TICKS: Final = 1_000
"""That each session has when it is closed."""
_COMES_S: Final = 30.0


class Cycles(NamedTuple):
    """Figures, and how sessions ended that did not do so by themselves with exit code 0."""

    figures: Figures
    other: Counter[str]


async def cycles(counter: RunningFront, count: int) -> Cycles:
    """`killed`: had to be; `other_ends`: by themselves, and not with exit code 0. The rest is what is there afterwards
    and was not before, in this process and at the counter.
    """
    with profile(counter) as path:
        login = load(str(path), {})
    start = start_of(login, login.primary)
    await _closed(start)  # what is made once for all sessions is there now
    before = await _held(counter)
    ends = [await _closed(start) for _ in range(count)]
    left = {name: held - before[name] for name, held in (await _held(counter)).items()}
    figures = {
        "cycles": float(count),
        "killed": float(sum(end.code == -signal.SIGKILL for end in ends)),
        "other_ends": float(sum(end.code not in (0, -signal.SIGKILL) for end in ends)),
        "close_max_ms": max(end.took_s for end in ends) * 1e3,
        **left,
    }
    return Cycles(figures, Counter(_said(end.code) for end in ends if end.code))


class _End(NamedTuple):
    code: int
    took_s: float


def _said(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


async def _closed(start: Start) -> _End:
    """One feed: it wants everything, and is closed in the middle of it."""
    flow = _Flow()
    feed = CtpFeed("bench", "bench", "sim", start)
    async with asyncio.timeout(_COMES_S):
        await feed.open(flow)
        try:
            await feed.subscribe([one.id for one in await feed.instruments()])
            await flow.began.wait()
        finally:
            began_at = time.monotonic()
            await feed.close()
            took_s = time.monotonic() - began_at
    assert flow.states == [FeedState.CONNECTING, FeedState.READY, FeedState.CLOSED], "it has had one session"
    assert feed.session_exit_code is not None
    return _End(feed.session_exit_code, took_s)


class _Flow:
    """A `FeedSink` that only counts, and keeps states."""

    crowded = False

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.states: list[FeedState] = []
        self._ticks = 0

    def offer(self, quote: Quote) -> None:
        self._ticks += 1
        if self._ticks == _TICKS:
            self.began.set()

    def changed(self, state: FeedState, why: Sequence[Reason] = ()) -> None:
        self.states.append(state)

    def rejected(self, reason: str, detail: str, count: int = 1, instrument: InstrumentId | None = None) -> None: ...
    async def uncrowded(self) -> None: ...
    async def room(self) -> None: ...


async def _held(counter: RunningFront) -> Figures:
    clients: dict[str, int] = (await counter.control.status())["clients"]
    return {
        "descriptors": float(len(os.listdir("/proc/self/fd"))),
        "threads": float(len(os.listdir("/proc/self/task"))),
        "processes": float(len(children_of(os.getpid()))),
        "clients": float(sum(clients.values())),
    }
