"""uvicorn inside of the service's own event loop, on a socket that is bound before anybody is told of it."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from aegis.management.settings import ManagementSettings
from aegis_sdk.errors import ConfigurationError

__all__ = ["bound", "serve"]

_BACKLOG: Final = 256
_MOST_CONNECTIONS: Final = 1_000
_HEAD_BYTES: Final = 16_384
_SENT_BYTES: Final = 131_072
"""Of each connection the system holds twice that, and not megabytes of what is old before it is read."""
_MESSAGE_BYTES: Final = 65_536
_FAREWELL_S: Final = 3
_REQUEST_S: Final = 10.0
"""From the connection, or the first byte of a later request, to the end of its body; who takes longer is left."""
_UNTAKEN_MS: Final = 30_000
"""Who takes nothing of what was sent to him for so long is cut off by the system."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # they are the program's


class _Connection(H11Protocol):
    """The one that knows a bound for heads; and each request has to be whole in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.transport.get_protocol() is self and self._is_in_part():
            self._expect()
        else:
            self._expect_nothing()

    def _is_in_part(self) -> bool:
        """Whether some of a request has come, and not all of it."""
        state = self.conn.their_state
        return state is h11.SEND_BODY or (state is h11.IDLE and bool(self.conn.trailing_data[0]))

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(_REQUEST_S, self.transport.close)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def bound(settings: ManagementSettings) -> socket.socket:
    """The socket, listening. Raises ConfigurationError where the address cannot be had."""
    try:
        return _listening(settings, settings.port)
    except OSError as error:
        if settings.any_port and error.errno == errno.EADDRINUSE:
            return _listening(settings, 0)
        where = f"{settings.host}:{settings.port}"
        raise ConfigurationError("AEGIS_MANAGEMENT_PORT", f"{where} cannot be used: {error.strerror}") from None


def _listening(settings: ManagementSettings, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_BYTES)  # connections inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNTAKEN_MS)
        listener.bind((settings.host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(
    app: ASGIApp, settings: ManagementSettings, listener: socket.socket, tls: ssl.SSLContext | None
) -> None:
    """Until it is cancelled; requests at work have three seconds then. `tls` None: the way is open."""
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            http=_Connection,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            h11_max_incomplete_event_size=_HEAD_BYTES,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_FAREWELL_S,
            proxy_headers=bool(settings.proxies),
            forwarded_allow_ips=list(settings.proxies),
            ssl_context_factory=None if tls is None else lambda *_: tls,
        )
    )
    serving = asyncio.create_task(server.serve([listener]), name="web server")
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await asyncio.wait({serving})
