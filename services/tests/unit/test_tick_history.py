"""Stored ticks from a position on, over a broker in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from samples import TICK
from slow_reader import Behind

from aegis import tick_history
from aegis.contracts.tick_codec import MSGPACK
from aegis.marketdata.adapters.bus import ticks_stream
from aegis.tick_history import PositionGone, TickHistory, follow_ticks
from aegis_sdk import subjects
from aegis_sdk.errors import ConfigurationError, StreamError
from aegis_sdk.transport import Transport
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


class Market:
    """A feed's side of the broker, and the consumer's connection."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.feed = MemoryTransport(self.broker)
        self.desk = MemoryTransport(self.broker)

    def publish(self, *sequences: int, symbol: str = "rb2505", epoch: int = 1, feed: str = "main") -> None:
        for sequence in sequences:
            tick = replace(TICK, symbol=symbol, sequence=sequence, epoch=epoch, feed=feed)
            self.feed.publish(subjects.tick("SHFE", symbol), MSGPACK.encode(tick), MSGPACK.headers)

    def mark(self, epoch: int) -> None:
        self.feed.publish(subjects.tick_marker("main"), b'{"feed": "main", "epoch": %d, "ticks": 0}' % epoch)


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    market = Market()
    await market.feed.ensure_stream(ticks_stream())
    yield market
    await market.feed.close()
    await market.desk.close()


async def take(ticks: TickHistory, count: int) -> list[tuple[int, str, int]]:
    async with asyncio.timeout(30):
        found = [await anext(ticks) for _ in range(count)]
    return [(position, tick.symbol, tick.sequence) for position, tick in found]


async def test_who_comes_back_gets_all_that_was_stored_meanwhile_and_then_what_comes(market: Market) -> None:
    market.publish(1, 2, 3)
    async with follow_ticks(market.desk, after=0) as ticks:
        *_, (position, _, _) = await take(ticks, 2)
    market.publish(4)
    market.publish(1, symbol="ag2506")
    async with follow_ticks(market.desk, after=position) as ticks:
        assert await take(ticks, 3) == [(3, "rb2505", 3), (4, "rb2505", 4), (5, "ag2506", 1)]
        market.publish(5)
        assert await take(ticks, 1) == [(6, "rb2505", 5)]
        assert ticks.caught_up


async def test_a_new_one_begins_with_the_latest_of_each(market: Market) -> None:
    market.publish(1, 2, 3)
    market.publish(1, symbol="ag2506")
    async with follow_ticks(market.desk) as ticks:
        assert await take(ticks, 2) == [(3, "rb2505", 3), (4, "ag2506", 1)]


async def test_the_past_is_not_over_before_a_node_that_is_behind_has_told_it(market: Market) -> None:
    market.publish(1)
    market.mark(1)
    desk = Behind(market.broker)
    async with follow_ticks(desk, after=0) as ticks:
        taking = asyncio.create_task(take(ticks, 2))
        await desk.paused.wait()
        assert not ticks.caught_up
        desk.catches_up.set()
        market.publish(2)
        assert [sequence for _, _, sequence in await taking] == [1, 2]
        assert ticks.caught_up
    await desk.close()


async def test_an_outage_leaves_nothing_out(market: Market) -> None:
    async with follow_ticks(market.desk, after=0) as ticks:
        market.publish(1)
        assert await take(ticks, 1) == [(1, "rb2505", 1)]
        market.broker.disconnect(market.desk)
        market.publish(2, 3)
        market.broker.reconnect(market.desk)
        assert await take(ticks, 2) == [(2, "rb2505", 2), (3, "rb2505", 3)]


async def test_patterns_that_overlap_deliver_once_and_only_what_is_asked_for(market: Market) -> None:
    market.publish(1)
    market.publish(1, symbol="ag2506")
    async with follow_ticks(market.desk, "SHFE.rb2505", "SHFE.rb2505", "DCE.*", after=0) as ticks:
        market.publish(2)
        assert await take(ticks, 2) == [(1, "rb2505", 1), (3, "rb2505", 2)]
    async with follow_ticks(market.desk, "SHFE.rb2505", "SHFE.*", "*.*", after=0) as ticks:
        assert await take(ticks, 3) == [(1, "rb2505", 1), (2, "ag2506", 1), (3, "rb2505", 2)]


async def test_what_a_deposed_feed_stored_late_is_void_by_tick_and_by_marker(market: Market) -> None:
    market.publish(7)
    market.mark(2)
    market.publish(8)
    market.publish(1, feed="second")
    market.publish(1, epoch=3, symbol="ag2506")
    market.publish(1, epoch=2)
    market.publish(1, epoch=3)
    async with follow_ticks(market.desk, "SHFE.*", after=0) as ticks:
        assert await take(ticks, 4) == [(1, "rb2505", 7), (4, "rb2505", 1), (5, "ag2506", 1), (7, "rb2505", 1)]
        assert (ticks.stale, ticks.malformed) == (2, 0)


