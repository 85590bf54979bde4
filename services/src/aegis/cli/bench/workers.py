"""The other processes of a benchmark: started by it, ended by it, and ready when they say so."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvloop

from aegis_sdk.server import EmbeddedServer
from aegis_sdk.telemetry import configure_logging
from aegis_sdk.transport_nats import NatsTransport

_READY_S = 30.0
_ENV = ("AEGIS_BENCH_URLS", "AEGIS_BENCH_USER", "AEGIS_BENCH_PASSWORD")


class Worker:
    """A child process that speaks JSON lines on its standard output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def send_signal(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT, SIGKILL and the like; one that has ended gets none."""
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def say(self, text: str) -> None:
        """One line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode() + b"\n")
        await self._process.stdin.drain()

    async def hear(self, timeout: float = _READY_S) -> Any:
        """Its next line. RuntimeError where it ended instead."""
        assert self._process.stdout is not None
        async with asyncio.timeout(timeout):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a benchmark process ended with {await self._process.wait()}")
        return msgspec.json.decode(line)


@asynccontextmanager
async def worker(
    server: EmbeddedServer, module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Worker]:
    """Run `python -m module arguments` against the server; ready when this yields, gone afterwards."""
    values = (",".join(server.urls), server.credentials.user, server.credentials.password)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {}), **dict(zip(_ENV, values, strict=True))},
    )
    try:
        made = Worker(process)
        await made.hear()
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def access() -> tuple[list[str], str, str]:
    """In a worker: the addresses, user and password of the server under test."""
    urls, user, password = (os.environ[name] for name in _ENV)
    return urls.split(","), user, password


async def connect() -> NatsTransport:
    """In a worker: a connection to the server under test."""
    urls, user, password = access()
    return await NatsTransport.connect(urls, user=user, password=password)


def tell(value: Any) -> None:
    """In a worker: one JSON line to the benchmark."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


async def asked() -> str:
    """In a worker: the next line of the benchmark."""
    return (await asyncio.to_thread(sys.stdin.readline)).strip()


def run(main: Coroutine[Any, Any, None]) -> None:
    """A worker's main program, on the loop that services run on; its standard output is for `tell` alone."""
    configure_logging(level=logging.ERROR)
    uvloop.run(main)
