"""Calls by zone and weight: who gets them as instances come, drain and die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from aegis_sdk import subjects
from aegis_sdk.client import Client
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import ConfigurationError, Unavailable
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.messages import Message
from aegis_sdk.method import Empty, Method
from aegis_sdk.registry import Registration
from aegis_sdk.transport import Transport

from .network import DEADLINE_S


class Desk:
    """Registered instances, and how many calls each got. One that does not serve is in the registry all the same."""

    def __init__(self, transport: Transport, service: str, directory: Directory) -> None:
        self.transport = transport
        self.service = service
        self.directory = directory
        self.calls: dict[str, int] = {}
        self.registrations: dict[str, Registration] = {}
        self.quote = Method(service, "quote", Empty, Empty, idempotent=True)
        self.order = Method(service, "order", Empty, Empty)

    async def add(self, name: str, zone: str = "", weight: int = 100, *, serves: bool = True) -> None:
        def answer(message: Message) -> None:
            self.calls[name] += subjects.split(message.subject)[-1] != "ping"
            self.transport.publish(message.reply, b"{}")

        self.calls[name] = 0
        methods = (self.quote.name, self.order.name, "ping") if serves else ("ping",)
        for method in methods:
            await self.transport.subscribe(subjects.direct(self.service, name, method), answer)
        record = InstanceRecord(service=self.service, instance=name, zone=zone, weight=weight)
        registration = self.registrations[name] = Registration(self.transport, record)
        await registration.start()
        await self.tell(name, InstanceStatus.ACTIVE)

    async def tell(self, name: str, status: InstanceStatus) -> None:
        """The instance says its status; returns when the directory knows it."""
        self.registrations[name].set_status(status)

        def knows(directory: Directory) -> bool:
            return any(
                each.record.instance == name and each.status is status for each in directory.instances(self.service)
            )

        await self.directory.wait_for(knows, DEADLINE_S)


@pytest.fixture
async def desk(transport: Transport, other: Transport, name: str) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(Directory.open(other, service=name))
        made = Desk(transport, name, directory)
        yield made
        for registration in made.registrations.values():
            await registration.stop()


@pytest.fixture
async def client(desk: Desk, other: Transport) -> Client:
    return Client(other, desk.directory)


async def test_calls_by_weight_are_shared_by_weight(desk: Desk, client: Client) -> None:
    await desk.add("a", "east", 30)
    await desk.add("b", "west", 10)
    await desk.add("c", "west", 0)
    for _ in range(40):
        await client.call(desk.order, Empty(), by_weight=True)
    assert abs(desk.calls["a"] - 30) <= 1
    assert desk.calls["c"] == 0


async def test_calls_stay_in_their_zone_while_it_has_a_healthy_instance(desk: Desk, client: Client) -> None:
    await desk.add("a", "east")
    await desk.add("b", "west")
    await desk.add("c", "west")
    await desk.tell("c", InstanceStatus.DRAINING)
    for _ in range(10):
        await client.call(desk.order, Empty(), zone="west")
    assert desk.calls == {"a": 0, "b": 10, "c": 0}
    await desk.tell("b", InstanceStatus.UNHEALTHY)
    await client.call(desk.order, Empty(), zone="west")
    assert desk.calls["a"] == 1


async def test_a_call_that_a_dead_instance_misses_is_tried_at_another_of_its_zone(desk: Desk, client: Client) -> None:
    await desk.add("dead", "west", 1000, serves=False)
    await desk.add("b", "west", 1)
    await desk.add("c", "east")
    for _ in range(10):
        await client.call(desk.quote, Empty(), zone="west")
    assert desk.calls == {"dead": 0, "b": 10, "c": 0}


async def test_what_is_not_idempotent_is_not_tried_again(desk: Desk, client: Client) -> None:
    await desk.add("dead", "west", 1000, serves=False)
    await desk.add("b", "west", 1)
    outcomes = await asyncio.gather(
        *(client.call(desk.order, Empty(), zone="west") for _ in range(3)), return_exceptions=True
    )
    assert any(isinstance(outcome, Unavailable) for outcome in outcomes)


async def test_a_call_waits_for_an_able_instance_where_it_may_be_repeated(desk: Desk, client: Client) -> None:
    with pytest.raises(Unavailable, match="takes calls"):
        await client.call(desk.order, Empty(), by_weight=True)
    calling = asyncio.create_task(client.call(desk.quote, Empty(), by_weight=True))
    await desk.add("a")
    await calling
    assert desk.calls == {"a": 1}


async def test_what_contradicts_itself_is_refused(desk: Desk, client: Client, other: Transport) -> None:
    with pytest.raises(ConfigurationError, match="directory"):
        await Client(other).call(desk.quote, Empty(), zone="west")
    with pytest.raises(ConfigurationError, match="instance"):
        await client.call(desk.quote, Empty(), instance="a", zone="west")
