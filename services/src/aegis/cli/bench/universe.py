"""`aegis bench universe`: how long a whole market takes to be subscribed, and how much memory that needs.

The market data service runs as a process of its own: all futures, and then some 25,000 contracts with options. First
nothing is wanted; then one wish asks for everything. Its feed is the simulated market, which is part of the service and
of its memory; or a simulated CTP counter, and then the session's process is measured beside the service's.
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

from aegis.cli.bench.cases import Source
from aegis.cli.bench.ctp_parts import children_of, profile
from aegis.cli.bench.figures import Case, Figures, Report
from aegis.contracts.marketdata import STATUS, FeedStatus
from aegis.contracts.subscriptions import SUBSCRIBE, UNSUBSCRIBE, Scope, UnsubscribeRequest, WishRequest
from aegis_sdk.client import Client
from aegis_sdk.method import Empty
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport_nats import NatsTransport
from ctpsim.testing import front

_LOOK_S: Final = 0.01
_DEADLINE_S: Final = 60.0
_EVERYTHING: Final = Scope(kind=None)
_CONSUMER: Final = "bench"
_BARS: Final = {"lost": 0.0, "conflated": 0.0}


async def bench_universe(
    server: EmbeddedServer, *, universes: Sequence[str] = ("futures", "options"), over: Source = Source.SIMULATED
) -> Report:
    """One case for each universe of the simulated market."""
    measured = {Source.SIMULATED: _simulated, Source.CTP: _over_ctp}[over]
    note = f"over {over}"
    return Report("universe", [Case(name, await measured(server, name), note=note, bars=_BARS) for name in universes])


async def _simulated(server: EmbeddedServer, universe: str) -> Figures:
    async with _service(server, universe, AEGIS_UNIVERSE=universe) as measured:
        return await measured.figures()


async def _over_ctp(server: EmbeddedServer, universe: str) -> Figures:
    """The counter runs already, and has its universe listed, before the service starts."""
    listed = {"futures": "futures", "options": "all"}[universe]
    async with front(market="simulated", universe=listed) as counter:
        with profile(counter) as login:
            async with _service(server, f"ctp-{universe}", AEGIS_PROFILE=str(login)) as measured:
                return await measured.figures()


class _Measured:
    """A service that has just been started. Its other processes are those of CTP sessions."""

    def __init__(self, client: Client, pid: int, began: float) -> None:
        self._client = client
        self._pid = pid
        self._began = began

    async def figures(self) -> Figures:
        client = self._client
        known = await _until(client, lambda status: status.instruments > 0 and status.state == "ready")
        known_s = time.perf_counter() - self._began
        before = self._memory()
        asked = time.perf_counter()
        await client.call(SUBSCRIBE, WishRequest(consumer=_CONSUMER, scopes=[_EVERYTHING]), timeout=_DEADLINE_S)
        await _until(client, lambda status: status.subscribed == known.instruments)
        subscribed_s = time.perf_counter() - asked
        proved = await _until(client, lambda status: status.ticking == known.instruments)
        proved_s = time.perf_counter() - asked
        after = self._memory()
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
            **{f"{name}before_mb": value for name, value in before.items()},
            **{f"{name}mb": value for name, value in after.items()},
            "lost": proved.lost,
            "conflated": proved.conflated,
        }

    def _memory(self) -> Figures:
        """In megabytes, of what processes share their whole."""
        children = children_of(self._pid)
        of_session = {"session_memory_": sum(map(_memory_mb, children))} if children else {}
        return {"memory_": _memory_mb(self._pid), **of_session}


@asynccontextmanager
async def _service(server: EmbeddedServer, feed: str, **settings: str) -> AsyncGenerator[_Measured]:
    user = server.credentials
    given = {
        "AEGIS_NATS_URL": ",".join(server.urls),
        "AEGIS_NATS_USER": user.user,
        "AEGIS_NATS_PASSWORD": user.password,
        "AEGIS_FEED": f"bench-{feed}",
        "AEGIS_WANTED": "nothing",
        **settings,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "aegis.marketdata",
        env={**inherited, **given},
        stderr=asyncio.subprocess.DEVNULL,
    )
    transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
    try:
        yield _Measured(Client(transport), process.pid, began)
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
