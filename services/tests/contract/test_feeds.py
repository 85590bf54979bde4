"""What every Feed promises, run over each of them.

A feed is added by its factory in `FEEDS`. It must offer a few hundred quotes of at least five instruments within
seconds, several of each of the first five.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ctp_counter import shared_counter, start_at

from aegis.contracts.market import InstrumentId, Quote
from aegis.ctp.attempts import Patience
from aegis.exchanges.sessions import to_shanghai
from aegis.marketdata.adapters.ctp import CtpFeed, CtpOptions
from aegis.marketdata.adapters.replay import ReplayFeed, ReplayOptions
from aegis.marketdata.adapters.simulated import SimulatedFeed, SimulatedOptions
from aegis.marketdata.ports import Feed, FeedState
from aegis.operations.counter import is_built
from aegis_sdk.errors import AegisError, ConnectionUnavailable

CTP = CtpOptions(patience=Patience(first_pause_s=0.05))


async def kill_session(feed: CtpFeed) -> None:
    assert feed.session_pid is not None
    os.kill(feed.session_pid, signal.SIGKILL)


RECORDED_ROWS = 10_000  # enough not to end within a test


def a_recording(path: Path) -> Path:
    """Five instruments in turn, two ticks a second each."""
    rows = ["TradingDay,InstrumentID,ExchangeID,LastPrice,Volume,Turnover,OpenInterest,UpdateTime,UpdateMillisec,"]
    rows[0] += "BidPrice1,BidVolume1,AskPrice1,AskVolume1"
    for number in range(RECORDED_ROWS):
        step, month = divmod(number, 5)
        minute, half_second = divmod(step, 120)
        clock = f"09:{minute:02}:{half_second // 2:02},{half_second % 2 * 500}"
        price, volume = 3700 + step % 7, step * 2
        turnover = volume * 37_000
        rows.append(
            f"20250102,rb25{month + 5:02},SHFE,{price},{volume},{turnover},1000,{clock},{price - 1},3,{price + 1},4"
        )
    path.write_text("\n".join(rows))
    return path


FEEDS: dict[str, Callable[[Path], Feed]] = {
    "replay": lambda directory: ReplayFeed(ReplayOptions(path=a_recording(directory / "ticks.csv"), speed=0)),
    "simulated": lambda _: SimulatedFeed(SimulatedOptions(rate=2_000, start_day="20250102")),
}
"""Makes a feed, given a directory of the test's own."""

if is_built():
    FEEDS["ctp"] = lambda _: CtpFeed("ctp", "test", "sim", start_at(shared_counter()), CTP)
elif shutil.which("c++"):
    raise RuntimeError("CTP can be built here, and is not: make setup")

LOSE_SESSION: dict[str, Callable[[Any], Awaitable[None]]] = {
    "simulated": lambda feed: feed.renew(),
    "ctp": lambda feed: kill_session(feed),
}
"""Makes an open feed lose its session and have another one; a feed that is not here has a single session."""

NOWHERE = InstrumentId("SHFE", "xx9912")


@pytest.fixture(params=sorted(FEEDS))
async def feeds(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Feed, Feed]]:
    """Two alike, neither open."""
    made = FEEDS[request.param](tmp_path), FEEDS[request.param](tmp_path)
    yield made
    for one in made:
        await one.close()


@pytest.fixture
def feed(feeds: tuple[Feed, Feed]) -> Feed:
    return feeds[0]


async def some_instruments(feed: Feed, count: int = 5) -> list[InstrumentId]:
    return [instrument.id for instrument in await feed.instruments()][:count]


def by_instrument(quotes: Iterable[Quote]) -> dict[InstrumentId, list[Quote]]:
    sorted_out: dict[InstrumentId, list[Quote]] = defaultdict(list)
    for quote in quotes:
        sorted_out[InstrumentId(quote.exchange, quote.symbol)].append(quote)
    return sorted_out


async def quotes_of(feed: Feed, sink: Any, count: int = 200) -> list[Quote]:
    await feed.open(sink)
    await feed.subscribe(await some_instruments(feed))
    return await sink.until_quotes(count)


async def test_it_is_ready_when_open_returns(feed: Feed, sink: Any) -> None:
    await feed.open(sink)
    assert sink.states == [FeedState.CONNECTING, FeedState.READY]
    assert feed.session
    assert feed.source
    assert feed.env in ("sim", "live")


async def test_it_knows_its_instruments_once_it_is_ready(feed: Feed, sink: Any) -> None:
    await feed.open(sink)
    instruments = await feed.instruments()
    assert len({instrument.id for instrument in instruments}) == len(instruments) >= 5
    assert all(instrument.multiplier and instrument.price_tick for instrument in instruments)


