"""Reading streams: an ordered reader that heals itself, and durable consumers.

The ordered reader is a push consumer without acknowledgements (the "ordered consumer" of ADR-17). The server numbers
what it sends to a consumer; a hole in these numbers, silence beyond the idle heartbeats or a lost connection mean that
the consumer is given up and another one is made, which starts behind the last message seen. Without `idle_heartbeat` a
reader can be silent for 20 s after the server that hosts its consumer died. For seconds after that death a cluster may
place another one there as well, and then never answers: so it is asked again soon.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple

from aegis_sdk import codec, subjects
from aegis_sdk.errors import AegisError, ConnectionUnavailable, DeadlineExceeded, StreamError, Unavailable
from aegis_sdk.messages import STATUS, Message, StoredMessage
from aegis_sdk.transport import ConnectionState, Delivery, Subscription, Transport
from aegis_sdk.transport_nats.streams import api, last_sequence

_NS: Final = 1_000_000_000
_HEARTBEATS_MISSED: Final = 2.5
_UNWATCHED_S: Final = 10
"""After this long without interest the server removes a reader's consumer, should we not have done it."""
_RETRY_S: Final = 0.05
_FIRST_PATIENCE_S: Final = (0.5, 1.0, 2.0, 5.0)
"""For the answer to each attempt to make the first consumer."""
_PATIENCE_S: Final = (0.5, 5.0)
"""For another consumer after one that was given up, first and longest."""
_FETCH_S: Final = 5.0
_PASSING = (Unavailable, DeadlineExceeded, ConnectionUnavailable)


class Origin(NamedTuple):
    """What the reply subject of a delivered message says (ADR-15, both layouts)."""

    attempt: int
    sequence: int
    consumer_sequence: int
    timestamp_ns: int
    pending: int


def origin(reply: str) -> Origin:
    parts = reply.split(".")
    first = 4 if len(parts) == 9 else 6
    attempt, sequence, consumer_sequence, timestamp_ns, pending = map(int, parts[first : first + 5])
    return Origin(attempt, sequence, consumer_sequence, timestamp_ns, pending)


