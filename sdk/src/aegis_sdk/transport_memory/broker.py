"""The server of the memory transport: who is connected, who gets what, and the streams."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from aegis_sdk import codec, subjects
from aegis_sdk.errors import STREAM_NOT_FOUND, StreamError
from aegis_sdk.messages import Message
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_memory.consumers import DurableConsumer
from aegis_sdk.transport_memory.stream import MemoryStream, Storage

_MAX_ROUTES = 4096


class Interest(Protocol):
    """One subscription of one connection."""

    @property
    def subject(self) -> str: ...

    @property
    def queue(self) -> str: ...

    def arrive(self, message: Message) -> None:
        """Take a message; it is handled in the next turn of the loop."""
        ...


class Connection(Protocol):
    """What the broker sees of a MemoryTransport."""

    @property
    def interests(self) -> Sequence[Interest]: ...

    def refresh_state(self, *, reachable: bool) -> None: ...


class _Route(NamedTuple):
    """Who gets a subject: each of `each`, and one of each group."""

    each: list[Interest]
    groups: list[list[Interest]]


class MemoryBroker:
    """The server that connections of one event loop share. Tests use `stop`, `start`, `disconnect`, `reconnect`."""

    def __init__(self) -> None:
        self._running = True
        self._connections: dict[Connection, bool] = {}  # to whether it is reachable
        self._routes: dict[str, _Route] = {}
        self._turns = itertools.count()
        self._streams: dict[str, MemoryStream] = {}
        self._consumers: dict[tuple[str, str], DurableConsumer] = {}
        self._expiry: asyncio.TimerHandle | None = None
        self._started_ns = time.time_ns() - time.monotonic_ns()

    # Outages

    def stop(self) -> None:
        """Disconnect everybody; core messages on their way are lost, streams are kept."""
        self._running = False
        self._refresh_states()

    def start(self) -> None:
        """End what `stop` began: connections are live again, except those that `disconnect` has cut."""
        self._running = True
        self._refresh_states()

    def disconnect(self, connection: Connection) -> None:
        """Cut one connection, until `reconnect`."""
        self._set_reachable(connection, reachable=False)

    def reconnect(self, connection: Connection) -> None:
        """End what `disconnect` began."""
        self._set_reachable(connection, reachable=True)

    def _set_reachable(self, connection: Connection, *, reachable: bool) -> None:
        if connection in self._connections:
            self._connections[connection] = reachable
            self._refresh_states()

    def _refresh_states(self) -> None:
        self._routes.clear()
        for connection, reachable in tuple(self._connections.items()):
            connection.refresh_state(reachable=self._running and reachable)

    # For connections

    def attach(self, connection: Connection) -> None:
        self._connections[connection] = True
        self._refresh_states()

    def detach(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        self._routes.clear()

    def interests_changed(self) -> None:
        self._routes.clear()

    def send(self, message: Message) -> bool:
        """Hand a message to all who get it, streams too; whether there is anybody."""
        route = self._route(message.subject)
        turn = next(self._turns)
        for interest in route.each:
            interest.arrive(message)
        for members in route.groups:
            members[turn % len(members)].arrive(message)
        return self._capture(message) or bool(route.each or route.groups)

    def _route(self, subject: str) -> _Route:
        route = self._routes.get(subject)
        if route is None:
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            route = self._routes[subject] = self._find_route(subject)
        return route

    def _find_route(self, subject: str) -> _Route:
        each: list[Interest] = []
        groups: dict[tuple[str, str], list[Interest]] = {}
        for connection, reachable in self._connections.items():
            for interest in connection.interests if reachable and self._running else ():
                if not subjects.matches(interest.subject, subject):
                    continue
                if interest.queue:
                    groups.setdefault((interest.subject, interest.queue), []).append(interest)
                else:
                    each.append(interest)
        return _Route(each, list(groups.values()))

    # Streams

    def ensure_stream(self, config: StreamConfig) -> None:
        for name, other in self._streams.items():
            overlap = any(other.captures(subject) for subject in config.subjects)
            if name != config.name and overlap:
                raise StreamError("subjects overlap with an existing stream", 10065)
        if config.name in self._streams:
            self._streams[config.name].configure(config)
        else:
            self._streams[config.name] = MemoryStream(config)

    def stream(self, name: str) -> MemoryStream:
        """A stream, without what has expired until now."""
        if name not in self._streams:
            raise StreamError("stream not found", STREAM_NOT_FOUND)
        self._expire()
        return self._streams[name]

    def consumer(
        self, name: str, durable: str, subject: str, *, ack_wait_s: float, max_deliver: int
    ) -> DurableConsumer:
        """The durable consumer of that name, made or changed to be as asked for."""
        stream = self.stream(name)
        if stream.config.work_queue:
            self._check_unique(name, durable, subject)
        consumer = self._consumers.setdefault((name, durable), DurableConsumer(stream))
        consumer.subject, consumer.ack_wait_s, consumer.max_deliver = subject, ack_wait_s, max_deliver
        return consumer

    def _check_unique(self, stream: str, durable: str, subject: str) -> None:
        for (of_stream, name), consumer in self._consumers.items():
            if of_stream == stream and name != durable and subjects.matches(consumer.subject, subject):
                raise StreamError("filtered consumer not unique on workqueue stream", 10100)

    def _capture(self, message: Message) -> bool:
        stream = next((stream for stream in self._streams.values() if stream.captures(message.subject)), None)
        if stream is None:
            return False
        self._expire()
        name = stream.config.name
        try:
            answer = _acknowledgement(name, stream.store(message, self.now(), self._utc_ns()))
        except StreamError as error:
            refusal = {"err_code": error.code, "description": error.description}
            answer = codec.encode_json({"error": refusal, "stream": name, "seq": 0})
        self._expire()
        if message.reply:
            self.send(Message(message.reply, answer))
        return True

    def _expire(self) -> None:
        """Let streams forget what is due, and come back when the next is."""
        now = self.now()
        for stream in self._streams.values():
            stream.expire(now, self._utc_ns())
        due = [expiry for stream in self._streams.values() if (expiry := stream.next_expiry) is not None]
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_at(min(due), self._expire) if due else None

    def now(self) -> float:
        """Seconds of the event loop's clock."""
        return asyncio.get_running_loop().time()

    def _utc_ns(self) -> int:
        return self._started_ns + int(self.now() * 1e9)


def _acknowledgement(stream: str, storage: Storage | None) -> bytes:
    """What who appends is told; nothing yet where it is a message of a batch."""
    if storage is None:
        return b""
    sequence, duplicate = storage
    return codec.encode_json({"stream": stream, "seq": sequence} | ({"duplicate": True} if duplicate else {}))