async def test_nothing_comes_before_a_subscription_and_then_only_what_is_subscribed(feed: Feed, sink: Any) -> None:
    await feed.open(sink)
    wanted = (await some_instruments(feed))[1:4]
    assert sink.quotes == []
    await feed.subscribe(wanted)
    await sink.until(lambda: set(by_instrument(sink.quotes)) >= set(wanted))
    assert set(by_instrument(sink.quotes)) == set(wanted)


async def test_unknown_instruments_are_returned_and_the_others_subscribed(feed: Feed, sink: Any) -> None:
    await feed.open(sink)
    one = (await some_instruments(feed))[0]
    assert list(await feed.subscribe([NOWHERE, one])) == [NOWHERE]
    await sink.until_quotes(1)
    assert set(by_instrument(sink.quotes)) == {one}


async def test_subscribing_again_changes_nothing(feed: Feed, sink: Any) -> None:
    await feed.open(sink)
    wanted = await some_instruments(feed)
    assert list(await feed.subscribe(wanted)) == []
    await sink.until_quotes(20)
    assert list(await feed.subscribe(wanted)) == []
    await feed.unsubscribe(wanted[1:])
    seen = len(sink.quotes)
    await sink.until_quotes(seen + 3)
    assert set(by_instrument(sink.quotes[seen:])) == {wanted[0]}
    assert sum("snapshot" in quote.flags for quote in sink.quotes) <= len(wanted)


async def test_an_instrument_that_is_subscribed_again_begins_with_its_state(
    feed: Feed, sink: Any, request: pytest.FixtureRequest
) -> None:
    """It may be hours old: whoever reads the clock of the market from it must know."""
    if request.node.callspec.params["feeds"] == "replay":
        pytest.skip("a replay goes on where it is, and sends no state")
    await feed.open(sink)
    kept, again, *_ = await some_instruments(feed)
    await feed.subscribe([kept, again])
    await sink.until(lambda: len(by_instrument(sink.quotes)[again]) > 1)
    await feed.unsubscribe([again])
    seen = len(sink.quotes)
    await sink.until_quotes(seen + 3)
    await feed.subscribe([again])
    await sink.until(lambda: len(by_instrument(sink.quotes[seen:])[again]) > 1)
    first, second, *_ = by_instrument(sink.quotes[seen:])[again]
    assert ("snapshot" in first.flags, "snapshot" in second.flags) == (True, False)


async def test_subscriptions_of_several_calls_add_up(feed: Feed, sink: Any) -> None:
    await feed.open(sink)
    first, second, third = await some_instruments(feed, 3)
    for batch in ([first], [second], [third]):
        assert list(await feed.subscribe(batch)) == []
    await sink.until(lambda: set(by_instrument(sink.quotes)) == {first, second, third})


async def test_the_instruments_of_a_session_stay_the_same_whatever_is_subscribed(feed: Feed, sink: Any) -> None:
    await feed.open(sink)
    before = [instrument.id for instrument in await feed.instruments()]
    await feed.subscribe(before[:3])
    await feed.unsubscribe(before[:1])
    assert [instrument.id for instrument in await feed.instruments()] == before


async def test_no_quote_comes_after_unsubscribe_returned(feed: Feed, sink: Any) -> None:
    await feed.open(sink)
    kept, dropped, *_ = await some_instruments(feed)
    await feed.subscribe([kept, dropped])
    await sink.until(lambda: set(by_instrument(sink.quotes)) == {kept, dropped})
    await feed.unsubscribe([dropped, NOWHERE])
    seen = len(sink.quotes)
    await sink.until_quotes(seen + 3)
    assert set(by_instrument(sink.quotes[seen:])) == {kept}


async def test_volume_and_turnover_never_go_back_within_a_trading_day(feed: Feed, sink: Any) -> None:
    days: dict[tuple[str, str], list[Quote]] = defaultdict(list)
    for quote in await quotes_of(feed, sink):
        days[quote.symbol, quote.trading_day].append(quote)
    for quotes in days.values():
        for earlier, later in pairwise(quotes):
            assert later.volume >= earlier.volume
            assert later.turnover >= earlier.turnover


async def test_the_quotes_of_an_instrument_come_in_the_order_of_their_times(feed: Feed, sink: Any) -> None:
    for quotes in by_instrument(await quotes_of(feed, sink)).values():
        for earlier, later in pairwise(quotes):
            assert later.ts_exchange_ns >= earlier.ts_exchange_ns
            assert later.ts_received_ns >= earlier.ts_received_ns


