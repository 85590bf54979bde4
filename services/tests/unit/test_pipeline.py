"""From quotes to published ticks, over a broker in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace as change
from math import nan

import pytest
from msgspec.structs import replace
from publishing import publishing
from samples import QUOTE
from structlog.testing import capture_logs

from aegis.contracts.market import InstrumentId, Quote, Tick
from aegis.contracts.tick_codec import MSGPACK, decode
from aegis.marketdata.adapters.bus import PublisherOptions, StreamPublisher
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.pipeline import Pipeline
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

pytestmark = pytest.mark.own_time

ORIGIN = Origin(env="sim", feed="main", source="test", session="s1", epoch=1)


class Line:
    """A pipeline that runs, and a look at what it stored."""

    def __init__(self, bridge_size: int = 1_000) -> None:
        self.broker = MemoryBroker()
        self.transport = MemoryTransport(self.broker)
        options = PublisherOptions(ring=200, batch=20, marker_interval_s=0.005, ack_timeout_s=0.3)
        outlet = StreamPublisher(self.transport, MSGPACK.headers, options)
        self.pipeline = Pipeline(MSGPACK, outlet, bridge_size=bridge_size)
        self.running = asyncio.create_task(publishing(self.pipeline, ORIGIN))

    def offer(self, count: int, *symbols: str) -> None:
        for _ in range(count):
            for symbol in symbols or ("a",):
                self.pipeline.bridge.offer(replace(QUOTE, symbol=symbol))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def stop(self) -> None:
        self.pipeline.stop()
        async with asyncio.timeout(30):
            await self.running

    async def stored(self) -> list[Tick]:
        ticks: list[Tick] = []
        async with asyncio.timeout(30), self.transport.read("TICKS", "tick.>") as messages:
            async for message in messages:
                if message is None:
                    break
                ticks.append(decode(message.headers, message.payload))
        return ticks


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    yield line
    line.running.cancel()
    await asyncio.wait([line.running])
    await line.transport.close()


async def test_quotes_become_stored_ticks(line: Line) -> None:
    line.offer(50, "a", "b")
    await line.stop()
    ticks = await line.stored()
    for symbol in "ab":
        assert [tick.sequence for tick in ticks if tick.symbol == symbol] == list(range(1, 51))
    assert {(tick.env, tick.feed, tick.source, tick.session, tick.epoch) for tick in ticks} == {
        ("sim", "main", "test", "s1", 1)
    }


async def test_the_latest_tick_of_each_instrument_is_at_hand(line: Line) -> None:
    line.offer(3, "a", "SP m2505&m2509")
    await line.stop()
    assert {subject: tick.sequence for subject, tick in line.pipeline.latest.items()} == {
        "tick.SHFE.a": 3,
        "tick.SHFE.SP=20m2505=26m2509": 3,
    }


@pytest.mark.parametrize(
    "bad",
    [
        replace(QUOTE, symbol="bad", last_price=nan),
        replace(QUOTE, symbol="bad", turnover=nan),
        replace(QUOTE, symbol="bad", volume=2**80),
        replace(QUOTE, symbol="bad", turnover=None),  # type: ignore[arg-type]
        replace(QUOTE, symbol="*"),
        replace(QUOTE, symbol=""),
        replace(QUOTE, exchange="no.exchange"),
        replace(QUOTE, symbol="bad", trading_day="x" * 70_000),
    ],
)
async def test_a_tick_that_cannot_be_written_stops_no_other(line: Line, bad: Quote) -> None:
    line.offer(2)
    line.pipeline.bridge.offer(bad)
    line.pipeline.bridge.offer(bad)
    line.offer(2)
    line.pipeline.bridge.offer(replace(QUOTE, symbol="bad"))
    await line.stop()
    ticks = await line.stored()
    assert [tick.sequence for tick in ticks if tick.symbol == "a"] == [1, 2, 3, 4]
    assert len(ticks) == 5, "the next good tick of the same instrument is written"
    stats = line.pipeline.stats()
    assert stats.unserializable == {InstrumentId(bad.exchange, bad.symbol): 2}
    assert stats.bridge.drained == stats.outlet.accepted + sum(stats.unserializable.values())
    assert "tick.SHFE.bad" in line.pipeline.latest


async def test_ticks_that_cannot_be_written_are_logged_once_per_instrument_with_its_name(line: Line) -> None:
    with capture_logs() as logs:
        for symbol in ("bad", "worse", "bad", "worse", "bad"):
            line.pipeline.bridge.offer(replace(QUOTE, symbol=symbol, last_price=nan))
        await line.stop()
    told = [entry for entry in logs if entry["event"] == "tick_unserializable"]
    assert [(entry["instrument"], entry["log_level"]) for entry in told] == [
        ("SHFE.bad", "error"),
        ("SHFE.worse", "error"),
    ]
    assert "last_price is nan" in told[0]["error"]


async def test_conflation_shows_as_a_hole_in_the_sequence() -> None:
    line = Line(bridge_size=4)
    await line.until(lambda: line.pipeline.stats().outlet.repairs == 0)
    line.offer(1, "b")
    line.offer(10, "a")
    await line.stop()
    ticks = [(tick.symbol, tick.sequence) for tick in await line.stored()]
    assert ticks == [("b", 1), ("a", 8), ("a", 9), ("a", 10)]
    assert line.pipeline.stats().bridge.conflated == {InstrumentId("SHFE", "a"): 7}
    await line.transport.close()


async def test_a_new_session_begins_behind_the_quotes_that_wait(line: Line) -> None:
    line.offer(30)
    line.pipeline.begin(change(ORIGIN, session="s2"))
    line.offer(30)
    await line.stop()
    ticks = await line.stored()
    assert [tick.session for tick in ticks] == ["s1"] * 30 + ["s2"] * 30
    assert [tick.sequence for tick in ticks] == list(range(1, 61))


async def test_a_feed_that_can_wait_loses_nothing_in_an_outage() -> None:
    line = Line(bridge_size=50)

    async def feed() -> None:
        for number in range(1_000):
            line.offer(1)
            if number % 10 == 0:
                await line.pipeline.bridge.room()

    feeding = asyncio.create_task(feed())
    await line.until(lambda: line.pipeline.stats().outlet.stored > 200)
    line.broker.stop()
    await line.until(lambda: line.pipeline.stats().outlet.waiting >= 20)
    assert not feeding.done()
    line.broker.start()
    async with asyncio.timeout(30):
        await feeding
    await line.stop()
    assert [tick.sequence for tick in await line.stored()] == list(range(1, 1_001))
    await line.transport.close()


async def test_a_stop_without_nats_ends_in_time_and_counts_what_is_lost(line: Line) -> None:
    line.offer(5)
    await line.until(lambda: line.pipeline.stats().outlet.stored == 5)
    line.broker.stop()
    line.offer(3)
    line.pipeline.stop(drain_s=0.05)
    async with asyncio.timeout(30):
        await line.running
    stats = line.pipeline.stats()
    assert (stats.outlet.stored, stats.outlet.lost) == (5, {InstrumentId("SHFE", "a"): 3})


async def test_a_cancelled_pipeline_takes_nothing_more(line: Line) -> None:
    line.running.cancel()
    await asyncio.wait([line.running])
    line.offer(1)
    assert line.pipeline.stats().bridge.late == 1
