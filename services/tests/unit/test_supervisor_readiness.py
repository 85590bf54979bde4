"""When a supervisor takes a service for loaded, and for ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

import pytest

from aegis.operations.plan import ServicePlan
from aegis.operations.readiness import Registered
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.kv import KeyValue
from aegis_sdk.messages import Message
from aegis_sdk.registry import INSTANCES, Registration
from aegis_sdk.transport import Handler, Subscription
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

QUOTES: Final = ServicePlan(service="quotes", instance="quotes-1", command=("quotes",))
_WAIT_S: Final = 10.0


class Listening(MemoryTransport):
    """Keeps count of what arrives."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.arrived: list[str] = []

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> Subscription:
        def take(message: Message) -> None:
            self.arrived.append(message.subject)
            handler(message)

        return await super().subscribe(subject, take, queue)


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
async def quotes(broker: MemoryBroker) -> AsyncIterator[Registration]:
    """An instance that beats fifty times a second once it is started."""
    record = InstanceRecord(service="quotes", instance="quotes-1")
    registration = Registration(MemoryTransport(broker), record, interval_s=0.02)
    yield registration
    await registration.stop()


async def test_a_service_is_loaded_when_it_registers_and_ready_when_it_says_that_it_serves(
    broker: MemoryBroker, quotes: Registration
) -> None:
    """Also the first of a new desk, which makes the registry."""
    async with asyncio.timeout(_WAIT_S), Registered.open(MemoryTransport(broker)) as registered:
        since = quotes.record.started_at.timestamp() - 1
        ready = asyncio.create_task(registered.serves(QUOTES, since))
        await quotes.start()
        await registered.is_loaded(QUOTES, since)
        assert not ready.done()
        quotes.set_status(InstanceStatus.STANDBY)
        await ready
        await registered.serves(QUOTES, since)


async def test_the_process_before_it_makes_nobody_ready(broker: MemoryBroker, quotes: Registration) -> None:
    async with asyncio.timeout(_WAIT_S), Registered.open(MemoryTransport(broker)) as registered:
        await quotes.start()
        quotes.set_status(InstanceStatus.ACTIVE)
        await registered.serves(QUOTES, 0)
        again = asyncio.create_task(registered.is_loaded(QUOTES, time.time() + 1))
        await registered.serves(QUOTES, 0)
        assert not again.done()
        again.cancel()


async def test_a_record_that_is_none_hides_no_other(broker: MemoryBroker, quotes: Registration) -> None:
    async with asyncio.timeout(_WAIT_S), Registered.open(MemoryTransport(broker)) as registered:
        await quotes.start()
        await KeyValue(MemoryTransport(broker), INSTANCES).put("quotes.another", b"{}")
        quotes.set_status(InstanceStatus.ACTIVE)
        await registered.serves(QUOTES, 0)


async def test_a_supervisor_hears_no_heartbeats(broker: MemoryBroker, quotes: Registration) -> None:
    transport, beats = Listening(broker), asyncio.Event()
    heard: list[str] = []

    def beat(message: Message) -> None:
        heard.append(message.subject)
        if len(heard) > 10:
            beats.set()

    await MemoryTransport(broker).subscribe("hb.>", beat)
    async with asyncio.timeout(_WAIT_S), Registered.open(transport) as registered:
        await quotes.start()
        quotes.set_status(InstanceStatus.ACTIVE)
        await registered.serves(QUOTES, 0)
        await beats.wait()
    assert transport.arrived == []
