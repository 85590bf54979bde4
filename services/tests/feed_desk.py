"""Instances of one feed set over a broker in memory, who hears them, and what the stream has of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace as change
from functools import partial
from typing import Any

from msgspec.structs import replace
from samples import QUOTE

from aegis.contracts.market import Level, Quote, Tick
from aegis.contracts.tick_codec import decode, decode_marker, sent_under, tick_codec
from aegis.marketdata.adapters.bus import PublisherOptions, StreamPublisher, TickFollower, ticks_stream
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.pipeline import Pipeline
from aegis.marketdata.ports import Alone
from aegis.tick_seam import Epochs
from aegis_sdk.errors import DeadlineExceeded
from aegis_sdk.messages import NO_HEADERS, Headers, Message, StoredMessage
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

OPTIONS = PublisherOptions(ring=200, batch=20, marker_interval_s=0.005, ack_timeout_s=0.3, live_after_s=0.02)


def quote(volume: int, symbol: str = "a", *, bid: float = 1.0, flags: tuple[str, ...] = ()) -> Quote:
    """All of one second: at CZCE the book alone may differ."""
    return replace(
        QUOTE, exchange="CZCE", symbol=symbol, volume=volume, turnover=float(volume), bids=(Level(bid, 1),), flags=flags
    )


class Instance:
    """One of several that have a feed each; `broker` is the desk's."""

    def __init__(
        self, broker: MemoryBroker, source: str, market: str, held_size: int, options: PublisherOptions, codec: str
    ) -> None:
        self.transport = Away(broker)
        used = tick_codec(codec)
        outlet = StreamPublisher(self.transport, used.headers, options)
        self.pipeline = Pipeline(used, outlet, bridge_size=options.ring // 2, held_size=held_size)
        self.origin = Origin(env="sim", feed="main", source=source, session="s1", epoch=0, market=market)
        self.is_dead = False
        self._running = asyncio.create_task(self.pipeline.run())
        self._following: asyncio.Task[None] | None = None

    def brings(self, *quotes: Quote) -> None:
        for one in quotes:
            self.pipeline.bridge.offer(one)

    async def stands_by(self) -> None:
        """Returns when it has read what there is."""
        after = await self.pipeline.stand_by()
        self.follower = TickFollower(
            self.transport, ticks_stream(), "main", self.origin.market, self.pipeline.seen, after=after
        )
        self._following = asyncio.create_task(self.follower.run())
        if (last := await last_sequence(self.transport)) > 0:
            await self.follower.reached(last)

    async def takes_over(self, epoch: int) -> int:
        self.origin = change(self.origin, epoch=epoch)
        async with asyncio.timeout(30):
            await self.follower.reached(await self.pipeline.open(self.origin, Alone()))
            await self._end_following()
            same_market = self.follower.market_before(epoch) in ("", self.origin.market)
            return self.pipeline.take_over(self.origin, same_market=same_market)

    def stops_reading(self) -> None:
        """The stream tells it nothing any more; it still hears."""
        self.transport.is_unreadable = True

    async def takes_over_without_the_stream(self, epoch: int, *, border: bool = False) -> int:
        """It does not say in time what was published last; with `border` it has taken the first marker."""
        self.origin = change(self.origin, epoch=epoch)
        begun = self.pipeline.open(self.origin, Alone())
        async with asyncio.timeout(30):
            if border:
                await begun
            await self._end_following()
            self.transport.is_unreadable = False
            return self.pipeline.take_over(self.origin, same_market=True, after=self.follower.sequence)

    async def gives_up(self) -> None:
        await self.pipeline.leave(1.0)
        await self.stands_by()

    async def _end_following(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})

    async def dies(self) -> None:
        self.is_dead = True
        await self.close()

    async def close(self) -> None:
        await self._end_following()
        self._running.cancel()
        await asyncio.wait({self._running})
        await self.transport.close()


class Away(MemoryTransport):
    """Its stream can be away: then it stores nothing of ours. Or it cannot be read: then its messages do not come."""

    is_away = False
    is_unreadable = False

    @asynccontextmanager
    async def read(self, *args: Any, **options: Any) -> AsyncGenerator[AsyncIterator[StoredMessage | None]]:
        async with super().read(*args, **options) as messages:
            yield self._readable(messages)

    async def _readable(self, messages: AsyncIterator[StoredMessage | None]) -> AsyncIterator[StoredMessage | None]:
        async for message in messages:
            if self.is_unreadable:
                await asyncio.get_running_loop().create_future()
            yield message

    def publish_many(self, messages: list[tuple[str, bytes]], headers: Headers = NO_HEADERS) -> None:  # type: ignore[override]
        super().publish_many(messages, {**headers, "Nats-Expected-Stream": "_"} if self.is_away else headers)

    def append_now(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> asyncio.Future[int]:
        if not self.is_away:
            return super().append_now(subject, payload, headers, timeout)
        return asyncio.get_running_loop().create_future()

    async def append(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0) -> int:
        if not self.is_away:
            return await super().append(subject, payload, headers, timeout)
        await asyncio.sleep(0.01)
        raise DeadlineExceeded("no answer")


async def last_sequence(transport: MemoryTransport) -> int:
    with suppress(Exception):
        return await transport.last_sequence("TICKS")
    return 0


class Desk:
    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.look = MemoryTransport(self.broker)
        self.instances: list[Instance] = []
        self.live: list[Tick] = []

    async def close(self) -> None:
        for instance in self.instances:
            await instance.close()
        await self.look.close()

    async def instance(
        self,
        source: str,
        *,
        market: str = "p",
        held_size: int = 1_000,
        options: PublisherOptions = OPTIONS,
        codec: str = "msgpack",
    ) -> Instance:
        if not self.instances:
            await self.look.subscribe("tick.>", self._hear)
        made = Instance(self.broker, source, market, held_size, options, codec)
        self.instances.append(made)
        await made.stands_by()
        return made

    def _hear(self, message: Message) -> None:
        self.live.append(decode(message.headers, message.payload))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():  # noqa: ASYNC110 (nobody tells of it)
                await asyncio.sleep(0.001)

    async def heard(self, count: int) -> list[tuple[str, int, float]]:
        """Symbol, volume and best bid of what live subscribers had, once these are so many."""
        await self.until(lambda: len(self.live) >= count)
        await asyncio.sleep(0.02)  # whoever has more to say says it
        return [(tick.symbol, tick.volume, tick.bids[0].price) for tick in self.live]

    async def stored(self) -> list[tuple[str, int, float]]:
        """The same of what a consumer of the stream has, who leaves out what is void, once nothing waits for it."""
        for one in self.instances:
            await self.until(partial(_has_nothing_to_store, one))
        found: list[tuple[str, int, float]] = []
        epochs = Epochs()
        async with self.look.read("TICKS") as messages:
            async for message in messages:
                if message is None:
                    break
                if message.subject.startswith("tickmark."):
                    epochs.admit("main", decode_marker(message.payload).epoch)
                    continue
                tick = decode(message.headers, message.payload)
                if epochs.admit("main", sent_under(message.headers, tick)):
                    found.append((tick.symbol, tick.volume, tick.bids[0].price))
        return found


def _has_nothing_to_store(instance: Instance) -> bool:
    outlet = instance.pipeline.stats().outlet
    return instance.is_dead or not (outlet.waiting or outlet.in_flight)
