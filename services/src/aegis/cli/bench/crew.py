"""Three instances of a single-active service, which a benchmark kills, stops and starts again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, NamedTuple, Self

from aegis.cli.bench.tally import Tally, key_of, tally
from aegis.cli.bench.workers import Worker, worker
from aegis_sdk.client import Client
from aegis_sdk.ledger import Ledger
from aegis_sdk.ledger.records import Entry
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport_nats import NatsTransport

INSTANCES: Final = ("a", "b", "c")
_MARGIN_S: Final = 0.2
"""From when an instance is ready until the others know."""


class Held(NamedTuple):
    """Who holds a key."""

    instance: str
    epoch: int


class Crew:
    """A service of `keys` keys with three instances, and two callers on connections of their own."""

    service: type[Tally]
    clients: tuple[Client, Client]
    transport: NatsTransport

    def __init__(self, server: EmbeddedServer, keys: int) -> None:
        self.keys = [key_of(number) for number in range(keys)]
        self._server = server
        self._nodes = len(server.nodes)
        self._workers: dict[str, Worker] = {}
        self._stack = AsyncExitStack()

    @classmethod
    @asynccontextmanager
    async def of(cls, server: EmbeddedServer, name: str, *, keys: int) -> AsyncGenerator[Self]:
        """All instances run when this yields, and hold keys when they have `settled`."""
        crew = cls(server, keys)
        crew.service = tally(name)
        async with crew._stack:
            await crew._connect()
            await asyncio.gather(*map(crew.start, INSTANCES))
            yield crew

    async def _connect(self) -> None:
        user = self._server.credentials
        connections = [
            await NatsTransport.connect(self._server.urls, user=user.user, password=user.password) for _ in range(2)
        ]
        for connection in connections:
            self._stack.push_async_callback(connection.close)
        first, second = connections
        self.transport, self.clients = first, (Client(first), Client(second))
        self._ledger = await Ledger.open(first, self.service.name, replicas=self._nodes)

    async def start(self, instance: str) -> None:
        """Start an instance; returns when it stands by."""
        arguments = (self.service.name, instance, str(len(self.keys)), str(self._nodes))
        started = worker(self._server, "aegis.cli.bench.tally", *arguments)
        self._workers[instance] = await self._stack.enter_async_context(started)

    async def restart(self, instance: str) -> None:
        await self.start(instance)
        await self.settled()

    async def settled(self) -> None:
        """Return when whoever has just come may claim keys like the others."""
        await asyncio.sleep(self.service.timers.settle_s + _MARGIN_S)

    def send_signal(self, instance: str, number: signal.Signals) -> None:
        self._workers[instance].send_signal(number)

    async def holder(self, key: str) -> Held:
        """Who holds a key, by the ledger. RuntimeError where nobody ever did."""
        found = await self._ledger.lease(key)
        if found is None:
            raise RuntimeError(f"nobody holds {key}")
        lease, sequence = found
        return Held(lease.holder, sequence)

    async def epochs(self) -> dict[str, int]:
        """The epoch of each key, by the ledger."""
        return {key: (await self.holder(key)).epoch for key in self.keys}

    @property
    def shards(self) -> int:
        return self._ledger.shards

    async def journals(self) -> AsyncGenerator[tuple[str, Entry, int]]:
        """All entries of all keys that there are now."""
        for shard in range(self._ledger.shards):
            async with self._ledger.journals(shard) as reads:
                async for read in reads:
                    if read is None:
                        break
                    yield read.key, read.entry, read.sequence
