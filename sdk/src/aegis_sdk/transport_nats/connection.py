"""A NATS connection that never gives up, as a series of nats-py sessions.

Each session is one TCP connection of nats-py, which does the handshake, TLS and authentication, and is not allowed to
reconnect by itself. When it ends, for whatever reason, the next one is tried within 10 ms, then every 20 to 50 ms, and
the subscriptions are made again. So there is one path for every failure, nothing is buffered to be sent late, and an
error that nats-py takes for final (a revoked password, a broken frame) is an outage like any other.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from aegis_sdk.batches import marked
from aegis_sdk.errors import AegisError, CodecError, ConfigurationError, ConnectionUnavailable, DeadlineExceeded
from aegis_sdk.messages import NO_HEADERS, Headers, Message, StoredMessage
from aegis_sdk.transport import ConnectionState, Delivery, Handler, StateListener, StreamConfig, Subscription
from aegis_sdk.transport_nats import streams
from aegis_sdk.transport_nats.consumers import consume, read
from aegis_sdk.transport_nats.frames import header_block, publication
from aegis_sdk.transport_nats.polling import poll
from aegis_sdk.transport_nats.replies import Replies
from aegis_sdk.transport_nats.session import SESSION_ERRORS, Session

_log = structlog.get_logger("aegis.nats")

_RETRY_S: Final = (0.020, 0.050)
_FIRST_RETRY_S: Final = (0.0, 0.010)
"""After a connection that stood: whoever is away for 100 ms may be taken for dead. Not all at the same moment."""
_MAX_UNSENT_BYTES: Final = 64 << 20


class _Interest:
    """One subscription, from one session to the next."""

    def __init__(self, transport: NatsTransport, subject: str, queue: str, handler: Handler) -> None:
        self._transport = transport
        self.subject = subject
        self.queue = queue
        self.handler = handler
        self.ended = False

    async def unsubscribe(self) -> None:
        await self._transport._end_interest(self)  # pyright: ignore[reportPrivateUsage]


class NatsTransport:
    """The `Transport` port over NATS. Make one with `connect`."""

    def __init__(self, servers: Sequence[str], *, user: str, password: str, name: str, connect_timeout: float) -> None:
        if not servers:
            raise ConfigurationError("servers", "at least one NATS address is needed")
        self._servers = list(dict.fromkeys(servers))
        self._options: dict[str, Any] = {"name": name, "connect_timeout": connect_timeout}
        if user:
            self._options |= {"user": user, "password": password}
        self._state = ConnectionState.CONNECTING
        self._listeners: list[StateListener] = []
        self._interests: dict[_Interest, int] = {}  # to its sid in the session of now; 0: none yet
        self._session: Session | None = None
        self._unsent: list[bytes] = []
        self._flush_due = False
        self._connected = asyncio.Event()
        self._refused = ""
        self._max_payload = 1 << 20
        self._loop = asyncio.get_running_loop()
        self._replies = Replies(self._loop)
        self._interests[_Interest(self, self._replies.subject, "", self._replies.take)] = 0
        self._sessions = self._loop.create_task(self._run_sessions(), name="nats-sessions")

    @classmethod
    async def connect(
        cls,
        servers: Sequence[str],
        *,
        user: str = "",
        password: str = "",
        name: str = "",
        connect_timeout: float = 5.0,
    ) -> NatsTransport:
        """Connect to one of `servers` (`nats://host:port`, `tls://host:port`).

        Raises ConnectionUnavailable where none of them lets us in within `connect_timeout` seconds.
        """
        transport = cls(servers, user=user, password=password, name=name, connect_timeout=min(connect_timeout, 2.0))
        try:
            await transport.wait_connected(connect_timeout)
        except BaseException:
            await transport.close()
            raise
        return transport

    # The connection and its state

    @property
    def state(self) -> ConnectionState:
        return self._state

    @property
    def connected_to(self) -> str:
        """The address of the server of now, without credentials; empty where there is none."""
        return self._session.address if self._session and self._state is ConnectionState.CONNECTED else ""

    @property
    def max_payload_bytes(self) -> int:
        return self._max_payload

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
            reason = f": {self._refused}" if self._refused else ""
            raise ConnectionUnavailable(f"no NATS at {', '.join(map(_shown, self._servers))}{reason}") from None
        if self._state is ConnectionState.CLOSED:
            raise ConnectionUnavailable("the connection was closed")

    async def close(self) -> None:
        if self._state is ConnectionState.CLOSED:
            return
        if self._state is ConnectionState.CONNECTED:
            self._write_out()
        self._become(ConnectionState.CLOSED)
        self._sessions.cancel()
        try:
            await asyncio.wait({self._sessions})
        finally:
            self._replies.end(ConnectionUnavailable("the connection was closed"))

    def _become(self, state: ConnectionState) -> None:
        if state is self._state:
            return
        self._state = state
        if state in (ConnectionState.CONNECTED, ConnectionState.CLOSED):
            self._connected.set()
        else:
            self._connected.clear()
        for listener in tuple(self._listeners):
            try:
                listener(state)
            except Exception:
                _log.exception("state_listener_failed", state=state)

    async def _run_sessions(self) -> None:
        random.shuffle(self._servers)
        for attempt in itertools.count():
            if self._state is ConnectionState.CLOSED:  # nats-py may swallow a cancellation as it connects
                return
            stood = False
            try:
                stood = await self._run_session(self._servers[attempt % len(self._servers)])
            except Exception:  # of nats-py, as it ended
                _log.exception("session_failed")
            await asyncio.sleep(random.uniform(*(_FIRST_RETRY_S if stood else _RETRY_S)))

    async def _run_session(self, server: str) -> bool:
        """One connection from its begin to its end; whether there was one."""
        session = Session()
        try:
            await self._open(session, server)
            if self._state is ConnectionState.CLOSED:  # nats-py has swallowed our cancellation, as above
                return False
            _log.info("connected", server=_shown(server))
            self._become(ConnectionState.CONNECTED)
            await session.over.wait()
            _log.warning("disconnected", server=_shown(server), reason=session.last_error)
            return True
        except Exception as error:  # whatever it was, the next session is tried
            self._note_refusal(server, error)
            return False
        finally:
            self._session = None
            self._unsent = []
            if self._state is ConnectionState.CONNECTED:
                self._become(ConnectionState.RECONNECTING)
                self._replies.end_session()
            await session.close()

    async def _open(self, session: Session, server: str) -> None:
        await session.open(server, self._options)
        self._session = session
        self._refused = ""
        self._max_payload = session.max_payload_bytes
        self._servers.extend(url for url in session.discovered_servers if url not in self._servers)
        for interest in tuple(self._interests):
            await self._express(interest)
        session.write([])
        await session.ping(self._options["connect_timeout"])

    def _note_refusal(self, server: str, error: Exception) -> None:
        text = str(error) or type(error).__name__
        refusal = "wrong user or password" if "authorization" in text.lower() else text
        if refusal != self._refused:
            _log.warning("connect_refused", server=_shown(server), reason=refusal)
        self._refused = refusal

    # Core messages

    def publish(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, reply: str = "") -> None:
        self._send(self._frame(subject, payload, headers, reply))

    def _frame(self, subject: str, payload: bytes, headers: Headers, reply: str) -> bytes:
        block = header_block(headers)
        self._check_size(subject, len(block) + len(payload))
        return publication(subject, payload, block, reply)

    def publish_many(self, messages: Iterable[tuple[str, bytes]], headers: Headers = NO_HEADERS) -> None:
        block = header_block(headers)
        frames: list[bytes] = []
        for subject, payload in messages:
            self._check_size(subject, len(block) + len(payload))
            frames.append(publication(subject, payload, block, ""))
        self._send(b"".join(frames))

    def _check_size(self, subject: str, size: int) -> None:
        """The server would end the connection over a message that is too large, headers included."""
        if size > self._max_payload:
            raise CodecError(f"{size} bytes for {subject}; the server takes at most {self._max_payload}")

    def _send(self, frames: bytes) -> None:
        if self._state is not ConnectionState.CONNECTED:
            raise ConnectionUnavailable("not connected to NATS")
        self._unsent.append(frames)
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._write_out)

    def _write_out(self) -> None:
        """Hand all frames of this turn of the loop to the socket."""
        self._flush_due = False
        if self._session is None:
            return
        frames, self._unsent = self._unsent, []
        if self._session.write(frames) > _MAX_UNSENT_BYTES:
            _log.error("server_too_slow", unsent_bytes=_MAX_UNSENT_BYTES)
            self._session.over.set()

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> Subscription:
        if self._state is ConnectionState.CLOSED:
            raise ConnectionUnavailable("the connection was closed")
        interest = _Interest(self, subject, queue, handler)
        self._interests[interest] = 0
        with suppress(*SESSION_ERRORS):  # a session that ends here is followed by one that expresses it
            await self._express(interest)
        return interest

    async def _express(self, interest: _Interest) -> None:
        if self._session is not None and not interest.ended:
            self._interests[interest] = await self._session.subscribe(
                interest.subject, interest.queue, interest.handler
            )

    async def _end_interest(self, interest: _Interest) -> None:
        interest.ended = True
        sid = self._interests.pop(interest, 0)
        session = self._session
        if not sid or session is None:
            return
        with suppress(*SESSION_ERRORS, ConnectionUnavailable, DeadlineExceeded):
            self._write_out()  # what was published before it comes first
            await session.unsubscribe(sid)
            await self.flush()
        session.forget(sid)

    async def request(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> Message:
        return await self._ask(subject, payload, headers, timeout, of_session=streams.is_api(subject))

    def _ask(
        self, subject: str, payload: bytes, headers: Headers, timeout: float, *, of_session: bool
    ) -> asyncio.Future[Message]:
        """Send a request before returning; its first reply comes to the future."""
        inbox = self._replies.new_inbox()
        self.publish(subject, payload, headers, inbox)
        return self._replies.expect(inbox, subject, timeout, of_session=of_session)

    async def flush(self, timeout: float = 5.0) -> None:
        session = self._session
        if session is None or self._state is not ConnectionState.CONNECTED:
            raise ConnectionUnavailable("not connected to NATS")
        self._write_out()
        try:
            await session.ping(timeout)
        except TimeoutError:
            raise DeadlineExceeded(f"no answer to a ping within {timeout * 1000:.0f} ms") from None

    # Streams

    async def ensure_stream(self, config: StreamConfig) -> None:
        await streams.ensure(self, config)

    async def stream_config(self, stream: str) -> StreamConfig:
        return await streams.configuration(self, stream)

    async def append(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0) -> int:
        asked = self._ask(subject, payload, headers, timeout, of_session=True)
        return streams.acknowledged_sequence((await asked).payload)

    def append_now(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> asyncio.Future[int]:
        sequence: asyncio.Future[int] = self._loop.create_future()
        try:
            asked = self._ask(subject, payload, headers, timeout, of_session=True)
        except AegisError as error:
            sequence.set_exception(error)
        else:
            asked.add_done_callback(partial(streams.settle, sequence))
        return sequence

    async def append_batch(self, messages: Sequence[tuple[str, bytes, Headers]], timeout: float = 5.0) -> int:
        if len(messages) == 1:
            return await self.append(*messages[0], timeout)
        first, last = self._replies.new_inbox(), self._replies.new_inbox()
        inboxes = [first, *[""] * (len(messages) - 2), last]
        frames = [self._frame(*message, inbox) for message, inbox in zip(marked(messages), inboxes, strict=True)]
        self._send(b"".join(frames))
        sequence: asyncio.Future[int] = self._loop.create_future()
        opened = self._replies.expect(first, messages[0][0], timeout, of_session=True)
        opened.add_done_callback(partial(streams.settle, sequence, opening=True))
        committed = self._replies.expect(last, messages[-1][0], timeout, of_session=True)
        committed.add_done_callback(partial(streams.settle, sequence))
        return await sequence

    async def purge(self, stream: str, subject: str, before: int) -> int:
        return await streams.purge(self, stream, subject, before)

    async def last(self, stream: str, subject: str) -> StoredMessage | None:
        return await streams.last(self, stream, subject)

    async def next(self, stream: str, subject: str, after: int) -> StoredMessage | None:
        return await streams.behind(self, stream, subject, after)

    async def last_sequence(self, stream: str) -> int:
        return await streams.last_sequence(self, stream)

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
        if pause is not None:
            return poll(self, stream, subject, after, last_per_subject, pause)
        return read(self, stream, subject, after, last_per_subject, idle_heartbeat_s)

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
        return consume(self, stream, durable, subject, ack_wait_s, max_deliver, batch)


def _shown(server: str) -> str:
    """The address of a server without the credentials that may stand in it."""
    parts = urlsplit(server if "://" in server else f"nats://{server}")
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 4222}"


__all__ = ["NatsTransport"]
