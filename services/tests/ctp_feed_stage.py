"""The CTP feed logged in at a simulated counter, and what tests ask of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctp_counter import start_at

from aegis.contracts.market import InstrumentId
from aegis.ctp.attempts import Patience
from aegis.marketdata.adapters.ctp import CtpFeed, CtpOptions
from aegis.marketdata.adapters.ctp.frames import Start
from aegis.marketdata.adapters.ctp.watched import Limits
from aegis.marketdata.ports import FeedState
from ctpsim.testing import RunningFront, front

QUICK = CtpOptions(
    limits=Limits(answer_s=30.0, silent_s=30.0, stop_s=30.0),  # a busy machine is no fault
    patience=Patience(first_pause_s=0.05, longest_pause_s=0.2, attempts=3),
)
UNANSWERED = replace(QUICK, limits=Limits(answer_s=2.5, silent_s=30.0, stop_s=30.0))
HUNG = replace(QUICK, limits=Limits(answer_s=30.0, silent_s=2.0, stop_s=1.0))
STALLED = replace(QUICK, limits=Limits(answer_s=30.0, silent_s=30.0, stall_s=0.6, stop_s=30.0))
"""Each is impatient of what its test is about, and of nothing else."""


@asynccontextmanager
async def counter(**options: Any) -> AsyncIterator[RunningFront]:
    quiet = {"market": "load", "instruments": 40, "rate": 200.0, "day": "20250102"}
    async with front(**{**quiet, **options}) as running:
        yield running


@asynccontextmanager
async def open_feed(
    running: RunningFront, sink: Any, options: CtpOptions = QUICK, start: Start | None = None, **told: Any
) -> AsyncIterator[CtpFeed]:
    feed = CtpFeed("test", "test", "sim", start or start_at(running.access), options, **told)
    try:
        await feed.open(sink)
        yield feed
    finally:
        await feed.close()


async def opened(running: RunningFront, sink: Any, options: CtpOptions = QUICK) -> CtpFeed:
    feed = CtpFeed("test", "test", "sim", start_at(running.access), options)
    await feed.open(sink)
    return feed


async def all_of(feed: CtpFeed) -> list[InstrumentId]:
    instruments = [one.id for one in await feed.instruments()]
    assert list(await feed.subscribe(instruments)) == []
    return instruments


def said(sink: Any, word: str) -> Callable[[], bool]:
    return lambda: any(word in reason for reason in sink.reasons)


def figure(feed: CtpFeed, name: str, **labels: str) -> float:
    """One of what a scrape shows of the feed's sessions."""
    [found] = (
        one.value
        for each in feed.metrics()
        for one in each.samples
        if one.name == f"aegis_marketdata_ctp_{name}" and one.labels == labels
    )
    return found


async def until_ready_again(sink: Any, times: int = 2) -> None:
    await sink.until(lambda: sink.states.count(FeedState.READY) >= times)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
