"""The port between the SDK and a message system. Two adapters: `transport_nats` and `transport_memory`.

Core messages are at most once, in order per publisher. Streams store what is published on their subjects and
give each message a sequence. What an adapter promises is written down as the contract suite, which runs over both.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from aegis_sdk import subjects
from aegis_sdk.messages import NO_HEADERS, Headers, Message, StoredMessage

__all__ = ["ConnectionState", "Delivery", "Handler", "StateListener", "StreamConfig", "Subscription", "Transport"]

Handler = Callable[[Message], None]
"""Called in the event loop for each message, in order. It must not block; it starts tasks of its own."""


class ConnectionState(StrEnum):
    """What a connection reports. It leaves CLOSED never, and every other state by itself."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


StateListener = Callable[[ConnectionState], None]


@dataclass(frozen=True, kw_only=True)
class StreamConfig:
    """A stream to be. Created where it is missing, changed where it differs."""

    name: str  # a token
    subjects: Sequence[str]
    storage: Literal["file", "memory"] = "file"
    replicas: int = 1
    max_bytes: int = -1  # -1: no bound
    max_age_s: float = 0  # 0: no bound
    max_per_subject: int = -1  # -1: no bound
    duplicate_window_s: float = 120
    allow_direct: bool = True  # reads served by any replica; never for a ledger
    persist_async: bool = False  # one replica only: acknowledged before it is flushed to the disk
    work_queue: bool = False  # a message is gone once a consumer has acknowledged it
    discard_new: bool = False  # refuse a message that does not fit max_bytes, instead of forgetting the oldest
    deny_delete: bool = False  # no single message may be deleted through the server's API
    deny_purge: bool = False  # nor all, or those of a subject; neither is ever allowed again
    message_ttl: bool = False  # messages may carry Nats-TTL
    marker_ttl_s: float = 0  # an expired last message of a subject leaves a marker for so long; the least Nats-TTL
    rollup: bool = False  # messages may carry Nats-Rollup
    atomic: bool = False  # atomic batches
    first_sequence: int = 0  # of a stream that is created; 0: 1. Never changed later
    renamed: tuple[str, str] | None = None  # `("a", "b")`: what is published to `a.x` is stored as if to `b.x`

    def __post_init__(self) -> None:
        subjects.token(self.name, "stream")
        for prefix in self.renamed or ():
            subjects.token(prefix, "renamed")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message of a durable consumer. Acknowledge it, or it comes again."""

    message: StoredMessage
    attempt: int  # from 1
    ack: Callable[[], Awaitable[None]]
    nak: Callable[[float], Awaitable[None]]  # comes again after that many seconds
    term: Callable[[], Awaitable[None]]  # never comes again


class Subscription(Protocol):
    async def unsubscribe(self) -> None:
        """End interest. Returns when no handler will be called any more for messages sent from now on."""
        ...


class Transport(Protocol):
    """A connection that never gives up.

    `publish` and `request` raise ConnectionUnavailable at once while there is no connection: nothing is kept to be
    sent late. Subscriptions outlive reconnects.
    """

    @property
    def state(self) -> ConnectionState: ...

    @property
    def max_payload_bytes(self) -> int:
        """What the server takes of a message, headers included."""
        ...

    def on_state(self, listener: StateListener) -> Callable[[], None]:
        """Call `listener` at each change of state; returns what ends that."""
        ...

    async def wait_connected(self, timeout: float) -> None:
        """Return when connected; ConnectionUnavailable after `timeout` seconds."""
        ...

    def publish(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, reply: str = "") -> None:
        """Send one message, at most once. Messages of one turn of the event loop go out together.

        Raises CodecError for what is larger than the server takes, headers included, and ValueError for a header that
        holds a line break; the connection goes on.
        """
        ...

    def publish_many(self, messages: Iterable[tuple[str, bytes]], headers: Headers = NO_HEADERS) -> None:
        """`publish` for many (subject, payload) that share their headers: all in order, or none where it raises."""
        ...

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> Subscription:
        """Call `handler` for each message; of a queue group one member gets each.

        What others send is heard for certain once a `flush` has returned after this. What a handler raises is logged.
        """
        ...

    async def request(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> Message:
        """The first reply. Raises Unavailable where nobody listens, DeadlineExceeded after `timeout` seconds.

        A request under way when the connection breaks waits on: who takes his time may answer after it is back.
        """
        ...

    async def flush(self, timeout: float = 5.0) -> None:
        """Return when the server has processed all that was sent before."""
        ...

    async def close(self) -> None:
        """End it, for good. What was published is sent; requests under way raise ConnectionUnavailable."""
        ...

    # Streams. All raise StreamError where the server refuses (10059: no such stream), Unavailable or DeadlineExceeded
    # where JetStream is away, and ConnectionUnavailable where the connection is. What is under way when the connection
    # breaks raises DeadlineExceeded at once: its answer is lost, and whether it had an effect is not known.

    async def ensure_stream(self, config: StreamConfig) -> None:
        """Create the stream, or change it where it differs; returns when it answers.

        Waits up to 15 s for that, and for a JetStream that only starts.
        """
        ...

    async def stream_config(self, stream: str) -> StreamConfig:
        """The configuration that the stream has now, whoever made or changed it."""
        ...

    async def append(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0) -> int:
        """Publish into the stream that captures `subject`, wait until it is stored; its sequence.

        Raises Unavailable where no stream does, StreamError 10071 where an expected sequence in its headers is wrong.
        A `Nats-Msg-Id` seen within the duplicate window is stored once: the sequence is that of the first.
        """
        ...

    def append_now(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> Future[int]:
        """`append`, sent before this returns: in its place among what `publish` and `publish_many` send.

        What `append` raises is the future's exception, ConnectionUnavailable too: this call itself raises nothing.
        """
        ...

    async def append_batch(self, messages: Sequence[tuple[str, bytes, Headers]], timeout: float = 5.0) -> int:
        """Store all messages, next to each other, or none (ADR-50); the sequence of the last. 1 to 1,000 messages.

        The stream must be `atomic`. Raises what `append` raises: 10071 where one guard does not hold, 10164 where a
        guarded write of the same subject is in flight, 10210 where the stream has too many open batches.
        """
        ...

    async def purge(self, stream: str, subject: str, before: int) -> int:
        """Delete the messages of a subject whose sequence is below `before`; how many they were."""
        ...

    async def last(self, stream: str, subject: str) -> StoredMessage | None:
        """The last message of a subject, or of all that a pattern matches; None where there is none."""
        ...

    async def next(self, stream: str, subject: str, after: int) -> StoredMessage | None:
        """The first message behind a sequence of a subject, or of all that a pattern matches; None where there is none.

        The stream's leader answers, as for `last`. A reader is served by one node of a cluster, deaf if that dies.
        """
        ...

    async def last_sequence(self, stream: str) -> int:
        """The sequence of the stream's last message; where it never had one, of before its first."""
        ...

    def read(
        self,
        stream: str,
        subject: str | Sequence[str] = ">",
        *,
        after: int = 0,
        last_per_subject: bool = False,
        idle_heartbeat_s: float = 0.5,
        pause: Callable[[], Awaitable[None]] | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[StoredMessage | None]]:
        """The stored messages of `subject` in order, then each new one as it comes, without a gap or a repeat.

        Several subjects are read in the one order of the stream; of these no two may match the same subject.
        Starts after sequence `after`, or with the last message of each subject. None is yielded once, each time
        the reader has caught up with the stream's end as it was at the start, or after a gap was healed. Nothing
        is acknowledged; a broken connection, a dead server or a lost message is healed from the last sequence seen.
        With `pause` the reader looks for more, and awaits it when nothing is there, instead of being told of each
        message: for who has time, many cost little more than one. The iterator ends when the connection is closed.
        """
        ...

    def consume(
        self,
        stream: str,
        durable: str,
        subject: str,
        *,
        ack_wait_s: float = 30,
        max_deliver: int = -1,
        batch: int = 16,
    ) -> AbstractAsyncContextManager[AsyncIterator[Delivery]]:
        """Deliveries of a durable consumer, shared by all who name it; it remembers what was acknowledged.

        Each message comes at least once, and again when it is not acknowledged within `ack_wait_s`, but at most
        `max_deliver` times (-1: no bound). Up to `batch` messages are fetched ahead, and `ack_wait_s` counts from
        then; what was not taken when the context ends is given back at once, but an attempt of it is spent: with a
        bound, fetch one at a time. The iterator ends when the connection is closed.
        """
        ...
