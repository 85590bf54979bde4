"""The baselines: what a careful user of nats-py alone would write, doing the same work."""

from __future__ import annotations

import asyncio
import sys

import nats
from nats.aio.client import Client as Nats
from nats.aio.msg import Msg

from aegis.cli.bench.models import ECHO_ACTIVE, ECHO_BYTES, PlainQuote
from aegis.cli.bench.workers import access, run, tell
from aegis_sdk.messages import EPOCH, IDEMPOTENCY_KEY, SEQUENCE, TIMEOUT_MS


async def connect() -> Nats:
    urls, user, password = access()
    return await nats.connect(urls, user=user, password=password)


async def serve_echo() -> None:
    """The same headers and JSON model both ways, in a queue group; that of an epoch's holder; and a bare echo."""
    nc = await connect()

    async def echo(message: Msg) -> None:
        int((message.headers or {})["Aegis-Timeout-Ms"])
        request = PlainQuote.model_validate_json(message.data)
        reply = PlainQuote(symbol=request.symbol, price=request.price, size=request.size)
        await nc.publish(message.reply, reply.model_dump_json().encode())

    async def echo_bytes(message: Msg) -> None:
        await nc.publish(message.reply, message.data)

    async def echo_active(message: Msg) -> None:
        headers = message.headers or {}
        int(headers[TIMEOUT_MS])
        epoch = int(headers[EPOCH])
        headers[IDEMPOTENCY_KEY]
        request = PlainQuote.model_validate_json(message.data)
        reply = PlainQuote(symbol=request.symbol, price=request.price, size=request.size)
        answered = {EPOCH: str(epoch), SEQUENCE: "0"}
        await nc.publish(message.reply, reply.model_dump_json().encode(), headers=answered)

    await nc.subscribe("plain.echo", queue="plain", cb=echo)
    await nc.subscribe(ECHO_ACTIVE, cb=echo_active)
    await nc.subscribe(ECHO_BYTES, queue="plain", cb=echo_bytes)
    await nc.flush()
    tell("ready")
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(run(serve_echo()))
