"""`aegis bench events`: events stored and acknowledged, and taken by a durable consumer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

import nats
from nats.aio.client import Client as Nats

from aegis.cli.bench.figures import Case, Figures, Report, latencies
from aegis.cli.bench.models import QUOTE, PlainQuote
from aegis_sdk.events import STREAM, Events
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport_nats import NatsTransport

_PUBLISHERS = 64
_FETCH = 64

Publish = Callable[[], Awaitable[object]]


async def bench_events(server: EmbeddedServer, *, nodes: int, rounds: int, count: int) -> Report:
    """Cases acked_c64 (64 publishers, each waits for its acknowledgement) and consumer (durable, each event acked).

    Both contenders write the same JSON model to the same stream, `count` events a round, and take turns.
    """
    user, password = server.credentials.user, server.credentials.password
    transport = await NatsTransport.connect(server.urls, user=user, password=password)
    nc = await nats.connect(server.urls, user=user, password=password)
    events = Events(transport, replicas=nodes)
    await events.ensure()
    js = nc.jetstream()

    async def aegis() -> None:
        await events.publish("event.bench.aegis", QUOTE)

    async def plain() -> None:
        await js.publish("event.bench.plain", QUOTE.model_dump_json().encode())

    acked = await _published({"aegis": aegis, "plain": plain}, rounds, count)
    taken = {"aegis": await _taken_by_aegis(events, rounds * count), "plain": await _taken_by_plain(nc, rounds * count)}
    await nc.close()
    await transport.close()
    return Report(
        "events",
        [Case("acked_c64", acked["aegis"], acked["plain"]), Case("consumer", taken["aegis"], taken["plain"])],
    )


async def _published(contenders: dict[str, Publish], rounds: int, count: int) -> dict[str, Figures]:
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    taken: dict[str, list[float]] = {name: [] for name in contenders}

    async def publisher(publish: Publish, seconds: list[float]) -> None:
        for _ in range(count // _PUBLISHERS):
            started = time.perf_counter()
            await publish()
            seconds.append(time.perf_counter() - started)

    for _ in range(rounds):
        for name, publish in contenders.items():
            started = time.perf_counter()
            await asyncio.gather(*(publisher(publish, taken[name]) for _ in range(_PUBLISHERS)))
            rates[name].append(count / (time.perf_counter() - started))
    return {name: {"rate_per_s": median(rates[name]), **latencies(taken[name])} for name in contenders}


async def _taken_by_aegis(events: Events, count: int) -> Figures:
    started = time.perf_counter()
    async with events.consume("event.bench.aegis", PlainQuote, durable="bench-aegis") as deliveries:
        for _ in range(count):
            delivery = await anext(deliveries)
            await delivery.ack()
    return {"rate_per_s": count / (time.perf_counter() - started)}


async def _taken_by_plain(nc: Nats, count: int) -> Figures:
    started = time.perf_counter()
    pull = await nc.jetstream().pull_subscribe("event.bench.plain", durable="bench-plain", stream=STREAM)
    taken = 0
    while taken < count:
        for message in await pull.fetch(_FETCH):
            PlainQuote.model_validate_json(message.data)
            await message.ack()
            taken += 1
    return {"rate_per_s": count / (time.perf_counter() - started)}
