"""Ticks that the service, or a session, is too slow for: each is received, or counted as left out."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ctp_counter import start_at
from ctp_feed_stage import all_of, counter, open_feed, until_ready_again
from test_ctp_libraries import GATE

from aegis.marketdata.ports import FeedState
from aegis.operations.counter import is_built
from ctpsim.testing import RunningFront

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]


def mapped(pid: int | None) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


async def all_sent(running: RunningFront) -> Counter[str]:
    """By symbol, once it sends no more."""
    sent = Counter(await running.control.sent())
    while sent != (sent := Counter(await running.control.sent())):  # noqa: ASYNC110 (it tells nobody)
        await asyncio.sleep(0.2)
    return sent


async def until_sent(running: RunningFront, ticks: int) -> None:
    async with asyncio.timeout(30):
        while Counter(await running.control.sent()).total() < ticks:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0.01)


def accounted(sink: Any) -> Counter[str]:
    counts: Counter[str] = Counter()
    for quote in sink.quotes:
        counts[quote.symbol] += 1 + quote.skipped
    return counts


async def until_accounted(sink: Any, running: RunningFront) -> None:
    """Until all that the counter has sent was received, or is counted as left out."""
    async with asyncio.timeout(30):
        while accounted(sink) != Counter(await running.control.sent()):  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("gated", [True, False])
async def test_in_an_overload_every_tick_is_received_or_counted(sink: Any, gated: bool) -> None:
    """The sink takes nothing for a while, and little may wait in the session."""
    async with counter(instruments=20, rate=1.0) as running:
        start = start_at(running.access, ring=200, backlog=50, backlog_ms=20, gated=gated)
        async with open_feed(running, sink, start=start) as feed:
            await all_of(feed)
            sink.has_room.clear()
            await running.control.send("rate", rate=5_000)
            await sink.until(lambda: bool(sink.quotes))
            await until_sent(running, 5_000)
            await running.control.send("rate", rate=0.01)
            sink.has_room.set()
            await until_accounted(sink, running)
            assert any(quote.skipped for quote in sink.quotes)
            newest = {quote.symbol: quote.volume for quote in sink.quotes}
            assert all(quote.volume <= newest[quote.symbol] for quote in sink.quotes)


@pytest.mark.parametrize("dropped", [True, False])
async def test_what_waits_in_the_gate_when_its_session_ends_is_received_or_counted(sink: Any, dropped: bool) -> None:
    """By the front, or because it was told to."""
    async with counter(instruments=20, rate=1.0) as running:
        start = start_at(running.access, ring=200, backlog=50, backlog_ms=20)
        async with open_feed(running, sink, start=start) as feed:
            await all_of(feed)
            sink.has_room.clear()
            await running.control.send("rate", rate=20_000)
            await until_sent(running, 5_000)
            await running.control.send("rate", rate=0.01)
            assert accounted(sink).total() < (await all_sent(running)).total(), "some wait"
            if dropped:
                await running.control.send("drop", side="market", reason=0x2003)
                sink.has_room.set()
                await until_ready_again(sink)
                assert any("error 8195" in reason for reason in sink.reasons)
            else:
                await feed.close()
            assert accounted(sink) == Counter(await running.control.sent())


async def test_of_a_market_faster_than_the_session_the_gate_conflates_and_nothing_ends(sink: Any) -> None:
    async with counter(instruments=500, rate=1.0) as running, open_feed(running, sink) as feed:
        assert f"{GATE}\n" in mapped(feed.session_pid), "a session is gated where it can be"
        await all_of(feed)
        await running.control.send("rate", rate=200_000)
        await sink.until(lambda: sum(quote.skipped for quote in sink.quotes) > 20_000)
        await running.control.send("rate", rate=0.01)
        await until_accounted(sink, running)
        assert sink.states == [FeedState.CONNECTING, FeedState.READY]
