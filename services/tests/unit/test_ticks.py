"""The tick subscription, over a broker in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest
from msgspec.structs import replace
from samples import TICK
from slow_reader import Behind
from structlog.testing import capture_logs

from aegis.contracts.tick_codec import JSON, MSGPACK, PICKLE
from aegis.marketdata.adapters.bus import ticks_stream
from aegis.ticks import TickOptions, TickSubscription, subscribe_ticks
from aegis_sdk import subjects
from aegis_sdk.errors import ConfigurationError, DeadlineExceeded, Unavailable
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

OPTIONS = TickOptions(settle_s=0.02, look_up_s=0.3)


class Market:
    """A feed's side of the broker, and the subscriber's connection."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.feed = MemoryTransport(self.broker)
        self.desk = MemoryTransport(self.broker)

    def publish(self, *sequences: int, symbol: str = "rb2505", exchange: str = "SHFE", epoch: int = 1) -> None:
        for sequence in sequences:
            tick = replace(TICK, exchange=exchange, symbol=symbol, sequence=sequence, epoch=epoch)
            self.feed.publish(subjects.tick(exchange, symbol), MSGPACK.encode(tick), MSGPACK.headers)

    def mark(self, epoch: int, feed: str = "main") -> None:
        body = b'{"feed": "%s", "epoch": %d, "ticks": 0, "instruments": {}}' % (feed.encode(), epoch)
        self.feed.publish(subjects.tick_marker(feed), body)


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    market = Market()
    await market.feed.ensure_stream(ticks_stream())
    yield market
    await market.feed.close()
    await market.desk.close()


async def take(ticks: TickSubscription, count: int) -> list[tuple[str, int]]:
    async with asyncio.timeout(30):
        return [(tick.symbol, tick.sequence) for tick in [await anext(ticks) for _ in range(count)]]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_the_latest_tick_of_each_instrument_comes_first_then_the_live_ones(market: Market) -> None:
    market.publish(1, 2, 3)
    market.publish(1, 2, symbol="SP m2505&m2509", exchange="CZCE")
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        assert sorted(await take(ticks, 2)) == [("SP m2505&m2509", 2), ("rb2505", 3)]
        market.publish(4, 5)
        assert await take(ticks, 2) == [("rb2505", 4), ("rb2505", 5)]


async def test_a_node_that_is_behind_the_leader_is_waited_for(market: Market) -> None:
    """It calls its end the end of the stream: what it lacks would come never, where the instrument is quiet."""
    market.publish(1, 2)
    desk = Behind(market.broker)
    async with subscribe_ticks(desk, options=OPTIONS) as ticks:
        snapshot = asyncio.create_task(ticks.snapshot())
        await desk.paused.wait()
        desk.catches_up.set()
        assert [tick.sequence for tick in (await snapshot).values()] == [2]
    await desk.close()


async def test_only_what_is_asked_for_comes(market: Market) -> None:
    market.publish(1)
    market.publish(1, symbol="ag2506")
    market.publish(1, symbol="SP m2505&m2509", exchange="CZCE")
    market.publish(1, symbol="cs2505", exchange="DCE")
    async with subscribe_ticks(market.desk, "SHFE.rb2505", "CZCE.SP m2505&m2509", options=OPTIONS) as ticks:
        assert sorted(await take(ticks, 2)) == [("SP m2505&m2509", 1), ("rb2505", 1)]
        market.publish(2, symbol="ag2506")
        market.publish(2)
        assert await take(ticks, 1) == [("rb2505", 2)]


async def test_patterns_that_overlap_deliver_once(market: Market) -> None:
    async with subscribe_ticks(market.desk, "*.*", "SHFE.*", "SHFE.rb2505", options=OPTIONS) as ticks:
        market.publish(1, 2, 3)
        assert await take(ticks, 3) == [("rb2505", 1), ("rb2505", 2), ("rb2505", 3)]
        await until(lambda: ticks.stats().seams == 1)
        assert ticks.stats().delivered == 3


@pytest.mark.parametrize("pattern", ["", "SHFE", ".rb2505", "SHFE.", "SH FE.rb2505"])
async def test_a_pattern_that_is_none_is_refused(market: Market, pattern: str) -> None:
    with pytest.raises(ConfigurationError):
        async with subscribe_ticks(market.desk, pattern):
            pass


async def test_a_function_gets_each_tick_at_once(market: Market) -> None:
    market.publish(1, 2)
    got: list[int] = []
    async with subscribe_ticks(market.desk, on_tick=lambda tick: got.append(tick.sequence), options=OPTIONS) as ticks:
        await until(lambda: got == [2])
        market.publish(3)
        await until(lambda: got == [2, 3])
        assert ticks.stats().waiting == 0


async def test_every_codec_is_understood_without_configuration(market: Market) -> None:
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        for sequence, codec in enumerate((JSON, MSGPACK, PICKLE, JSON), 1):
            payload = codec.encode(replace(TICK, sequence=sequence))
            market.feed.publish("tick.SHFE.rb2505", payload, codec.headers)
        assert await take(ticks, 3) == [("rb2505", 1), ("rb2505", 2), ("rb2505", 4)]
        assert ticks.stats().malformed == 1, "pickle is not allowed by default"


