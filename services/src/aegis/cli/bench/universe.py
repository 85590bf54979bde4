"""`aegis bench universe`: how long a whole market takes to be subscribed, and how much memory that needs.

The market data service runs as a process of its own with the simulated market: all futures, and then some 25,000
contracts with options. First nothing is wanted; then one wish asks for everything. Memory is that of the service, the
simulated market in it included.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aegis.cli.bench.figures import Case, Figures, Report
from aegis.contracts.marketdata import STATUS, FeedStatus
from aegis.contracts.subscriptions import SUBSCRIBE, UNSUBSCRIBE, Scope, UnsubscribeRequest, WishRequest
from aegis_sdk.client import Client
from aegis_sdk.method import Empty
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport_nats import NatsTransport

_LOOK_S: Final = 0.01
_DEADLINE_S: Final = 60.0
_EVERYTHING: Final = Scope(kind=None)
_CONSUMER: Final = "bench"


async def bench_universe(server: EmbeddedServer, *, universes: Sequence[str] = ("futures", "options")) -> Report:
    """One case for each universe of the simulated market."""
    return Report("universe", [Case(name, await _measured(server, name)) for name in universes])


async def _measured(server: EmbeddedServer, universe: str) -> Figures:
    began = time.perf_counter()
    async with _service(server, universe) as (client, process):
        known = await _until(client, lambda status: status.instruments > 0)
        known_s = time.perf_counter() - began
        memory_before = _memory_mb(process.pid)
        asked = time.perf_counter()
        await client.call(SUBSCRIBE, WishRequest(consumer=_CONSUMER, scopes=[_EVERYTHING]), timeout=_DEADLINE_S)
        await _until(client, lambda status: status.subscribed == known.instruments)
        subscribed_s = time.perf_counter() - asked
        proved = await _until(client, lambda status: status.ticking == known.instruments)
        proved_s = time.perf_counter() - asked
        memory = _memory_mb(process.pid)
        given_up = time.perf_counter()
        request = UnsubscribeRequest(consumer=_CONSUMER, everything=True)
        await client.call(UNSUBSCRIBE, request, timeout=_DEADLINE_S)
        await _until(client, lambda status: status.subscribed == 0)
        return {
            "instruments": known.instruments,
            "known_ms": known_s * 1e3,
            "subscribed_ms": subscribed_s * 1e3,
            "proved_ms": proved_s * 1e3,
            "unsubscribed_ms": (time.perf_counter() - given_up) * 1e3,
            "memory_before_mb": memory_before,
            "memory_mb": memory,
            "lost": proved.lost + proved.conflated,
        }


@asynccontextmanager
async def _service(server: EmbeddedServer, universe: str) -> AsyncGenerator[tuple[Client, asyncio.subprocess.Process]]:
    user = server.credentials
    settings = {
        "AEGIS_NATS_URL": ",".join(server.urls),
        "AEGIS_NATS_USER": user.user,
        "AEGIS_NATS_PASSWORD": user.password,
        "AEGIS_FEED": f"bench-{universe}",
        "AEGIS_UNIVERSE": universe,
        "AEGIS_WANTED": "nothing",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "aegis.marketdata",
        env={**inherited, **settings},
        stderr=asyncio.subprocess.DEVNULL,
    )
    transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
    try:
        yield Client(transport), process
    finally:
        await transport.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until(client: Client, holds: Callable[[FeedStatus], bool]) -> FeedStatus:
    async with asyncio.timeout(_DEADLINE_S):
        while True:
            status = await client.call(STATUS, Empty(), timeout=_DEADLINE_S)
            if holds(status):
                return status
            await asyncio.sleep(_LOOK_S)


def _memory_mb(pid: int) -> float:
    """What a process holds in memory now, of what it shares its whole."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
