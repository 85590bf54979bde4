"""What the CTP feed says of a simulated counter's contracts and ticks, on the unmodified wrappers of vnpy_ctp."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

import pytest
from ctp_counter import quiet_counter
from ctp_feed_stage import all_of, counter, open_feed

from aegis.contracts.market import InstrumentId
from aegis.marketdata.adapters.ctp import CtpOptions
from aegis.marketdata.ports import FeedState
from aegis.operations.counter import is_built
from ctpsim.market.universe import listed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]


async def test_instruments_that_are_none_of_ours_are_told_and_the_others_used(sink: Any) -> None:
    async with (
        quiet_counter("unknown_exchange", "broken_text") as running,
        open_feed(running, sink) as feed,
    ):
        instruments = await feed.instruments()
        assert len(instruments) >= 40
        assert [one.name for one in instruments] == [one.symbol for one in instruments], "what is no text is no name"
        await sink.until(lambda: any(reason == "unknown_exchange" for reason, _ in sink.rejections))


async def test_names_are_what_the_counter_says(sink: Any) -> None:
    everything = counter(universe="all", instruments=100_000)
    async with everything as running, open_feed(running, sink, CtpOptions()) as feed:
        names = {one.symbol: one.name for one in await feed.instruments()}
    assert names["rb2505"] == "螺纹钢2505"
    assert names == {one.symbol: one.instrument.name for one in listed("20250102", "all").values()}


async def test_a_price_that_is_missing_is_none(sink: Any) -> None:
    async with (
        counter(market="simulated", instruments=100_000, rate=500.0, faults=("missing_prices",)) as running,
        open_feed(running, sink) as feed,
    ):
        await all_of(feed)
        await sink.until_quotes(200)
    for quote in sink.quotes:
        assert quote.settlement_price is None is quote.pre_close_price
        assert quote.bids == quote.asks == ()


async def test_milliseconds_are_what_they_say(sink: Any) -> None:
    async with counter(market="simulated", instruments=100_000, rate=None) as running, open_feed(running, sink) as feed:
        one = next(each for each in await feed.instruments() if each.exchange == "SHFE")
        await feed.subscribe([one.id])
        await sink.until_quotes(1)
        for seconds, millisecond in enumerate((5, 50, 500), start=2):
            at_ns = (sink.quotes[0].ts_exchange_ns // 10**9 + seconds) * 10**9 + millisecond * 10**6
            await running.control.send("tick", symbol=one.symbol, ts_exchange_ns=at_ns)
            await sink.until(lambda at_ns=at_ns: any(quote.ts_exchange_ns == at_ns for quote in sink.quotes))


async def test_symbols_that_no_field_holds_are_not_asked_for(sink: Any) -> None:
    """The wrapper copies them unchecked: a long one would end the process."""
    async with quiet_counter() as running, open_feed(running, sink) as feed:
        long = InstrumentId("SHFE", "x" * 400)
        assert list(await feed.subscribe([long])) == [long]
        feed._require_ready()._ask([long.symbol])  # as if it were known
        await all_of(feed)
        await sink.until_quotes(50)
        assert sink.states == [FeedState.CONNECTING, FeedState.READY]


async def test_what_ctp_does_not_take_now_is_asked_again_until_all_is_subscribed(sink: Any) -> None:
    """Two requests a second: the query of all contracts comes third, and so does the second subscription."""
    few = counter(instruments=4, limits={"requests_per_s": 2, "query_interval_ms": 0})
    async with asyncio.timeout(30), few as running, open_feed(running, sink) as feed:
        assert sink.states == [FeedState.CONNECTING, FeedState.READY]
        await running.control.fault("answer@market=-2")
        subscribing = asyncio.create_task(all_of(feed))
        await asyncio.sleep(0.2)  # that nothing happens has no event
        assert not subscribing.done()
        await running.control.clear()
        wanted = await subscribing
        await sink.until(lambda: {quote.symbol for quote in sink.quotes} == {one.symbol for one in wanted})


async def test_what_the_front_refuses_is_refused_with_its_reason_and_may_be_asked_for_again(sink: Any) -> None:
    async with quiet_counter() as running, open_feed(running, sink) as feed:
        one, other = [each.id for each in await feed.instruments()][:2]
        await running.control.fault("subscribe_error")
        refused = await feed.subscribe([one])
        assert "error 16" in str(refused[one])
        assert ("subscription_refused", one.symbol) in [(why, what.partition(":")[0]) for why, what in sink.rejections]
        await running.control.clear()
        assert await feed.subscribe([one, other]) == {}
        await sink.until(lambda: {quote.symbol for quote in sink.quotes} == {one.symbol, other.symbol})