async def test_malformed_payloads_are_counted_and_skipped(market: Market) -> None:
    market.feed.publish("tick.SHFE.bad", b"{stored")
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        market.feed.publish("tick.SHFE.rb2505", b"{live")
        market.publish(1)
        assert await take(ticks, 1) == [("rb2505", 1)]
        await until(lambda: ticks.stats().malformed == 2)


async def test_a_consumer_that_is_too_slow_loses_the_oldest_and_it_is_counted(market: Market) -> None:
    options = TickOptions(queue=3, settle_s=0.01)
    with capture_logs() as logs:
        async with subscribe_ticks(market.desk, options=options) as ticks:
            market.publish(*range(1, 11))
            await until(lambda: ticks.stats().delivered == 10)
            assert (ticks.stats().waiting, ticks.stats().dropped) == (3, 7)
            assert await take(ticks, 3) == [("rb2505", 8), ("rb2505", 9), ("rb2505", 10)]
    told = [(entry["event"], entry["queue"]) for entry in logs]
    assert told == [("ticks_dropped", 3)], "once, not once a tick"


async def test_a_seam_that_is_not_filled_in_time_is_told_once_and_live_ticks_go_on(market: Market) -> None:
    """The stream stores nothing, while its leader is elected: 2 is published, and not stored yet."""
    market.publish(1)
    away = {**MSGPACK.headers, "Nats-Expected-Stream": "_"}
    with capture_logs() as logs:
        async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
            assert await take(ticks, 1) == [("rb2505", 1)]
            for sequence in (3, 4):
                tick = replace(TICK, sequence=sequence)
                market.feed.publish("tick.SHFE.rb2505", MSGPACK.encode(tick), away)
            assert await take(ticks, 2) == [("rb2505", 3), ("rb2505", 4)]
            await until(lambda: ticks.stats().seams == 1)
            assert ticks.stats().unfilled == 1
            market.broker.disconnect(market.desk)
            market.broker.reconnect(market.desk)
            await until(lambda: ticks.stats().seams == 2)
    assert [(one["event"], one["instruments"]) for one in logs if one["log_level"] == "warning"] == [
        ("seam_unfilled", 1)
    ]


async def test_after_a_reconnect_the_latest_is_delivered_and_nothing_again(market: Market) -> None:
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        market.publish(1, 2)
        assert await take(ticks, 2) == [("rb2505", 1), ("rb2505", 2)]
        await until(lambda: ticks.stats().seams == 1)
        market.broker.disconnect(market.desk)
        market.publish(3, 4)
        market.broker.reconnect(market.desk)
        assert await take(ticks, 1) == [("rb2505", 4)]
        market.publish(5)
        assert await take(ticks, 1) == [("rb2505", 5)]
        await until(lambda: ticks.stats().seams == 2)
        assert ticks.stats().delivered == 4


async def test_it_begins_before_there_is_a_stream() -> None:
    market = Market()
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        await until(lambda: ticks.stats().seams == 1)
        await market.feed.ensure_stream(ticks_stream())
        market.publish(1, 2)
        assert await take(ticks, 2) == [("rb2505", 1), ("rb2505", 2)]
    await market.desk.close()
    await market.feed.close()


async def test_it_begins_while_there_is_no_connection(market: Market) -> None:
    market.publish(1, 2)
    market.broker.stop()
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        market.broker.start()
        assert await take(ticks, 1) == [("rb2505", 2)]


async def test_a_closed_connection_ends_the_iteration(market: Market) -> None:
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        market.publish(1)
        assert await take(ticks, 1) == [("rb2505", 1)]
        await market.desk.close()
        async with asyncio.timeout(30):
            assert [tick async for tick in ticks] == []


async def test_after_the_end_nothing_comes_and_nobody_waits(market: Market) -> None:
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        waiting = asyncio.create_task(anext(ticks))
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        with pytest.raises(StopAsyncIteration):
            await waiting
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_what_the_body_raises_is_raised(market: Market) -> None:
    with pytest.raises(ValueError, match="mine"):
        async with subscribe_ticks(market.desk, options=OPTIONS):
            raise ValueError("mine")


@pytest.mark.parametrize("seed", range(20))
async def test_joining_a_busy_market_at_any_moment_leaves_nothing_out(market: Market, seed: int) -> None:
    """Ticks flow at each turn of the loop, the subscriber joins somewhere among them, and is cut off once."""
    symbols = ["a", "b", "c"]

    async def flow() -> None:
        for sequence in range(1, 121):
            for symbol in symbols:
                market.publish(sequence, symbol=symbol)
            if sequence == 60 + seed:
                market.broker.disconnect(market.desk)
            if sequence == 64 + seed:
                market.broker.reconnect(market.desk)
            await asyncio.sleep(0)

    flowing = asyncio.create_task(flow())
    for _ in range(seed * 2):
        await asyncio.sleep(0)
    got: dict[str, list[int]] = {symbol: [] for symbol in symbols}
    async with subscribe_ticks(market.desk, on_tick=lambda t: got[t.symbol].append(t.sequence), options=OPTIONS):
        await flowing
        await until(lambda: all(got[symbol][-1:] == [120] for symbol in symbols))
    for sequences in got.values():
        steps = [after - before for before, after in pairwise(sequences)]
        assert all(step > 0 for step in steps), "it went back or repeated"
        assert sum(step > 1 for step in steps) <= 1, "only the cut may leave ticks out"


