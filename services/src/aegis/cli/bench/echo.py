"""A benchmark process: a service with one method that answers what it was asked."""

from __future__ import annotations

import asyncio

from aegis.cli.bench.models import PlainQuote
from aegis.cli.bench.workers import connect, run, tell
from aegis_sdk.handler import rpc
from aegis_sdk.service import Service, ServiceHost


class Echo(Service):
    """Answers what it was asked."""

    name = "echo"

    @rpc
    async def echo(self, request: PlainQuote) -> PlainQuote:
        return PlainQuote(symbol=request.symbol, price=request.price, size=request.size)


async def serve() -> None:
    await ServiceHost(await connect(), Echo()).start()
    tell("ready")
    await asyncio.Event().wait()


if __name__ == "__main__":
    run(serve())
