"""What CTP's counters are known to do to a client, one after the other, in one session of the feed."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from ctp_counter import start_at
from ctp_feed_stage import all_of, counter, figure, open_feed, said, until_ready_again

from aegis.contracts.market import InstrumentId, Quote, Tick
from aegis.exchanges.sessions import to_shanghai
from aegis.marketdata.adapters.ctp import CtpFeed, CtpOptions
from aegis.marketdata.domain.sequencer import Origin, Sequencer
from aegis.operations.counter import is_built
from ctpsim.testing import RunningFront

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

PATIENT = CtpOptions()
DAY, DAY_BEFORE = "20250102", "20241231"
ORIGIN = Origin(env="sim", feed="main", source="test", session="s", epoch=1)


class Watching:
    """A session that is asked for one instrument at a time, by exchange."""

    def __init__(self, running: RunningFront, feed: CtpFeed, sink: Any) -> None:
        self.control = running.control
        self._feed = feed
        self._sink = sink
        self._asked: set[InstrumentId] = set()

    @asynccontextmanager
    async def one(self, exchange: str, *faults: str) -> AsyncIterator[InstrumentId]:
        """Another one of that exchange than before, subscribed while these faults are on, which end with the block."""
        for fault in faults:
            await self.control.fault(fault)
        listed = (one.id for one in await self._feed.instruments())
        chosen = next(one for one in listed if one.exchange == exchange and one not in self._asked)
        self._asked.add(chosen)
        await self._feed.subscribe([chosen])
        yield chosen
        await self._feed.unsubscribe([chosen])
        await self.control.clear()

    def quotes(self, one: InstrumentId) -> list[Quote]:
        return [quote for quote in self._sink.quotes if quote.symbol == one.symbol]

    async def until(self, one: InstrumentId, count: int) -> list[Quote]:
        await self._sink.until(lambda: len(self.quotes(one)) >= count)
        return self.quotes(one)

    async def ticks(self, one: InstrumentId, count: int) -> tuple[list[Tick], Sequencer]:
        """As they are published."""
        sequencer = Sequencer(ORIGIN)
        return [sequencer.stamp(quote)[1] for quote in await self.until(one, count)], sequencer


def clock(quote: Quote) -> tuple[str, str]:
    day, second, _ = to_shanghai(quote.ts_exchange_ns)
    return day, f"{second // 3600:02}:{second // 60 % 60:02}"


async def test_ticks_as_they_should_not_be_are_set_right_or_flagged(sink: Any) -> None:
    async with (
        counter(market="simulated", instruments=100_000, rate=400.0, day=DAY) as running,
        open_feed(running, sink, PATIENT) as feed,
    ):
        watching = Watching(running, feed, sink)
        await a_stale_snapshot(watching)
        await ticks_before_the_opening_and_after_the_close(watching)
        await a_volume_that_begins_anew(watching)
        await times_that_do_not_move(watching)
        await ticks_that_come_twice(watching)
        await limits_that_are_missing(watching)
        await a_record_that_is_none(watching, sink)
        assert sink.states[-1] == "ready"
        assert len(sink.states) == 2, "one session for all of it"


async def a_stale_snapshot(watching: Watching) -> None:
    async with watching.one("SHFE", "stale_snapshot") as one:
        ticks, _ = await watching.ticks(one, 3)
        first, second, third = ticks[:3]
        assert (first.trading_day, clock(watching.quotes(one)[0])) == (DAY_BEFORE, (DAY_BEFORE, "15:00"))
        assert "snapshot" in first.flags
        assert (second.trading_day, second.flags, second.volume_delta) == (DAY, ("reset",), 0)
        assert (third.flags, third.volume_delta) == ((), third.volume - second.volume)


async def ticks_before_the_opening_and_after_the_close(watching: Watching) -> None:
    async with watching.one("DCE", "early_ticks", "late_ticks") as one:
        odd = {clock(quote)[1]: quote.flags for quote in (await watching.until(one, 4))[1:4]}
        assert odd == {"08:30": ("out_of_session",), "08:59": ("auction",), "15:20": ("out_of_session",)}


async def a_volume_that_begins_anew(watching: Watching) -> None:
    async with watching.one("INE", "volume_reset") as one:
        ticks, _ = await watching.ticks(one, 40)
        back = [later for earlier, later in pairwise(ticks) if later.volume < earlier.volume]
        assert back, "a volume went back"
        assert all(tick.flags == ("reset",) for tick in back)
        assert all(tick.volume_delta >= 0 for tick in ticks)


async def times_that_do_not_move(watching: Watching) -> None:
    async with watching.one("CZCE", "repeated_time") as one:
        ticks, sequencer = await watching.ticks(one, 20)
        assert len({tick.ts_exchange_ns for tick in ticks[1:]}) == 1
        assert [tick.sequence for tick in ticks] == list(range(1, len(ticks) + 1))
        assert sequencer.stale == 0, "none of them is late"


async def ticks_that_come_twice(watching: Watching) -> None:
    async with watching.one("GFEX", "repeated_ticks") as one:
        ticks, sequencer = await watching.ticks(one, 21)
        assert sequencer.duplicates >= 9, "known to be such"
        assert sum(tick.volume_delta for tick in ticks) == ticks[-1].volume - ticks[0].volume


async def limits_that_are_missing(watching: Watching) -> None:
    """DBL_MAX, which vnpy's own gateway passes on."""
    async with watching.one("CFFEX") as one:
        await watching.until(one, 1)
        await watching.control.send("tick", symbol=one.symbol, upper_limit_price=None, lower_limit_price=None)
        await watching._sink.until(lambda: any(quote.upper_limit_price is None for quote in watching.quotes(one)))
        missing = next(quote for quote in watching.quotes(one) if quote.upper_limit_price is None)
        assert missing.lower_limit_price is None
        assert missing.open_interest > 0, "the rest of it came"


async def a_record_that_is_none(watching: Watching, sink: Any) -> None:
    async with watching.one("SHFE") as one:
        await watching.until(one, 1)
        await watching.control.send("tick", symbol=one.symbol, volume=-5)
        await sink.until(lambda: bool(sink.rejections))
        assert sink.rejections == [("malformed_row", "Volume is -5")]
        assert sink.rejected_of == {one: 1}
        await watching.until(one, len(watching.quotes(one)) + 3)


async def test_a_session_in_front_of_which_too_much_waits_is_replaced_at_once(sink: Any) -> None:
    """Without a gate its wrapper's queue has no bound, and nothing empties it but the end of its process."""
    async with counter(instruments=500, rate=1.0) as running:
        start = start_at(running.access, most_waiting=1 << 20, gated=False)
        async with open_feed(running, sink, PATIENT, start) as feed:
            first = feed.session_pid
            await all_of(feed)
            await running.control.send("rate", rate=200_000)
            await sink.until(said(sink, "wait in the wrapper's queue"))
            await running.control.send("rate", rate=1.0)
            await until_ready_again(sink)
            assert feed.session_pid != first
            assert figure(feed, "failed_sessions_total", kind="overload") >= 1
            assert figure(feed, "killed_sessions_total") == 0, "it has ended by itself"
