"""For tests: real servers with a directory of their own that is gone afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from aegis_sdk.server import EmbeddedServer, ServerOptions

__all__ = ["NatsAccess", "nats_server", "nats_server_thread"]


@dataclass(frozen=True, kw_only=True)
class NatsAccess:
    """How to connect to a server."""

    urls: list[str]
    user: str
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        return self.urls[0]


@asynccontextmanager
async def nats_server(nodes: Literal[1, 3] = 1) -> AsyncGenerator[EmbeddedServer]:
    """A server, or a cluster, in a temporary directory."""
    with TemporaryDirectory(prefix="aegis-nats-") as directory:
        async with EmbeddedServer(ServerOptions(directory=Path(directory), nodes=nodes)) as server:
            yield server


@contextmanager
def nats_server_thread(nodes: Literal[1, 3] = 1) -> Generator[NatsAccess]:
    """A server whose event loop is a thread of its own: many tests, each with its own loop, may share it."""
    ready: Future[tuple[NatsAccess, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        async with nats_server(nodes) as server:
            user = server.credentials
            access = NatsAccess(urls=server.urls, user=user.user, password=user.password)
            done = asyncio.Event()
            ready.set_result((access, asyncio.get_running_loop(), done))
            await done.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=run, name="nats-server")
    thread.start()
    try:
        access, loop, done = ready.result()
        try:
            yield access
        finally:
            loop.call_soon_threadsafe(done.set)
    finally:
        thread.join()
