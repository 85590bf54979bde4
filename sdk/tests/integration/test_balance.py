"""The shares of a zone's instances, over a real server with a thousand others in the registry."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import msgspec

from aegis_sdk import codec, subjects
from aegis_sdk.client import Client
from aegis_sdk.discovery import Directory
from aegis_sdk.handler import rpc
from aegis_sdk.instances import Heartbeat, InstanceRecord, InstanceStatus
from aegis_sdk.kv import KeyValue
from aegis_sdk.method import Empty
from aegis_sdk.registry import INSTANCES, Registration
from aegis_sdk.service import HostOptions, Service, ServiceHost
from aegis_sdk.testing import nats_server
from aegis_sdk.transport import Transport
from aegis_sdk.transport_nats import NatsTransport

DEADLINE_S = 15
OTHERS = 1000
CALLERS = 4
CALLS = 10_000
AT_ONCE = 8  # of one caller

NEAR = {"a": 50, "b": 30, "c": 15, "d": 5}
FAR = {"e": 100, "f": 100}


class Quotes(Service):
    name = "quotes"

    def __init__(self) -> None:
        self.calls = 0

    @rpc
    async def quote(self, request: Empty) -> Empty:
        self.calls += 1
        return Empty()


async def populate(transport: Transport) -> None:
    """Register and announce a thousand instances of another service that beat once in ten minutes."""
    bucket = KeyValue(transport, INSTANCES)
    records = [InstanceRecord(service="others", instance=f"o{at}", heartbeat_s=600) for at in range(OTHERS)]
    async with asyncio.TaskGroup() as group:
        for record in records:
            key = subjects.instance_key(record.service, record.instance)
            group.create_task(bucket.put(key, codec.encode_model(record)))
    for record in records:
        beat = msgspec.json.encode(Heartbeat(record.incarnation, InstanceStatus.ACTIVE, 1))
        transport.publish(subjects.heartbeat(record.service, record.instance), beat)


async def test_each_instance_gets_the_share_of_its_weight_and_no_call_leaves_the_zone() -> None:
    async with nats_server() as server, AsyncExitStack() as stack:

        async def connect() -> NatsTransport:
            user = server.credentials
            transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
            stack.push_async_callback(transport.close)
            return transport

        quotes: dict[str, Quotes] = {}
        side = await connect()
        for name, weight in {**NEAR, **FAR}.items():
            quotes[name] = Quotes()
            host = ServiceHost(side, quotes[name], HostOptions(instance=name))
            await host.start()
            stack.push_async_callback(host.stop)
            zone = "near" if name in NEAR else "far"
            record = InstanceRecord(service="quotes", instance=name, zone=zone, weight=weight)
            registration = Registration(side, record)
            await registration.start()
            stack.push_async_callback(registration.stop)
            registration.set_status(InstanceStatus.ACTIVE)

        clients: list[Client] = []
        directories: list[Directory] = []
        for _ in range(CALLERS):
            transport = await connect()
            directories.append(await stack.enter_async_context(Directory.open(transport)))
            clients.append(Client(transport, directories[-1]))
        await populate(side)
        for directory in directories:
            await directory.wait_for(lambda table: len(table.instances()) == OTHERS + len(quotes), DEADLINE_S)
            assert len(directory.instances("quotes")) == len(quotes)

        async def call(client: Client) -> None:
            for _ in range(CALLS // CALLERS // AT_ONCE):
                await client.call(Quotes.quote, Empty(), zone="near")

        await asyncio.gather(*(call(client) for client in clients for _ in range(AT_ONCE)))

        taken = {name: each.calls for name, each in quotes.items()}
        total = sum(taken.values())
        assert total == CALLS // CALLERS // AT_ONCE * AT_ONCE * CALLERS
        assert {name: taken[name] for name in FAR} == dict.fromkeys(FAR, 0)
        for name, weight in NEAR.items():
            assert abs(taken[name] / total - weight / sum(NEAR.values())) < 0.02, taken
