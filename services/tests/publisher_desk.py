"""A publisher of ticks over a transport in memory that loses, delays and disturbs on demand."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aegis.marketdata.adapters.bus import PublisherOptions, StreamPublisher
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.ports import Alone, Outgoing
from aegis_sdk.errors import DeadlineExceeded
from aegis_sdk.messages import NO_HEADERS, Headers, Message, StoredMessage
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

ORIGIN = Origin(env="sim", feed="main", source="test", session="s1", epoch=3)
OPTIONS = PublisherOptions(ring=100, batch=10, marker_interval_s=0.005, ack_timeout_s=0.3)
A, B = "tick.SHFE.a", "tick.SHFE.b"


class Disturbed(MemoryTransport):
    """Loses each payload in `loses` once, and as many acknowledgements as `loses_acks` says."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.loses: set[bytes] = set()
        self.loses_acks = 0
        self.is_behind = False  # where it reads
        self.markers: list[dict[str, object]] = []

    def publish_many(self, messages: Iterable[tuple[str, bytes]], headers: Headers = NO_HEADERS) -> None:
        sent = [message for message in messages if message[1] not in self.loses]
        self.loses.difference_update([payload for _, payload in messages])
        super().publish_many(sent, headers)

    @asynccontextmanager
    async def read(self, *args: Any, **options: Any) -> AsyncGenerator[AsyncIterator[StoredMessage | None]]:
        async with super().read(*args, **options) as messages:
            yield _late(messages) if self.is_behind else messages

    def append_now(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> asyncio.Future[int]:
        self.markers.append(json.loads(payload))
        ack = super().append_now(subject, payload, headers, timeout)
        if not self.loses_acks:
            return ack
        self.loses_acks -= 1
        lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        lost.get_loop().call_later(timeout, lost.set_exception, DeadlineExceeded("no answer"))
        return lost


async def _late(messages: AsyncIterator[StoredMessage | None]) -> AsyncIterator[StoredMessage | None]:
    """As a reader has them whose node has nothing yet."""
    yield None
    async for message in messages:
        yield message


class Desk:
    """A broker, a publisher on it, and a look into the stream."""

    def __init__(self, options: PublisherOptions = OPTIONS, transport: type[Disturbed] = Disturbed) -> None:
        self.broker = MemoryBroker()
        self.transport: Any = transport(self.broker)
        self.other = MemoryTransport(self.broker)
        self.publisher = StreamPublisher(self.transport, {"Aegis-Codec": "msgpack"}, options)
        self.publisher.open(ORIGIN, Alone())
        self.sequences: Counter[str] = Counter()

    def publish(self, count: int, *names: str) -> None:
        for _ in range(count):
            ticks: list[Outgoing] = []
            for subject in names or (A,):
                self.sequences[subject] += 1
                number = self.sequences[subject]
                ticks.append((subject, f"{subject} {number}".encode(), number))
            self.publisher.publish(ticks)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def settled(self) -> None:
        await self.publisher.drain(30)
        stats = self.publisher.stats()
        assert stats.accepted == stats.stored + stats.left + sum(stats.lost.values())

    async def stored(self, subject: str = "tick.>") -> list[StoredMessage]:
        found: list[StoredMessage] = []
        async with asyncio.timeout(30), self.other.read("TICKS", subject) as messages:
            async for message in messages:
                if message is None:
                    break
                found.append(message)
        return found

    async def numbers(self, subject: str = A) -> list[int]:
        return [int(message.payload.split()[1]) for message in await self.stored(subject)]


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[Desk]:
    task = asyncio.create_task(desk.publisher.run())
    try:
        yield desk
    finally:
        task.cancel()
        await asyncio.wait([task])
        await desk.transport.close()
        await desk.other.close()
        if not task.cancelled():
            task.result()


async def at_once(wait: Callable[[], Awaitable[None]]) -> bool:
    """Whether waiting ends within one turn of the loop."""
    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    done = task.done()
    task.cancel()
    return done


class Listener:
    """Who listens to ticks, and to nothing else."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def __call__(self, message: Message) -> None:
        self.numbers.append(int(message.payload.split()[1]))


@asynccontextmanager
async def listening(desk: Desk) -> AsyncIterator[Listener]:
    listener = Listener()
    subscription = await desk.other.subscribe("tick.>", listener)
    yield listener
    await subscription.unsubscribe()


class Away(Disturbed):
    """A stream that does not answer, as while its leader is replaced: what it should store is gone."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.is_away = False

    def publish_many(self, messages: Iterable[tuple[str, bytes]], headers: Headers = NO_HEADERS) -> None:
        gone = {"Nats-Expected-Stream": "_"} if self.is_away else {}
        super().publish_many(messages, {**headers, **gone})

    def append_now(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> asyncio.Future[int]:
        if not self.is_away:
            return super().append_now(subject, payload, headers, timeout)
        lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        lost.get_loop().call_later(timeout, lost.set_exception, DeadlineExceeded("no answer"))
        return lost

    async def append(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0) -> int:
        return await self.append_now(subject, payload, headers, timeout)
