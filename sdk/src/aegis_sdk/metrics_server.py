"""A process's own pages over HTTP, on the loopback address: `/metrics` for Prometheus, `/healthz` for its starter.

It answers GET and HEAD, in the event loop of the service, and closes the connection. A peer can neither make it wait
nor make it remember much: a request has at most 8 KB and 5 s, and there are at most 16 at a time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from aegis_sdk.errors import ConfigurationError
from aegis_sdk.figures import Figures

__all__ = ["MetricsServer", "metrics_server"]

_log = structlog.get_logger("aegis.metrics")

HOST: Final = "127.0.0.1"
_MAX_HEAD_BYTES: Final = 8_192
_MAX_CONNECTIONS: Final = 16
_REQUEST_S: Final = 5.0
_TEXT: Final = "text/plain; charset=utf-8"
_REASONS: Final = {
    200: "OK",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class _Page(NamedTuple):
    status: int
    body: bytes
    content_type: str = _TEXT


class MetricsServer:
    """Use `metrics_server`. Until it is told whose figures to show, it says that it is not ready."""

    def __init__(self) -> None:
        self.port = 0
        self._figures: Figures | None = None
        self._registry = CollectorRegistry(auto_describe=False)
        self.at_work: set[asyncio.Task[None]] = set()  # one for each connection

    def show(self, figures: Figures) -> None:
        self._figures = figures
        self._registry.register(figures)  # pyright: ignore[reportArgumentType]  # it has what is asked of a collector

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self.at_work.add(task)
        try:
            async with asyncio.timeout(_REQUEST_S):
                if len(self.at_work) <= _MAX_CONNECTIONS:
                    writer.write(await self._response(reader))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()  # the peer is gone, or sends nothing, or takes nothing
        finally:
            self.at_work.discard(task)
            writer.close()

    async def end(self) -> None:
        """Leave those that are at work."""
        for task in tuple(self.at_work):
            task.cancel()
        await asyncio.gather(*self.at_work, return_exceptions=True)

    async def _response(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _written(_Page(431, b"the request is too long\n"))
        method, _, rest = head.partition(b" ")
        if method not in (b"GET", b"HEAD"):
            return _written(_Page(405, b"GET or HEAD\n"))
        return _written(self._page(rest.partition(b" ")[0].partition(b"?")[0]), with_body=method == b"GET")

    def _page(self, path: bytes) -> _Page:
        try:
            match path:
                case b"/metrics":
                    return self._metrics()
                case b"/healthz":
                    return self._health()
                case _:
                    return _Page(404, b"/metrics or /healthz\n")
        except Exception:
            _log.exception("page_failed", path=path.decode(errors="replace"))
            return _Page(500, b"the log says why\n")

    def _metrics(self) -> _Page:
        if self._figures is None:
            return _Page(503, b"starting\n")
        return _Page(200, generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4)

    def _health(self) -> _Page:
        figures = self._figures
        healthy = figures is not None and figures.is_healthy
        body = {"healthy": healthy, "status": "STARTING" if figures is None else figures.status}
        return _Page(200 if healthy else 503, json.dumps(body).encode() + b"\n", "application/json")


@asynccontextmanager
async def metrics_server(port: int) -> AsyncGenerator[MetricsServer]:
    """Listens while it is open; on a free port where `port` is 0. Raises ConfigurationError where it is in use."""
    pages = MetricsServer()
    try:
        server = await asyncio.start_server(pages.serve, HOST, port, limit=_MAX_HEAD_BYTES, backlog=_MAX_CONNECTIONS)
    except OSError as error:
        raise ConfigurationError("AEGIS_METRICS_PORT", f"{HOST}:{port} cannot be used: {error.strerror}") from None
    pages.port = server.sockets[0].getsockname()[1]
    try:
        yield pages
    finally:
        server.close()
        await pages.end()
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(1.0):
                await server.wait_closed()


def _written(page: _Page, *, with_body: bool = True) -> bytes:
    lines = (
        f"HTTP/1.1 {page.status} {_REASONS[page.status]}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(page.body)}",
        "Cache-Control: no-store",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (page.body if with_body else b"")
