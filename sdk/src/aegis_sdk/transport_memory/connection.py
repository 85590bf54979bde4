"""One connection to a MemoryBroker."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, NamedTuple

import structlog

from aegis_sdk import codec, subjects
from aegis_sdk.batches import marked
from aegis_sdk.errors import AegisError, CodecError, ConnectionUnavailable, DeadlineExceeded, StreamError, Unavailable
from aegis_sdk.messages import NO_HEADERS, NO_RESPONDERS, STATUS, Headers, Message, StoredMessage
from aegis_sdk.transport import ConnectionState, Delivery, Handler, StateListener, StreamConfig, Subscription
from aegis_sdk.transport_memory.broker import MemoryBroker
from aegis_sdk.transport_memory.consumers import MemoryConsumption, MemoryReader
from aegis_sdk.transport_memory.stream import MemoryStream

_log = structlog.get_logger("aegis.memory")
_numbers = itertools.count(1)

MAX_PAYLOAD_BYTES: Final = 1 << 20
_ENSURE_S: Final = 15.0


class _Asked(NamedTuple):
    """A request that waits for its reply."""

    reply: asyncio.Future[Message]
    expiry: asyncio.TimerHandle
    of_stream: bool


class MemorySubscription:
    def __init__(self, transport: MemoryTransport, subject: str, queue: str, handler: Handler) -> None:
        self._transport = transport
        self.subject = subject
        self.queue = queue
        self.handler = handler

    def arrive(self, message: Message) -> None:
        self._transport.arrive(self, message)

    async def unsubscribe(self) -> None:
        """See `Subscription`. What was sent before is still handled."""
        await self._transport.end_interest(self)


class MemoryTransport:
    """The `Transport` port over a MemoryBroker. It is connected when made, if the broker runs."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._state = ConnectionState.CONNECTING
        self._listeners: list[StateListener] = []
        self._connected = asyncio.Event()
        self._arrived: list[tuple[MemorySubscription, Message]] = []
        self._inbox = f"_INBOX.{next(_numbers)}."
        self._asked: dict[str, _Asked] = {}
        self._tokens = itertools.count(1)
        self._interests = [MemorySubscription(self, self._inbox + "*", "", self._on_reply)]
        broker.attach(self)

    # The connection and its state

    @property
    def state(self) -> ConnectionState:
        return self._state

    @property
    def max_payload_bytes(self) -> int:
        return MAX_PAYLOAD_BYTES

    def on_state(self, listener: StateListener) -> Callable[[], None]:
        self._listeners.append(listener)

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return end

    async def wait_connected(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._connected.wait()
        except TimeoutError:
            raise ConnectionUnavailable("the broker is stopped") from None
        if self._state is ConnectionState.CLOSED:
            raise ConnectionUnavailable("the connection was closed")

    async def close(self) -> None:
        if self._state is ConnectionState.CLOSED:
            return
        self._broker.detach(self)
        self._become(ConnectionState.CLOSED)
        for inbox in tuple(self._asked):
            self._answer(inbox, ConnectionUnavailable("the connection was closed"))

    def _become(self, state: ConnectionState) -> None:
        if state is self._state:
            return
        self._state = state
        self._arrived.clear()
        if state in (ConnectionState.CONNECTED, ConnectionState.CLOSED):
            self._connected.set()
        else:
            self._connected.clear()
        for listener in tuple(self._listeners):
            try:
                listener(state)
            except Exception:
                _log.exception("state_listener_failed", state=state)
        if state is ConnectionState.RECONNECTING:
            for inbox in [inbox for inbox, asked in self._asked.items() if asked.of_stream]:
                self._answer(inbox, DeadlineExceeded("the connection broke before the stream answered"))

    # Core messages

    def publish(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, reply: str = "") -> None:
        self._send([Message(subject, payload, _copied(headers), reply)])

    def publish_many(self, messages: Iterable[tuple[str, bytes]], headers: Headers = NO_HEADERS) -> None:
        common = _copied(headers)
        self._send([Message(subject, payload, common) for subject, payload in messages])

    def _send(self, messages: Sequence[Message]) -> None:
        if self._state is not ConnectionState.CONNECTED:
            raise ConnectionUnavailable("not connected to the broker")
        for message in messages:
            if (size := _size(message)) > MAX_PAYLOAD_BYTES:
                raise CodecError(f"{size} bytes for {message.subject}; the broker takes at most {MAX_PAYLOAD_BYTES}")
        for message in messages:
            if not self._broker.send(message) and message.reply:
                self._tell_no_responders(message.reply)

    def _tell_no_responders(self, reply: str) -> None:
        for subscription in self._interests:
            if subjects.matches(subscription.subject, reply):
                self.arrive(subscription, Message(reply, b"", {STATUS: NO_RESPONDERS}))

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> Subscription:
        if self._state is ConnectionState.CLOSED:
            raise ConnectionUnavailable("the connection was closed")
        subscription = MemorySubscription(self, subject, queue, handler)
        self._interests.append(subscription)
        self._broker.interests_changed()
        return subscription

    async def request(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> Message:
        return await self._ask(subject, payload, headers, timeout, of_stream=False)

    def _ask(
        self, subject: str, payload: bytes, headers: Headers, timeout: float, *, of_stream: bool
    ) -> asyncio.Future[Message]:
        """Send a request before returning; its first reply comes to the future."""
        inbox = self._new_inbox()
        self.publish(subject, payload, headers, inbox)
        return self._expect(inbox, subject, timeout, of_stream=of_stream)

    def _new_inbox(self) -> str:
        return f"{self._inbox}{next(self._tokens)}"

    def _expect(self, inbox: str, subject: str, timeout: float, *, of_stream: bool) -> asyncio.Future[Message]:
        loop = asyncio.get_running_loop()
        expiry = loop.call_later(timeout, self._expire, inbox, subject)
        self._asked[inbox] = _Asked(loop.create_future(), expiry, of_stream)
        return self._asked[inbox].reply

    def _expire(self, inbox: str, subject: str) -> None:
        self._answer(inbox, DeadlineExceeded(f"no answer from {subject} in time"))

    def _on_reply(self, message: Message) -> None:
        nobody = message.headers.get(STATUS) == NO_RESPONDERS and not message.payload
        self._answer(message.subject, Unavailable("nobody serves this subject") if nobody else message)

    def _answer(self, inbox: str, outcome: Message | AegisError) -> None:
        asked = self._asked.pop(inbox, None)
        if asked is None:
            return
        asked.expiry.cancel()
        if asked.reply.done():
            return
        if isinstance(outcome, Message):
            asked.reply.set_result(outcome)
        else:
            asked.reply.set_exception(outcome)

    async def flush(self, timeout: float = 5.0) -> None:
        if self._state is not ConnectionState.CONNECTED:
            raise ConnectionUnavailable("not connected to the broker")
        await asyncio.sleep(0)  # whatever was sent is handled in the next turn of the loop

    # Streams

    async def ensure_stream(self, config: StreamConfig) -> None:
        await self.wait_connected(_ENSURE_S)
        self._broker.ensure_stream(config)

    async def stream_config(self, stream: str) -> StreamConfig:
        return (await self._reachable_stream(stream)).config

    async def append(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0) -> int:
        return _sequence(await self._ask(subject, payload, headers, timeout, of_stream=True))

    def append_now(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> asyncio.Future[int]:
        sequence: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        try:
            asked = self._ask(subject, payload, headers, timeout, of_stream=True)
            asked.add_done_callback(partial(_settle, sequence))
        except AegisError as error:
            sequence.set_exception(error)
        return sequence

    async def append_batch(self, messages: Sequence[tuple[str, bytes, Headers]], timeout: float = 5.0) -> int:
        if len(messages) == 1:
            return await self.append(*messages[0], timeout)
        first, last = self._new_inbox(), self._new_inbox()
        inboxes = [first, *[""] * (len(messages) - 2), last]
        self._send(
            [
                Message(subject, payload, _copied(headers), inbox)
                for (subject, payload, headers), inbox in zip(marked(messages), inboxes, strict=True)
            ]
        )
        sequence: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        opened = self._expect(first, messages[0][0], timeout, of_stream=True)
        opened.add_done_callback(partial(_settle, sequence, opening=True))
        committed = self._expect(last, messages[-1][0], timeout, of_stream=True)
        committed.add_done_callback(partial(_settle, sequence))
        return await sequence

    async def purge(self, stream: str, subject: str, before: int) -> int:
        return (await self._reachable_stream(stream)).purge(subject, before)

    async def last(self, stream: str, subject: str) -> StoredMessage | None:
        return (await self._reachable_stream(stream)).last(subject)

    async def next(self, stream: str, subject: str, after: int) -> StoredMessage | None:
        return (await self._reachable_stream(stream)).after(after, subject)

    async def last_sequence(self, stream: str) -> int:
        return (await self._reachable_stream(stream)).last_sequence

    async def _reachable_stream(self, name: str) -> MemoryStream:
        """A stream, after the turn of the loop that a request to a server takes at least."""
        await self.flush()
        return self._broker.stream(name)

    @asynccontextmanager
    async def read(
        self,
        stream: str,
        subject: str | Sequence[str] = ">",
        *,
        after: int = 0,
        last_per_subject: bool = False,
        idle_heartbeat_s: float = 0.5,
        pause: Callable[[], Awaitable[None]] | None = None,
    ) -> AsyncGenerator[AsyncIterator[StoredMessage | None]]:
        reader = MemoryReader(self, await self._reachable_stream(stream), subject, after, last_per_subject, pause)
        try:
            yield reader
        finally:
            reader.close()

    @asynccontextmanager
    async def consume(
        self,
        stream: str,
        durable: str,
        subject: str,
        *,
        ack_wait_s: float = 30,
        max_deliver: int = -1,
        batch: int = 16,
    ) -> AsyncGenerator[AsyncIterator[Delivery]]:
        await self.flush()
        consumer = self._broker.consumer(stream, durable, subject, ack_wait_s=ack_wait_s, max_deliver=max_deliver)
        consumption = MemoryConsumption(self, consumer, self._broker.now)
        try:
            yield consumption
        finally:
            consumption.close()

    # For the broker

    @property
    def interests(self) -> Sequence[MemorySubscription]:
        return self._interests

    def refresh_state(self, *, reachable: bool) -> None:
        if reachable:
            self._become(ConnectionState.CONNECTED)
        elif self._state is ConnectionState.CONNECTED:
            self._become(ConnectionState.RECONNECTING)

    # For subscriptions

    def arrive(self, subscription: MemorySubscription, message: Message) -> None:
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._handle_arrived)
        self._arrived.append((subscription, message))

    def _handle_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        for subscription, message in arrived:
            try:
                subscription.handler(message)
            except Exception:
                _log.exception("handler_failed", subject=message.subject)

    async def end_interest(self, subscription: MemorySubscription) -> None:
        if subscription in self._interests:
            self._interests.remove(subscription)
            self._broker.interests_changed()
        await asyncio.sleep(0)  # what has arrived is handled first


def _copied(headers: Headers) -> Headers:
    """Headers that do not change with those of the caller. ValueError for what NATS cannot carry."""
    if any(end in text for header in headers.items() for text in header for end in "\r\n"):
        raise ValueError("a header holds a line break")
    return dict(headers)


def _size(message: Message) -> int:
    """The bytes that count against the limit: the payload and the headers as NATS writes them."""
    names_and_values = sum(len(name) + len(value.encode()) + 4 for name, value in message.headers.items())
    return len(message.payload) + (names_and_values + 12 if message.headers else 0)


def _settle(sequence: asyncio.Future[int], answered: asyncio.Future[Message], *, opening: bool = False) -> None:
    """Pass the outcome of an append on to who waits for it. An empty answer opens a batch, and is none yet."""
    if answered.cancelled():
        sequence.cancel()
        return
    error = answered.exception()  # looked at even if nobody waits any more, or the loop would complain of it
    if sequence.done() or (opening and error is None and not answered.result().payload):
        return
    try:
        sequence.set_result(_sequence(answered.result()))
    except AegisError as failure:
        sequence.set_exception(failure)


def _sequence(acknowledgement: Message) -> int:
    """The sequence that a stream's acknowledgement carries; StreamError if it refused."""
    answer = codec.decode_json(acknowledgement.payload)
    if "error" in answer:
        raise StreamError(answer["error"]["description"], answer["error"]["err_code"])
    return answer["seq"]
