"""The simulated market as a feed: what only it promises. The rest is the contract of all feeds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest
from own_time import stand_still

from aegis.contracts.market import InstrumentId, Quote
from aegis.marketdata.adapters.simulated import SimulatedFeed, SimulatedOptions
from aegis.marketdata.adapters.simulated import feed as module
from aegis.marketdata.adapters.simulated.market import SLOT_NS, Market
from aegis_sdk.errors import ConfigurationError, ConnectionUnavailable

pytestmark = pytest.mark.own_time

RB = InstrumentId("SHFE", "rb2505")
AU = InstrumentId("SHFE", "au2502")
IF = InstrumentId("CFFEX", "IF2501")


@pytest.fixture
async def opened(sink: Any) -> AsyncIterator[Callable[..., Any]]:
    feeds: list[SimulatedFeed] = []

    async def open_feed(**options: Any) -> SimulatedFeed:
        feeds.append(SimulatedFeed(SimulatedOptions(**{"start_day": "20250102", **options})))
        await feeds[-1].open(sink)
        return feeds[-1]

    yield open_feed
    for feed in feeds:
        await feed.close()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"rate": 0}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"speed": -1}, "speed"),
        ({"speed": float("nan")}, "speed"),
        ({"start_day": "2025-01-02"}, "start_day"),
        ({"start_day": "20250230"}, "start_day"),
        ({"wall_clock": True, "rate": 10}, "wall_clock"),
        ({"wall_clock": True, "speed": 2}, "wall_clock"),
        ({"wall_clock": True, "start_day": "20250102"}, "wall_clock"),
    ],
)
def test_contradictory_options_are_refused_by_name(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        SimulatedOptions(**options)
    assert refused.value.field == field


async def test_a_feed_that_is_not_open_takes_no_subscription() -> None:
    with pytest.raises(ConnectionUnavailable):
        await SimulatedFeed().subscribe([RB])


async def test_each_subscription_begins_with_a_snapshot(opened: Any, sink: Any) -> None:
    feed = await opened()
    await feed.subscribe([RB, IF])
    first, second, *_ = await sink.until_quotes(2)
    assert (first.symbol, first.flags) == ("rb2505", ("snapshot",))
    assert (second.symbol, second.flags) == ("IF2501", ("snapshot", "out_of_session"))  # it opens at 09:29
    assert first.last_price is None
    await feed.subscribe([AU])
    await sink.until(lambda: any(quote.symbol == "au2502" for quote in sink.quotes))
    assert next(quote for quote in sink.quotes if quote.symbol == "au2502").flags == ("snapshot",)


async def test_an_instrument_unsubscribed_at_once_sends_no_snapshot(opened: Any, sink: Any) -> None:
    feed = await opened(rate=1_000)
    await feed.subscribe([RB, IF])
    await feed.unsubscribe([RB])
    await sink.until_quotes(2)
    assert {quote.symbol for quote in sink.quotes} == {"IF2501"}


async def test_time_stands_while_nothing_is_subscribed_and_goes_on_in_a_new_session(opened: Any, sink: Any) -> None:
    feed = await opened(rate=1_000)
    await feed.subscribe([RB])
    before = (await sink.until_quotes(100))[-1]
    await feed.close()
    await feed.open(sink)
    seen = len(sink.quotes)
    await feed.subscribe([RB])
    await sink.until_quotes(seen + 1)
    after = sink.quotes[seen]
    last = sink.quotes[seen - 1]
    assert (after.trading_day, after.volume) == (last.trading_day, last.volume)
    assert before.ts_exchange_ns <= last.ts_exchange_ns <= after.ts_exchange_ns
    assert after.ts_exchange_ns - last.ts_exchange_ns < 500_000_000


async def test_a_rate_is_kept_in_real_time(opened: Any, sink: Any) -> None:
    feed = await opened(rate=2_000)
    await feed.subscribe([RB, AU, IF])
    begun = time.monotonic()
    await sink.until_quotes(1_000)
    assert 0.48 < time.monotonic() - begun < 0.52


async def test_the_feed_sleeps_between_its_turns(opened: Any, sink: Any) -> None:
    turns = 0

    async def room() -> None:
        nonlocal turns
        turns += 1

    sink.room = room
    feed = await opened(rate=1_000)
    await feed.subscribe([RB])
    await sink.until_quotes(300)
    assert turns <= 60


async def test_the_market_can_run_faster_than_time(opened: Any, sink: Any) -> None:
    feed = await opened(rate=100, speed=50)
    await feed.subscribe([RB])
    begun = time.monotonic()
    quotes = await sink.until_quotes(1_000)
    assert quotes[999].ts_exchange_ns - quotes[1].ts_exchange_ns > 9.9e9
    assert time.monotonic() - begun < 0.25


async def test_speed_zero_is_as_fast_as_the_sink_has_room(opened: Any, sink: Any) -> None:
    feed = await opened(speed=0)
    await feed.subscribe([RB, AU, IF])
    await sink.until_quotes(10_000)


async def test_a_sink_without_room_holds_the_feed(opened: Any, sink: Any) -> None:
    """A slice may be on its way; after it there is nothing until there is room."""
    feed = await opened(speed=0)
    await feed.subscribe([RB, AU, IF])
    await sink.until_quotes(100)
    sink.has_room.clear()
    seen = len(sink.quotes)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(sink.quotes) == seen
    sink.has_room.set()
    await sink.until_quotes(seen + 100)


async def test_a_long_pause_is_not_made_up_for(opened: Any, sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the machine slept: the market goes on from where it was, it does not race."""
    monkeypatch.setattr(module, "_FORGIVEN_S", 0.05)
    feed = await opened(rate=1_000)
    await feed.subscribe([RB])
    await sink.until_quotes(10)
    stopped = len(sink.quotes)
    stand_still(0.4)
    resumed = time.monotonic()
    await sink.until_quotes(stopped + 300)
    assert time.monotonic() - resumed > 0.29