class _Arrivals:
    """Messages for one inbox, waiting to be taken; wakes its taker also when the connection changes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._waiting: deque[Message] = deque()
        self._woken = asyncio.Event()
        self._subscription: Subscription | None = None
        self._end_listening = transport.on_state(self._on_state)
        self.broken = False

    async def open(self) -> str:
        """A new inbox; what is still on its way to the one before is dropped."""
        await self.close_inbox()
        self.broken = self._transport.state is not ConnectionState.CONNECTED
        waiting: deque[Message] = deque()
        self._waiting = waiting
        inbox = subjects.inbox(f"{random.getrandbits(96):024x}")

        def arrived(message: Message) -> None:
            waiting.append(message)
            self._woken.set()

        self._subscription = await self._transport.subscribe(inbox, arrived)
        return inbox

    async def take(self, timeout: float) -> Message | None:
        """The next message; None after `timeout` seconds or when the connection broke."""
        while not self._waiting:
            if self.broken:
                return None
            self._woken.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._woken.wait()
            except TimeoutError:
                return None
        return self._waiting.popleft()

    @property
    def waiting(self) -> int:
        """Messages that can be taken at once."""
        return len(self._waiting)

    def take_rest(self) -> list[Message]:
        """All that waits now."""
        rest = list(self._waiting)
        self._waiting.clear()
        return rest

    def _on_state(self, state: ConnectionState) -> None:
        self.broken = True
        self._woken.set()

    async def close_inbox(self) -> None:
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            with suppress(AegisError):
                await subscription.unsubscribe()

    async def close(self) -> None:
        self._end_listening()
        await self.close_inbox()


class Reader:
    """See `Transport.read`. What is sent comes to an inbox, which is a new one for each consumer."""

    def __init__(
        self,
        transport: Transport,
        stream: str,
        subject: str | Sequence[str],
        after: int,
        last_per_subject: bool,
        idle_s: float,
    ) -> None:
        self._transport = transport
        self._stream = stream
        self._filter = {"filter_subject" if isinstance(subject, str) else "filter_subjects": subject}
        self._idle_s = idle_s
        self._arrivals = _Arrivals(transport)
        self._first_position: dict[str, Any] = (
            {"deliver_policy": "last_per_subject"} if last_per_subject else _behind(after)
        )
        self._seen = 0
        self._inbox = ""
        self._consumer = ""
        self._consumer_sequence: int = 0
        self._until_caught_up: int | None = None

    def __aiter__(self) -> AsyncIterator[StoredMessage | None]:
        return self

    async def __anext__(self) -> StoredMessage | None:
        while True:
            if not self._consumer:
                await self._begin_again()
            if self._until_caught_up == 0:
                self._until_caught_up = None
                return None
            message = await self._arrivals.take(self._idle_s * _HEARTBEATS_MISSED)
            if message is None:
                self._give_up_consumer()
                continue
            stored = self._status(message) if STATUS in message.headers else self._next(message)
            if stored is not None:
                return stored

    async def begin(self) -> None:
        """Make the consumer. Raises StreamError where there is no such stream.

        What nobody answers is asked again, for 8.5 s in all: what comes while a cluster changes a leader is dropped by
        all servers, without a word.
        """
        for patience in _FIRST_PATIENCE_S[:-1]:
            try:
                return await self._attempt(patience)
            except DeadlineExceeded:
                await self._arrivals.close_inbox()
        return await self._attempt(_FIRST_PATIENCE_S[-1])

    async def _attempt(self, timeout: float) -> None:
        """Each has its name and its inbox: an answer that comes late makes no second source of messages."""
        name = f"reader-{random.getrandbits(64):016x}"
        position = _behind(self._seen) if self._seen else self._first_position
        self._inbox = await self._arrivals.open()
        config = {
            "name": name,
            "ack_policy": "none",
            "max_deliver": 1,
            "inactive_threshold": _UNWATCHED_S * _NS,
            "mem_storage": True,
            "num_replicas": 1,
            **self._filter,
            **self._delivery(),
            **position,
        }
        verb = f"CONSUMER.CREATE.{self._stream}.{name}"
        made = await api(self._transport, verb, {"stream_name": self._stream, "config": config}, timeout)
        self._consumer, self._consumer_sequence = name, 0
        self._until_caught_up = int(made.get("num_pending", 0))

    def _delivery(self) -> dict[str, Any]:
        """How the messages are to come to the inbox."""
        return {"deliver_subject": self._inbox, "flow_control": True, "idle_heartbeat": int(self._idle_s * _NS)}

    async def _begin_again(self) -> None:
        patience, longest = _PATIENCE_S
        while True:
            try:
                if self._seen and await last_sequence(self._transport, self._stream) < self._seen:
                    self._seen = 0  # the stream was made anew: what it holds now is all new
                return await self._attempt(patience)
            except (StreamError, *_PASSING):
                await self._arrivals.close_inbox()
                patience = min(2 * patience, longest)
            with suppress(ConnectionUnavailable):
                await self._transport.wait_connected(_FETCH_S)
            if self._transport.state is ConnectionState.CLOSED:
                raise StopAsyncIteration
            await asyncio.sleep(_RETRY_S)

    def _next(self, message: Message) -> StoredMessage | None:
        sent = origin(message.reply)
        if sent.consumer_sequence != self._consumer_sequence + 1:
            self._consumer = ""
            return None
        self._consumer_sequence = sent.consumer_sequence
        self._seen = sent.sequence
        if self._until_caught_up is not None:
            self._until_caught_up = 0 if sent.pending == 0 else max(self._until_caught_up - 1, 0)
        return StoredMessage(message.subject, message.payload, message.headers, sent.sequence, sent.timestamp_ns)

    def _status(self, message: Message) -> None:
        """Flow control is answered in turn; a heartbeat that knows of more than we saw means a hole."""
        if message.headers[STATUS] != "100":
            self._consumer = ""
            return
        stalled = message.headers.get("Nats-Consumer-Stalled", message.reply)
        if stalled:
            with suppress(ConnectionUnavailable):
                self._transport.publish(stalled, b"")
        last = message.headers.get("Nats-Last-Consumer")
        if last is not None and int(last) != self._consumer_sequence:
            self._consumer = ""

    def _give_up_consumer(self) -> None:
        """Nobody waits for an answer: it may stand on a server that died."""
        name, self._consumer = self._consumer, ""
        if name:
            with suppress(ConnectionUnavailable):
                self._transport.publish(self._deletion(name), b"")

    def _deletion(self, name: str) -> str:
        return f"$JS.API.CONSUMER.DELETE.{self._stream}.{name}"

    async def close(self) -> None:
        await self._arrivals.close()
        if self._consumer and self._transport.state is ConnectionState.CONNECTED:
            with suppress(*_PASSING):
                await self._transport.request(self._deletion(self._consumer), b"", timeout=1.0)


def _behind(sequence: int) -> dict[str, Any]:
    if not sequence:
        return {"deliver_policy": "all"}
    return {"deliver_policy": "by_start_sequence", "opt_start_seq": sequence + 1}


@asynccontextmanager
async def read(
    transport: Transport,
    stream: str,
    subject: str | Sequence[str],
    after: int,
    last_per_subject: bool,
    idle_heartbeat_s: float,
) -> AsyncGenerator[AsyncIterator[StoredMessage | None]]:
    """`Transport.read` over JetStream."""
    reader = Reader(transport, stream, subject, after, last_per_subject, idle_heartbeat_s)
    try:
        await reader.begin()
        yield reader
    finally:
        await reader.close()


class _Puller:
    def __init__(self, transport: Transport, stream: str, durable: str, batch: int) -> None:
        self._transport = transport
        self._next_verb = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._batch = batch
        self._arrivals = _Arrivals(transport)
        self._inbox = ""
        self._asked = 0

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        while True:
            if self._asked <= 0:
                await self._ask()
            message = await self._arrivals.take(_FETCH_S + 1)
            if message is None or STATUS in message.headers:
                self._asked = 0
                if message is not None and message.headers[STATUS] in ("503", "409"):
                    await asyncio.sleep(_RETRY_S)
                continue
            self._asked -= 1
            return self._delivery(message)

    async def _ask(self) -> None:
        if self._arrivals.broken or not self._inbox:
            with suppress(ConnectionUnavailable):
                await self._transport.wait_connected(_FETCH_S)
            if self._transport.state is ConnectionState.CLOSED:
                raise StopAsyncIteration
            self._inbox = await self._arrivals.open()
        body = {"batch": self._batch, "expires": int(_FETCH_S * _NS)}
        try:
            self._transport.publish(self._next_verb, codec.encode_json(body), {}, self._inbox)
            self._asked = self._batch
        except ConnectionUnavailable:
            await asyncio.sleep(_RETRY_S)

    def _delivery(self, message: Message) -> Delivery:
        sent = origin(message.reply)

        async def answer(verdict: bytes) -> None:
            self._transport.publish(message.reply, verdict)

        async def nak(delay: float) -> None:
            await answer(b"-NAK " + codec.encode_json({"delay": int(delay * _NS)}))

        return Delivery(
            message=StoredMessage(message.subject, message.payload, message.headers, sent.sequence, sent.timestamp_ns),
            attempt=sent.attempt,
            ack=lambda: answer(b"+ACK"),
            nak=nak,
            term=lambda: answer(b"+TERM"),
        )

    async def close(self) -> None:
        """Give back what was fetched and not taken: others get it now, not after the time to acknowledge it."""
        try:
            await self._arrivals.close()
        finally:
            with suppress(ConnectionUnavailable):
                for message in self._arrivals.take_rest():
                    if STATUS not in message.headers:
                        self._transport.publish(message.reply, b"-NAK")


@asynccontextmanager
async def consume(
    transport: Transport, stream: str, durable: str, subject: str, ack_wait_s: float, max_deliver: int, batch: int
) -> AsyncGenerator[AsyncIterator[Delivery]]:
    """`Transport.consume` over JetStream: a durable pull consumer."""
    config = {
        "durable_name": durable,
        "name": durable,
        "ack_policy": "explicit",
        "ack_wait": int(ack_wait_s * _NS),
        "max_deliver": max_deliver,
        "filter_subject": subject,
        "deliver_policy": "all",
    }
    await api(transport, f"CONSUMER.CREATE.{stream}.{durable}", {"stream_name": stream, "config": config})
    puller = _Puller(transport, stream, durable, batch)
    try:
        yield puller
    finally:
        await puller.close()
