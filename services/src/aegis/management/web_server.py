"""uvicorn inside of the service's own event loop, on a socket that is bound before anybody is told of it."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

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


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # they are the program's


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
        listener.bind((settings.host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(app: ASGIApp, settings: ManagementSettings, listener: socket.socket) -> None:
    """Until it is cancelled; requests at work have three seconds then."""
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            h11_max_incomplete_event_size=_HEAD_BYTES,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_FAREWELL_S,
            proxy_headers=bool(settings.proxies),
            forwarded_allow_ips=list(settings.proxies),
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
        )
    )
    serving = asyncio.create_task(server.serve([listener]), name="web server")
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await asyncio.wait({serving})