async def test_by_the_wall_clock_quotes_bear_the_real_time(sink: Any) -> None:
    """At any hour: in session as they come, otherwise as the snapshot only."""
    feed = SimulatedFeed(SimulatedOptions(wall_clock=True))
    await feed.open(sink)
    await feed.subscribe([(await feed.instruments())[0].id])
    quote = (await sink.until_quotes(1))[0]
    assert abs(quote.ts_exchange_ns - quote.ts_received_ns) < 10_000_000_000
    await feed.close()


async def test_by_the_wall_clock_the_time_without_a_subscription_is_skipped(sink: Any) -> None:
    feed = SimulatedFeed(SimulatedOptions(wall_clock=True))
    await feed.open(sink)
    stand_still(3600)
    await feed.subscribe([(await feed.instruments())[0].id])
    quote = (await sink.until_quotes(1))[0]
    assert abs(quote.ts_exchange_ns - quote.ts_received_ns) < 10_000_000_000
    await feed.close()


async def test_at_its_own_pace_it_turns_once_for_each_moment_at_which_anything_is_quoted(
    opened: Any, sink: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that moment has come then: no quote waits for another turn."""
    turns: list[int] = []
    step = Market.step

    def watched(market: Market, until_ns: int, received_ns: int) -> list[Quote]:
        turns.append(until_ns)
        return step(market, until_ns, received_ns)

    monkeypatch.setattr(Market, "step", watched)
    feed = await opened()
    await feed.subscribe([RB, AU])
    await sink.until_quotes(20)
    passed = [until_ns - before_ns for before_ns, until_ns in pairwise(turns[1:])]
    assert len(passed) > 50
    assert min(passed) > 0.9 * SLOT_NS
    assert max(until_ns % SLOT_NS for until_ns in turns[1:]) < 3_000_000


async def test_who_subscribes_to_a_slow_market_has_a_snapshot_at_once(opened: Any, sink: Any) -> None:
    feed = await opened(rate=0.1)
    await feed.subscribe([RB])
    await sink.until_quotes(1)
    began = time.monotonic()
    await feed.subscribe([AU])
    await sink.until_quotes(2)
    assert time.monotonic() - began < 0.05
