"""`aegis bench active`: what it costs that only one instance is effective: calls to it, and its guarded commits."""

from __future__ import annotations

import secrets

import nats

from aegis.cli.bench.clerk import KEY, PLAIN_SUBJECT, Clerk, Measure, What
from aegis.cli.bench.figures import Case, Figures, Report, latencies
from aegis.cli.bench.models import ECHO_ACTIVE, QUOTE, PlainQuote
from aegis.cli.bench.rpc import singles
from aegis.cli.bench.workers import worker
from aegis_sdk.client import Client
from aegis_sdk.messages import EPOCH, IDEMPOTENCY_KEY, SEQUENCE, TIMEOUT_MS
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_nats import NatsTransport

_MEASURE_S = 120.0
_KINDS: tuple[What, ...] = ("commit", "publish", "intent_result")


async def bench_active(server: EmbeddedServer, *, nodes: int, rounds: int, count: int) -> Report:
    """Case call_c1: a call with a fresh proof against a request of nats-py with the same headers and model.

    Cases commit and intent_result, measured in the holder: a guarded entry, and an intent and its result, each
    against one message as long, published plainly to a stream like the ledger's by the same process. All take turns.
    """
    user, password = server.credentials.user, server.credentials.password
    transport = await NatsTransport.connect(server.urls, user=user, password=password)
    stream = StreamConfig(
        name="PLAIN_LEDGER", subjects=[PLAIN_SUBJECT], replicas=nodes, allow_direct=False, rollup=True, atomic=True
    )
    await transport.ensure_stream(stream)
    async with worker(server, "aegis.cli.bench.clerk", str(nodes)), worker(server, "aegis.cli.bench.plain"):
        called = await _called(server, transport, rounds, count)
        stored = await _stored(Client(transport), rounds, count)
    await transport.close()
    return Report(
        "active",
        [
            Case("call_c1", called["aegis"], called["plain"]),
            Case("commit", stored["commit"], stored["publish"]),
            Case("intent_result", stored["intent_result"], stored["publish"], "two commits against one publish"),
        ],
    )


async def _called(server: EmbeddedServer, transport: NatsTransport, rounds: int, calls: int) -> dict[str, Figures]:
    nc = await nats.connect(server.urls, user=server.credentials.user, password=server.credentials.password)
    client = Client(transport)

    async def aegis() -> None:
        await client.call_active(Clerk.echo, KEY, QUOTE)

    async def plain() -> None:
        headers = {TIMEOUT_MS: "5000", IDEMPOTENCY_KEY: secrets.token_hex(16), EPOCH: "1"}
        reply = await nc.request(ECHO_ACTIVE, QUOTE.model_dump_json().encode(), timeout=5, headers=headers)
        answered = reply.headers or {}
        _ = int(answered[EPOCH]), int(answered[SEQUENCE])
        PlainQuote.model_validate_json(reply.data)

    measured = await singles({"aegis": aegis, "plain": plain}, rounds, calls)
    await nc.close()
    return measured


async def _stored(client: Client, rounds: int, count: int) -> dict[What, Figures]:
    taken: dict[What, list[float]] = {what: [] for what in _KINDS}
    for _ in range(rounds):
        for what in _KINDS:
            request = Measure(what=what, count=count)
            answer = await client.call_active(Clerk.measure, KEY, request, timeout=_MEASURE_S)
            taken[what] += answer.value.seconds
    return {what: {**latencies(seconds), "rate_per_s": len(seconds) / sum(seconds)} for what, seconds in taken.items()}