# The snapshot


async def test_a_snapshot_is_the_whole_market_and_iteration_goes_on_behind_it(market: Market) -> None:
    market.publish(1, 2, 3)
    market.publish(1, 2, symbol="ag2506")
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        snapshot = await ticks.snapshot()
        assert {str(name): tick.sequence for name, tick in snapshot.items()} == {"SHFE.rb2505": 3, "SHFE.ag2506": 2}
        market.publish(4, 5)
        assert await take(ticks, 2) == [("rb2505", 4), ("rb2505", 5)]


async def test_what_waited_when_the_snapshot_was_asked_for_is_in_it(market: Market) -> None:
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        market.publish(1, 2)
        await until(lambda: ticks.stats().waiting == 2)
        snapshot = await ticks.snapshot()
        assert [tick.sequence for tick in snapshot.values()] == [2]
        assert ticks.stats().waiting == 0


async def test_a_market_without_ticks_has_an_empty_snapshot() -> None:
    market = Market()
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        assert await ticks.snapshot() == {}, "not even the stream is there"
    await market.desk.close()
    await market.feed.close()


async def test_a_snapshot_has_all_instruments_though_the_queue_is_short(market: Market) -> None:
    for number in range(50):
        market.publish(1, symbol=f"x{number}")
    async with subscribe_ticks(market.desk, options=TickOptions(queue=3, settle_s=0.01)) as ticks:
        assert len(await ticks.snapshot()) == 50
        assert ticks.stats().dropped == 0


async def test_a_snapshot_that_cannot_be_had_in_time_loses_nothing(market: Market) -> None:
    market.broker.stop()
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        with pytest.raises(DeadlineExceeded, match=r"0\.02"):
            await ticks.snapshot(timeout=0.02)
        market.broker.start()
        market.publish(1)
        assert await take(ticks, 1) == [("rb2505", 1)]
        assert await ticks.snapshot() == {}, "it was taken already"


async def test_a_snapshot_is_refused_where_the_stream_cannot_be_read(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise Unavailable("no JetStream")

    monkeypatch.setattr(market.desk, "read", refused)
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        market.publish(1)
        with pytest.raises(Unavailable, match="cannot be read"):
            await ticks.snapshot()
        assert await take(ticks, 1) == [("rb2505", 1)]


async def test_a_snapshot_is_for_who_iterates(market: Market) -> None:
    async with subscribe_ticks(market.desk, on_tick=lambda _: None, options=OPTIONS) as ticks:
        with pytest.raises(ConfigurationError):
            await ticks.snapshot()


@pytest.mark.parametrize("seed", range(10))
async def test_a_snapshot_of_a_busy_market_has_no_seam(market: Market, seed: int) -> None:
    symbols = ["a", "b", "c"]

    async def flow() -> None:
        for sequence in range(1, 101):
            for symbol in symbols:
                market.publish(sequence, symbol=symbol)
            await asyncio.sleep(0)

    flowing = asyncio.create_task(flow())
    for _ in range(seed * 3):
        await asyncio.sleep(0)
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        last = {tick.symbol: tick.sequence for tick in (await ticks.snapshot()).values()}
        await flowing
        async with asyncio.timeout(30):
            while last != dict.fromkeys(symbols, 100):
                tick = await anext(ticks)
                assert tick.sequence == last.get(tick.symbol, tick.sequence - 1) + 1
                last[tick.symbol] = tick.sequence


# Epochs of a feed set


async def test_a_marker_of_a_new_epoch_voids_the_deposed_feed_s_ticks(market: Market) -> None:
    """Before any tick of the new epoch, and of an instrument that has not ticked in it."""
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        market.publish(1)
        market.mark(2)
        market.publish(2)
        market.mark(1)
        market.publish(3)
        market.publish(1, epoch=2)
        assert await take(ticks, 2) == [("rb2505", 1), ("rb2505", 1)]
        assert ticks.stats().stale == 2


async def test_a_late_joiner_gets_what_was_stored_before_the_takeover_and_nothing_void(market: Market) -> None:
    market.publish(7, symbol="quiet")
    market.publish(1, symbol="busy", epoch=2)
    market.publish(9, symbol="void")
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        snapshot = await ticks.snapshot()
        assert {name.symbol: tick.sequence for name, tick in snapshot.items()} == {"quiet": 7, "busy": 1}
        assert ticks.stats().stale == 1


async def test_a_marker_that_is_none_is_counted(market: Market) -> None:
    async with subscribe_ticks(market.desk, options=OPTIONS) as ticks:
        market.feed.publish("tickmark.main", b"[]")
        await until(lambda: ticks.stats().malformed == 1)
