"""The whole way over a real nats-server: feed thread, pipeline, stream, subscriber, and what can go wrong between."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from msgspec.structs import replace
from publishing import publishing
from samples import QUOTE as BLANK

from aegis.contracts.market import InstrumentId, Level, Tick
from aegis.contracts.tick_codec import MSGPACK, TickCodec, decode, tick_codec
from aegis.marketdata.adapters.bus import PublisherOptions, StreamPublisher
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.pipeline import Pipeline
from aegis.ticks import TickOptions, subscribe_ticks
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.testing import nats_server
from aegis_sdk.transport_nats import NatsTransport

ORIGIN = Origin(env="sim", feed="main", source="test", session="s1", epoch=1)
OPTIONS = PublisherOptions(ack_timeout_s=1.0)
PATIENT = PublisherOptions(ack_timeout_s=10.0)  # where nothing goes wrong: an answer may be slow
SYMBOLS = [f"rb25{i:02}" for i in range(10)]
QUOTE = replace(
    BLANK,
    bids=tuple(Level(3310.0 - i, i) for i in range(5)),
    asks=tuple(Level(3311.0 + i, i) for i in range(5)),
)


class FeedThread:
    """Offers quotes of all symbols from a thread of its own, `rate` a second, until it is stopped."""

    def __init__(self, pipeline: Pipeline, rate: float) -> None:
        self._pipeline = pipeline
        self._rate = rate
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.offered: Counter[str] = Counter()

    def __enter__(self) -> FeedThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stopped.is_set():
            due = int((time.monotonic() - began) * self._rate) - self.offered.total()
            for symbol in (SYMBOLS * (due // len(SYMBOLS) + 1))[:due]:
                self.offered[symbol] += 1
                self._pipeline.bridge.offer(replace(QUOTE, symbol=symbol, volume=self.offered[symbol]))
            self._stopped.wait(0.002)


class Line:
    """A pipeline on a server, and looks into the stream by a connection of its own."""

    def __init__(self, server: EmbeddedServer, publisher: NatsTransport, other: NatsTransport) -> None:
        self.server = server
        self.publisher = publisher
        self.other = other

    def begin(self, options: PublisherOptions = OPTIONS, codec: TickCodec = MSGPACK) -> None:
        self.pipeline = Pipeline(codec, StreamPublisher(self.publisher, codec.headers, options))
        self.running = asyncio.create_task(publishing(self.pipeline, ORIGIN))

    async def until_stored(self, count: int) -> None:
        await until(lambda: self.pipeline.stats().outlet.stored >= count)

    async def until_more_is_stored(self) -> None:
        await self.until_stored(self.pipeline.stats().outlet.stored + 100)

    async def stop(self) -> None:
        self.pipeline.stop(10)
        async with asyncio.timeout(15):
            await self.running

    async def stored(self) -> dict[str, list[int]]:
        """The sequences of each symbol, in the order of the stream."""
        found: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}
        await self.other.wait_connected(5)
        async with asyncio.timeout(15), self.other.read("TICKS", "tick.SHFE.*") as messages:
            async for message in messages:
                if message is None:
                    break
                tick = decode(message.headers, message.payload, allow_pickle=True)
                found[tick.symbol].append(tick.sequence)
        return found

    async def api(self, verb: str) -> dict[str, object]:
        return json.loads((await self.other.request(f"$JS.API.{verb}", b"")).payload)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@asynccontextmanager
async def connected(server: EmbeddedServer) -> AsyncIterator[NatsTransport]:
    user = server.credentials
    transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
    try:
        yield transport
    finally:
        await transport.close()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with nats_server() as server, connected(server) as publisher, connected(server) as other:
        line = Line(server, publisher, other)
        yield line
        line.running.cancel()
        await asyncio.wait([line.running])


def everything(offered: Counter[str]) -> dict[str, list[int]]:
    return {symbol: list(range(1, offered[symbol] + 1)) for symbol in SYMBOLS}


@pytest.mark.parametrize("codec", ["json", "msgpack", "pickle"])
async def test_ticks_of_a_thread_reach_the_stream_and_a_subscriber(line: Line, codec: str) -> None:
    got: list[Tick] = []
    line.begin(PATIENT, tick_codec(codec))
    options = TickOptions(allow_pickle=True)
    async with subscribe_ticks(line.other, "SHFE.*", on_tick=got.append, options=options):
        with FeedThread(line.pipeline, 20_000) as feed:
            await line.until_stored(4_000)
        await line.stop()
        await until(lambda: len(got) == feed.offered.total())
    assert await line.stored() == everything(feed.offered)
    for symbol in SYMBOLS:
        ticks = [tick for tick in got if tick.symbol == symbol]
        assert [tick.sequence for tick in ticks] == list(range(1, feed.offered[symbol] + 1))
        assert all(tick.volume_delta == 1 for tick in ticks[1:])
    stats = line.pipeline.stats()
    assert (stats.outlet.republished, stats.outlet.repairs, stats.outlet.lost) == (0, 0, {})


async def restart(line: Line) -> None:
    await line.server.nodes[0].stop()
    await line.server.nodes[0].start()


async def kill(line: Line) -> None:
    await line.server.nodes[0].kill()
    await line.server.nodes[0].start()


async def pause(line: Line) -> None:
    """Longer than an acknowledgement may take, and than the connection is believed in."""
    line.server.nodes[0].pause()
    try:
        await until(lambda: line.other.state != "connected")
    finally:
        line.server.nodes[0].resume()


@pytest.mark.parametrize("outage", [restart, kill, pause])
async def test_through_an_outage_each_tick_is_stored_exactly_once_and_in_order(
    line: Line, outage: Callable[[Line], object]
) -> None:
    got: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}
    line.begin()
    async with subscribe_ticks(line.other, on_tick=lambda tick: got[tick.symbol].append(tick.sequence)):
        with FeedThread(line.pipeline, 5_000) as feed:
            await line.until_more_is_stored()
            await outage(line)  # type: ignore[misc]
            await line.until_more_is_stored()
        await line.stop()
        assert await line.stored() == everything(feed.offered)
        await until(lambda: all(got[symbol][-1] == feed.offered[symbol] for symbol in SYMBOLS))
    stats = line.pipeline.stats()
    assert stats.outlet.stored == feed.offered.total()
    assert stats.outlet.repairs >= 1
    for sequences in got.values():
        assert all(after > before for before, after in pairwise(sequences)), "a subscriber went back"


async def test_what_a_long_outage_pushes_out_is_counted_by_instrument(line: Line) -> None:
    line.begin(PublisherOptions(ring=1_000, batch=100))
    with FeedThread(line.pipeline, 10_000) as feed:
        await line.until_more_is_stored()
        await line.server.nodes[0].kill()
        await until(lambda: sum(line.pipeline.stats().outlet.lost.values()) > 500)
        await line.server.nodes[0].start()
        await line.until_more_is_stored()
    await line.stop()
    stored, lost = await line.stored(), line.pipeline.stats().outlet.lost
    assert sum(lost.values()) > 500
    for symbol, sequences in stored.items():
        assert sequences == sorted(set(sequences))
        assert len(sequences) + lost[InstrumentId("SHFE", symbol)] == feed.offered[symbol]


async def test_a_server_that_lost_its_store_gets_the_stream_again(line: Line) -> None:
    line.begin()
    with FeedThread(line.pipeline, 5_000) as feed:
        await line.until_more_is_stored()
        node = line.server.nodes[0]
        await node.kill()
        shutil.rmtree(node.layout.directory / "store")
        await node.start()
        await line.until_more_is_stored()
    await line.stop()
    for symbol, sequences in (await line.stored()).items():
        assert sequences == list(range(sequences[0], feed.offered[symbol] + 1))


async def test_a_stream_that_somebody_deleted_is_made_again(line: Line) -> None:
    line.begin()
    with FeedThread(line.pipeline, 5_000) as feed:
        await line.until_more_is_stored()
        assert (await line.api("STREAM.DELETE.TICKS"))["success"]
        await line.until_more_is_stored()
    await line.stop()
    for symbol, sequences in (await line.stored()).items():
        assert sequences == list(range(sequences[0], feed.offered[symbol] + 1))


async def test_two_feeds_share_the_stream(line: Line) -> None:
    """Neither can count on the sequence of its markers alone."""
    line.begin(PATIENT)
    options = Origin(env="sim", feed="second", source="test", session="s1", epoch=2)
    second = Pipeline(MSGPACK, StreamPublisher(line.other, MSGPACK.headers, PATIENT))
    running = asyncio.create_task(publishing(second, options))
    with FeedThread(line.pipeline, 5_000) as feed:
        while line.pipeline.stats().outlet.stored < 3_000:
            second.bridge.offer(replace(QUOTE, exchange="DCE", symbol="cs2505"))
            await asyncio.sleep(0.001)
    second.stop(10)
    await running
    await line.stop()
    assert await line.stored() == everything(feed.offered)
    for stats in (line.pipeline.stats(), second.stats()):
        assert (stats.outlet.republished, stats.outlet.repairs, stats.outlet.lost) == (0, 0, {})


async def test_the_stream_is_what_was_asked_for(line: Line) -> None:
    line.begin()
    await until(lambda: line.pipeline.stats().outlet.repairs == 0 and line.publisher.state == "connected")
    with FeedThread(line.pipeline, 1_000):
        await line.until_more_is_stored()
    config = (await line.api("STREAM.INFO.TICKS"))["config"]
    assert isinstance(config, dict)
    assert config["subjects"] == ["tick.>", "tickmark.>", "tickstore.>"]
    assert (config["persist_mode"], config["discard"], config["allow_direct"]) == ("async", "old", True)
    assert config["max_bytes"] > 0
    assert config["max_age"] > 0