async def test_what_the_holder_of_a_later_epoch_stored_for_a_deposed_feed_is_good(market: Market) -> None:
    market.publish(7)
    market.mark(2)
    late = MSGPACK.encode(replace(TICK, sequence=8, epoch=1))
    market.feed.publish("tickstore.SHFE.rb2505", late, {**MSGPACK.headers, "Aegis-Epoch": "2"})
    market.publish(9)
    market.publish(1, epoch=2)
    async with follow_ticks(market.desk, after=0) as ticks:
        assert await take(ticks, 3) == [(1, "rb2505", 7), (3, "rb2505", 8), (5, "rb2505", 1)]
        assert ticks.stale == 1


async def test_who_comes_back_knows_the_epoch_that_it_had_come_to(market: Market) -> None:
    market.publish(1, epoch=2)
    market.publish(9, epoch=1)
    market.publish(2, epoch=2)
    async with follow_ticks(market.desk, after=1) as ticks:
        assert await take(ticks, 1) == [(3, "rb2505", 2)]
        assert ticks.stale == 1


async def test_what_is_no_tick_is_counted_and_skipped(market: Market) -> None:
    market.feed.publish("tick.SHFE.bad", b"{")
    market.feed.publish("tickmark.main", b"[]")
    market.publish(1)
    async with follow_ticks(market.desk, after=0) as ticks:
        assert await take(ticks, 1) == [(3, "rb2505", 1)]
        assert ticks.malformed == 2


async def test_a_position_whose_ticks_were_discarded_is_told(market: Market) -> None:
    market.publish(*range(1, 7))
    await market.feed.purge("TICKS", "tick.>", 4)
    with pytest.raises(PositionGone) as gone:
        async with follow_ticks(market.desk, after=2):
            pass
    assert (gone.value.after, gone.value.first) == (2, 4)
    async with follow_ticks(market.desk, after=3) as ticks:
        assert await take(ticks, 1) == [(4, "rb2505", 4)]


async def test_a_position_of_another_stream_is_told_and_the_last_one_is_none(market: Market) -> None:
    market.publish(1, 2)
    with pytest.raises(PositionGone, match="goes on with 0"):
        async with follow_ticks(market.desk, after=3):
            pass
    async with follow_ticks(market.desk, after=2) as ticks:
        market.publish(3)
        assert await take(ticks, 1) == [(3, "rb2505", 3)]


async def test_a_gap_is_told_also_where_the_node_that_is_read_from_is_behind(market: Market) -> None:
    market.publish(*range(1, 7))
    await market.feed.purge("TICKS", "tick.>", 4)
    desk = Behind(market.broker)
    following = asyncio.create_task(follow_ticks(desk, after=2).__aenter__())
    async with asyncio.timeout(30):
        await desk.paused.wait()
    desk.catches_up.set()
    with pytest.raises(PositionGone, match="goes on with 4"):
        await following
    await desk.close()


async def test_of_a_stream_that_was_emptied_no_position_before_its_end_is_left(market: Market) -> None:
    market.publish(1, 2)
    await market.feed.purge("TICKS", "tick.>", 3)
    with pytest.raises(PositionGone, match="goes on with 3"):
        async with follow_ticks(market.desk, after=1):
            pass
    async with follow_ticks(market.desk, after=2) as ticks:
        market.publish(3)
        assert await take(ticks, 1) == [(3, "rb2505", 3)]


@pytest.mark.parametrize("after", [1, None])
async def test_who_falls_behind_by_more_than_the_stream_holds_is_told(
    market: Market, monkeypatch: pytest.MonkeyPatch, after: int | None
) -> None:
    monkeypatch.setattr("aegis.tick_history._CHECK_S", 0.001)
    looks: asyncio.Queue[int] = asyncio.Queue()
    check = tick_history._check

    async def checked(transport: Transport, position: int) -> None:
        await check(transport, position)
        looks.put_nowait(position)

    async def looked_at(position: int) -> None:
        for _ in range(looks.qsize()):
            looks.get_nowait()
        while await looks.get() != position:
            pass

    async def go_on(ticks: TickHistory) -> None:
        number = 6
        async for _ in ticks:
            market.publish(number := number + 1)

    monkeypatch.setattr(tick_history, "_check", checked)
    market.publish(1, 2)
    market.mark(1)
    async with asyncio.timeout(5), follow_ticks(market.desk, "SHFE.rb2505", after=after) as ticks:
        await take(ticks, 1)
        market.publish(3)
        assert await take(ticks, 1) == [(4, "rb2505", 3)]
        await looked_at(4)
        await market.feed.purge("TICKS", ">", 5)
        await looked_at(4)
        market.publish(4)
        assert await take(ticks, 1) == [(5, "rb2505", 4)], "what was read may go"
        await looked_at(5)
        market.publish(5, 6)
        await market.feed.purge("TICKS", ">", 7)
        with pytest.raises(PositionGone, match="behind position 5 are gone: the stream goes on with 7"):
            await go_on(ticks)


async def test_without_a_stream_or_with_a_pattern_that_is_none_it_is_refused() -> None:
    market = Market()
    with pytest.raises(StreamError):
        async with follow_ticks(market.desk):
            pass
    with pytest.raises(ConfigurationError):
        async with follow_ticks(market.desk, "SHFE"):
            pass
    await market.desk.close()
    await market.feed.close()