async def test_times_are_utc_nanoseconds_and_days_are_those_of_the_exchange(feed: Feed, sink: Any) -> None:
    begun_ns = time.time_ns()
    for quote in await quotes_of(feed, sink):
        assert begun_ns <= quote.ts_received_ns <= time.time_ns()
        assert to_shanghai(quote.ts_exchange_ns)[0] == quote.action_day
        assert len(quote.trading_day) == 8


async def test_a_price_that_is_not_there_is_none(feed: Feed, sink: Any) -> None:
    for quote in await quotes_of(feed, sink):
        for price in (
            *(quote.last_price, quote.open_price, quote.high_price, quote.low_price, quote.settlement_price),
            *(quote.pre_close_price, quote.pre_settlement_price, quote.upper_limit_price, quote.lower_limit_price),
        ):
            assert price is None or 0 < price < 1e9
        if quote.volume:
            assert quote.last_price is not None


async def test_books_are_sorted_and_have_at_most_five_levels(feed: Feed, sink: Any) -> None:
    for quote in await quotes_of(feed, sink):
        bids, asks = [level.price for level in quote.bids], [level.price for level in quote.asks]
        assert len(bids) <= 5 >= len(asks)
        assert bids == sorted(set(bids), reverse=True)
        assert asks == sorted(set(asks))
        assert all(level.price > 0 and level.size > 0 for level in quote.bids + quote.asks)


async def test_no_quote_comes_after_close_returned(feeds: tuple[Feed, Feed], sink: Any) -> None:
    """Time enough passes for it: that in which another one offers a hundred."""
    feed, another = feeds
    await quotes_of(feed, sink, 20)
    await feed.close()
    seen = len(sink.quotes)
    assert sink.states[-1] == FeedState.CLOSED
    await quotes_of(another, type(sink)(), 100)
    assert len(sink.quotes) == seen


async def test_closing_twice_is_fine(feed: Feed, sink: Any) -> None:
    await feed.open(sink)
    await feed.close()
    await feed.close()
    assert sink.states.count(FeedState.CLOSED) == 1


async def test_close_leaves_no_task_behind(feed: Feed, sink: Any) -> None:
    before = asyncio.all_tasks()
    await quotes_of(feed, sink, 20)
    await feed.close()
    assert asyncio.all_tasks() <= before


async def test_a_feed_that_was_never_open_can_be_closed(feed: Feed, sink: Any) -> None:
    await feed.close()


async def test_there_is_one_session_at_a_time(feed: Feed, sink: Any) -> None:
    await feed.open(sink)
    session = feed.session
    with pytest.raises(AegisError):
        await feed.open(sink)
    assert feed.session == session
    assert sink.states == [FeedState.CONNECTING, FeedState.READY]


async def test_opening_again_begins_a_new_session_without_subscriptions(feed: Feed, sink: Any) -> None:
    await quotes_of(feed, sink, 20)
    first = feed.session
    await feed.close()
    seen = len(sink.quotes)
    await feed.open(sink)
    assert feed.session != first
    last = (await some_instruments(feed))[-1]
    await feed.subscribe([last])
    await sink.until_quotes(seen + 3)
    assert set(by_instrument(sink.quotes[seen:])) == {last}


async def test_a_lost_session_is_told_and_nothing_is_subscribed_in_the_next_one(
    feed: Feed, sink: Any, request: pytest.FixtureRequest
) -> None:
    lose_session = LOSE_SESSION.get(request.node.callspec.params["feeds"])
    if lose_session is None:
        pytest.skip("this feed has a single session")
    await quotes_of(feed, sink, 20)
    first = feed.session
    await lose_session(feed)
    await sink.until(lambda: sink.states[-2:] == [FeedState.CONNECTING, FeedState.READY] and len(sink.states) == 4)
    assert feed.session != first
    seen = sink.quotes_before[-2]  # when it was told that the session is lost
    last = (await some_instruments(feed))[-1]
    assert list(await feed.subscribe([last])) == []
    await sink.until_quotes(seen + 3)
    assert set(by_instrument(sink.quotes[seen:])) == {last}


async def test_a_sink_that_raises_fails_the_feed_loudly(feed: Feed, sink: Any) -> None:
    def refuse(quote: Quote) -> None:
        raise RuntimeError("the sink is broken")

    sink.offer = refuse
    await feed.open(sink)
    with suppress(ConnectionUnavailable):  # it may have ended before all was answered
        await feed.subscribe(await some_instruments(feed))
    await sink.until(lambda: FeedState.FAILED in sink.states)
    assert "the sink is broken" in sink.reasons[-1]
    await feed.close()
