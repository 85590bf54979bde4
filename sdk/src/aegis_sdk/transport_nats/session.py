"""One TCP connection of nats-py, from handshake to its end: the only place that knows nats-py's inside.

nats-py 2.16 does addresses, TLS, authentication, pings and subscriptions. It is pinned to this minor version because
private names of it are used here: `_ps` (the parser, replaced), `_pending` (frames to be written), `_transport`, and
`_close`, to which every end of a session comes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, cast

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from aegis_sdk.errors import ConnectionUnavailable
from aegis_sdk.transport import Handler
from aegis_sdk.transport_nats.parser import DirectParser

_log = structlog.get_logger("aegis.nats")

_PING_S: Final = 1
_PINGS_UNANSWERED: Final = 2

SESSION_ERRORS: Final = (OSError, NatsError, TimeoutError, ValueError)
"""What opening or using a session may raise."""


class _Client(Client):
    """Says at once that it is over: nats-py calls back when all is written, which a server that hangs never reads."""

    def __init__(self, over: asyncio.Event) -> None:
        super().__init__()
        self._over = over

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        self._over.set()
        await super()._close(status, do_cbs)


class Session:
    """A session begins with `open` and never reconnects; `over` is set when it has ended."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self._nc: Any = _Client(self.over)
        self._parser = DirectParser(self._nc._ps)
        self._nc._ps = self._parser

    async def open(self, server: str, options: dict[str, Any]) -> None:
        """Connect and authenticate. Raises one of SESSION_ERRORS where the server cannot be reached or refuses."""
        await self._nc.connect(
            [server],
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.02,
            ping_interval=_PING_S,
            max_outstanding_pings=_PINGS_UNANSWERED,
            error_cb=_note_error,
            skip_subject_validation=True,
            **options,
        )

    @property
    def address(self) -> str:
        url = self._nc.connected_url
        return f"{url.hostname}:{url.port}" if url else ""

    @property
    def max_payload_bytes(self) -> int:
        return int(self._nc.max_payload)

    @property
    def discovered_servers(self) -> list[str]:
        """Further servers of the cluster, as it told us."""
        return [f"{url.scheme}://{url.hostname}:{url.port}" for url in self._nc.discovered_servers]

    @property
    def last_error(self) -> str:
        return str(self._nc.last_error or "")

    async def subscribe(self, subject: str, queue: str, handler: Handler) -> int:
        """Express interest; the subscription's id in this session."""
        sid: int = (await self._nc.subscribe(subject, queue=queue))._id
        self._parser.route(sid, handler)
        return sid

    async def unsubscribe(self, sid: int) -> None:
        self._nc._remove_sub(sid)
        await self._nc._send_unsubscribe(sid)

    def forget(self, sid: int) -> None:
        """Deliver nothing more to the handler of a subscription."""
        self._parser.forget(sid)

    def write(self, frames: list[bytes]) -> int:
        """Hand frames to the socket, after what nats-py itself has to say; how many bytes wait there."""
        nc = self._nc
        nc._pending.extend(frames)
        pending, nc._pending, nc._pending_data_size = nc._pending, [], 0
        try:
            if pending:
                nc._transport.writelines(pending)
            return nc._transport._io_writer.transport.get_write_buffer_size()
        except RuntimeError:  # uvloop's word for a socket that was closed a moment ago
            self.over.set()
            return 0

    async def ping(self, timeout: float) -> None:
        """Return when the server has processed all that was written; ConnectionUnavailable if the session ends first.

        Raises TimeoutError after `timeout` seconds. The answer may come later: nats-py must find its future uncancelled
        then, or it reads nothing more.
        """
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        try:
            await cast("Callable[[asyncio.Future[bool]], Awaitable[None]]", self._nc._send_ping)(pong)
        except RuntimeError:  # uvloop's word for a socket that was closed a moment ago
            self.over.set()
        over = asyncio.ensure_future(self.over.wait())
        try:
            done, _ = await asyncio.wait((pong, over), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        if pong in done:
            return
        raise ConnectionUnavailable("the connection was lost") if done else TimeoutError

    async def close(self) -> None:
        """End it, without waiting for a server that may hang. Cancelled, it still leaves no socket behind."""
        writer = getattr(self._nc._transport, "_io_writer", None)  # nats-py may let go of it meanwhile
        try:
            with suppress(*SESSION_ERRORS, ConnectionUnavailable, AssertionError):
                async with asyncio.timeout(0.5):
                    if self._nc.is_connected:
                        await self.ping(0.2)
        finally:
            await self._abort(writer)

    async def _abort(self, writer: Any) -> None:
        with suppress(*SESSION_ERRORS, AssertionError, RuntimeError):
            async with asyncio.timeout(0.5):
                if writer is not None:
                    writer.transport.abort()
                self._nc._pending, self._nc._pending_data_size = [], 0
                await self._nc.close()


async def _note_error(error: Exception) -> None:
    """Most errors end the session and are told there; a refused permission does not, and must not go unseen."""
    if "permissions violation" in str(error).lower():
        _log.error("not_permitted", reason=str(error))
