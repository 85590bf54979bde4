"""Three nodes whose routes lead through links of ours, and what the ledger's replicas hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from aegis_sdk.server import EmbeddedServer, Node, ServerOptions

from .links import Flow, Link
from .stored import Copy, Stored

NOWHERE: Final = "127.0.0.1:9"
"""What nodes tell each other of where a third one is, so that no route is made but through our links."""
_DEADLINE_S: Final = 90.0
_POLL_S: Final = 0.05
_READ_S: Final = 5.0
Configure = Callable[[Node, dict[str, Any]], None]


class LinkedServer(EmbeddedServer):
    """An embedded cluster whose node i reaches node j by a link, alone."""

    def __init__(self, options: ServerOptions, configure: Configure | None = None) -> None:
        super().__init__(options)
        self._configure = configure
        self.links: dict[tuple[int, int], Link] = {}

    async def start(self) -> None:
        for i in range(self._options.nodes):
            for j in range(self._options.nodes):
                if i != j and (i, j) not in self.links:
                    self.links[i, j] = Link(f"n{i}-n{j}")
                    await self.links[i, j].open()
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        for link in self.links.values():
            await link.close()

    def _write_configurations(self) -> None:
        super()._write_configurations()
        route = self._access.route
        for i, node in enumerate(self._nodes):
            content: dict[str, Any] = json.loads(node.layout.configuration.read_text())
            for j, other in enumerate(self._nodes):
                if i != j:
                    self.links[i, j].target_port = other.layout.cluster_port
            content["cluster"] |= {
                "no_advertise": True,
                "advertise": NOWHERE,
                "routes": [
                    f"nats-route://{route.user}:{route.password}@127.0.0.1:{link.port}"
                    for (begin, _), link in self.links.items()
                    if begin == i
                ],
            }
            if self._configure is not None:
                self._configure(node, content)
            node.layout.configuration.write_text(json.dumps(content, indent=2))


class Cluster:
    """The nodes of a round, the links between them and of each client, and questions to their ledger."""

    def __init__(self, server: LinkedServer) -> None:
        self.server = server
        self._clients: dict[str, list[Link]] = {}

    @property
    def nodes(self) -> list[Node]:
        return self.server.nodes

    async def client_links(self, name: str) -> list[Link]:
        """The links of one client, one to each node; made at the first call."""
        if name not in self._clients:
            self._clients[name] = [Link(f"{name}-n{i}") for i in range(len(self.nodes))]
            for link, node in zip(self._clients[name], self.nodes, strict=True):
                await link.open(node.client_port)
        return self._clients[name]

    async def client_urls(self, name: str) -> list[str]:
        return [f"nats://127.0.0.1:{link.port}" for link in await self.client_links(name)]

    def environment(self) -> Mapping[str, str]:
        """Credentials, for a process of ours."""
        user = self.server.credentials
        return {"NATS_USER": user.user, "NATS_PASSWORD": user.password}

    # Faults of the network

    def cut_client(self, name: str, forth: Flow = Flow.HOLD, back: Flow = Flow.HOLD) -> None:
        for link in self._clients[name]:
            link.cut(forth, back)

    def heal_client(self, name: str) -> None:
        for link in self._clients[name]:
            link.heal()

    def isolate(self, node: int, *, outbound: Flow = Flow.HOLD, inbound: Flow = Flow.HOLD) -> None:
        """Cut a node from the others; its clients go on reaching it. `PASS` for one direction cuts the other alone."""
        for (begin, end), link in self.server.links.items():
            if begin == node:
                link.cut(forth=outbound, back=inbound)
            elif end == node:
                link.cut(forth=inbound, back=outbound)

    def heal(self, clients: str = "") -> None:
        """The links between nodes, and of the clients whose names begin so."""
        of_clients = (links for name, links in self._clients.items() if name.startswith(clients))
        for link in [*self.server.links.values(), *chain.from_iterable(of_clients)]:
            link.heal()

    async def close(self) -> None:
        for links in self._clients.values():
            for link in links:
                await link.close()

    # Questions

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Client]:
        """A plain connection to whichever node lives."""
        user = self.server.credentials
        urls = [node.url for node in self.nodes if node.pid is not None]
        client = await nats.connect(urls, user=user.user, password=user.password, error_cb=_unheard)
        try:
            yield client
        finally:
            await client.close()

    async def streams(self, client: Client) -> list[str]:
        """The shards of the ledger."""
        answer = await _ask(client, "STREAM.NAMES", {"subject": "ledger.>"})
        return sorted(answer.get("streams") or [])

    async def leader(self, stream: str) -> Node | None:
        """The node that leads a stream, as the cluster says now."""
        async with self.connection() as client:
            name = (await _ask(client, f"STREAM.INFO.{stream}")).get("cluster", {}).get("leader")
        return next((node for node in self.nodes if node.name == name), None)

    async def wait_healed(self) -> None:
        """Return when each shard has a leader and all its replicas are current."""
        async with asyncio.timeout(_DEADLINE_S):
            while not await self._is_healed():  # noqa: ASYNC110 (the server tells nobody)
                await asyncio.sleep(_POLL_S)

    async def _is_healed(self) -> bool:
        with suppress(NatsError, OSError, TimeoutError):
            async with self.connection() as client:
                streams = await self.streams(client)
                found = [_is_current(await _ask(client, f"STREAM.INFO.{each}"), len(self.nodes)) for each in streams]
                return bool(found) and all(found)
        return False

    async def copies(self, service: str) -> list[Copy]:
        """What each node's own store holds of a service's ledger.

        A consumer without replicas reads the store of the node that it lives on; the server says which one that is.
        """
        async with asyncio.timeout(_DEADLINE_S), self.connection() as client:
            shards = enumerate(await self.streams(client))
            return [
                Copy(node.name, shard, await _read(client, stream, f"ledger.*.{service}.*.*", node.name))
                for shard, stream in shards
                for node in self.nodes
            ]


async def _read(client: Client, stream: str, subject: str, node: str) -> tuple[Stored, ...]:
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    config = {
        "deliver_subject": inbox,
        "filter_subject": subject,
        "deliver_policy": "all",
        "ack_policy": "none",
        "num_replicas": 1,
        "mem_storage": True,
    }
    while True:
        answer = await _ask(client, f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": config})
        if answer.get("cluster", {}).get("leader") == node:
            break
        if name := answer.get("name"):
            await _ask(client, f"CONSUMER.DELETE.{stream}.{name}")
    found: dict[int, Stored] = {}
    pending = answer["num_pending"]
    while pending:
        message = await subscription.next_msg(_READ_S)
        if message.reply.split(".")[3] != answer["name"]:
            continue  # of a consumer on another node, deleted by now
        sequence, pending = int(message.metadata.sequence.stream), message.metadata.num_pending
        found[sequence] = Stored(sequence, message.subject, message.data)
    await _ask(client, f"CONSUMER.DELETE.{stream}.{answer['name']}")
    await subscription.unsubscribe()
    return tuple(found[sequence] for sequence in sorted(found))


async def _ask(client: Client, api: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """An answer of JetStream's API; empty where there is none."""
    with suppress(NatsError, TimeoutError):
        answer = await client.request(f"$JS.API.{api}", json.dumps(body).encode() if body else b"", timeout=2)
        found: dict[str, Any] = json.loads(answer.data)
        return found
    return {}


def _is_current(info: dict[str, Any], nodes: int) -> bool:
    group = info.get("cluster", {})
    followers = [one for one in group.get("replicas", []) if one.get("current") and not one.get("lag")]
    return bool(group.get("leader")) and len(followers) == nodes - 1


async def _unheard(error: Exception) -> None:
    """Connections break here on purpose."""


@asynccontextmanager
async def cluster(configure: Configure | None = None) -> AsyncIterator[Cluster]:
    """Three nodes in a temporary directory."""
    with TemporaryDirectory(prefix="aegis-chaos-") as directory:
        async with LinkedServer(ServerOptions(directory=Path(directory), nodes=3), configure) as server:
            made = Cluster(server)
            try:
                yield made
            finally:
                await made.close()
