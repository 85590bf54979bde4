"""`aegis bench rpc`: an echo with a typed model, caller and service in two processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

import nats

from aegis.cli.bench.echo import Echo
from aegis.cli.bench.figures import Case, Figures, Report, latencies
from aegis.cli.bench.models import ECHO_BYTES, QUOTE, PlainQuote
from aegis.cli.bench.workers import worker
from aegis_sdk.client import Client
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport_nats import NatsTransport

Call = Callable[[], Awaitable[object]]

_CALLERS = 64
_WARM_UP = 500


async def bench_rpc(server: EmbeddedServer, *, rounds: int, calls: int) -> Report:
    """Cases c1 and c64 against the same work by hand, c1_bytes and c64_bytes against a bare echo of bytes.

    The contenders take turns, round by round, each with so many single calls, and four times as many by 64 callers.
    Percentiles are of all rounds together, rates their median.
    """
    user, password = server.credentials.user, server.credentials.password
    async with worker(server, "aegis.cli.bench.echo"), worker(server, "aegis.cli.bench.plain"):
        transport = await NatsTransport.connect(server.urls, user=user, password=password)
        nc = await nats.connect(server.urls, user=user, password=password)
        client = Client(transport)
        payload = QUOTE.model_dump_json().encode()

        async def aegis() -> None:
            await client.call(Echo.echo, QUOTE)

        async def plain() -> None:
            body = QUOTE.model_dump_json().encode()
            reply = await nc.request("plain.echo", body, timeout=5, headers={"Aegis-Timeout-Ms": "5000"})
            PlainQuote.model_validate_json(reply.data)

        async def plain_bytes() -> None:
            await nc.request(ECHO_BYTES, payload, timeout=5)

        contenders: dict[str, Call] = {"aegis": aegis, "plain": plain, "bytes": plain_bytes}
        single = await singles(contenders, rounds, calls)
        many = await _many(contenders, rounds, calls * 4)
        await nc.close()
        await transport.close()
    return Report(
        "rpc",
        [
            Case("c1", single["aegis"], single["plain"]),
            Case("c64", many["aegis"], many["plain"]),
            Case("c1_bytes", single["aegis"], single["bytes"]),
            Case("c64_bytes", many["aegis"], many["bytes"]),
        ],
    )


async def singles(contenders: dict[str, Call], rounds: int, calls: int) -> dict[str, Figures]:
    """One call after the other, the contenders taking turns; percentiles of all rounds together."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for call in contenders.values():
        for _ in range(_WARM_UP):
            await call()
    for _ in range(rounds):
        for name, call in contenders.items():
            for _ in range(calls):
                started = time.perf_counter()
                await call()
                taken[name].append(time.perf_counter() - started)
    return {name: {**latencies(seconds), "rate_per_s": len(seconds) / sum(seconds)} for name, seconds in taken.items()}


async def _many(contenders: dict[str, Call], rounds: int, calls: int) -> dict[str, Figures]:
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    taken: dict[str, list[float]] = {name: [] for name in contenders}

    async def caller(call: Call, seconds: list[float]) -> None:
        for _ in range(calls // _CALLERS):
            started = time.perf_counter()
            await call()
            seconds.append(time.perf_counter() - started)

    for _ in range(rounds):
        for name, call in contenders.items():
            started = time.perf_counter()
            await asyncio.gather(*(caller(call, taken[name]) for _ in range(_CALLERS)))
            rates[name].append(calls // _CALLERS * _CALLERS / (time.perf_counter() - started))
    return {name: {"rate_per_s": median(rates[name]), **latencies(taken[name])} for name in contenders}
