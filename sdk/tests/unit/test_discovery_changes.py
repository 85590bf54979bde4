"""The changes of a directory, as one reader gets them."""

import asyncio
from typing import Any

import pytest

from aegis_sdk.changes import Feed, Missed
from aegis_sdk.discovery import Directory
from aegis_sdk.instances import Instance, InstanceRecord, InstanceStatus, Joined
from aegis_sdk.registry import Registration
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


async def test_a_reader_that_is_too_slow_is_told_how_much_it_missed() -> None:
    feed = Feed()
    record = InstanceRecord(service="quotes", instance="a")
    joined = Joined(Instance(record, InstanceStatus.ACTIVE, 0.0, confirmed=True))
    for _ in range(5000):
        feed.put(joined)
    assert await anext(feed) == Missed(4096)
    assert await anext(feed) == joined


async def test_who_waits_for_the_next_tick_waits_no_longer_when_nothing_is_heard_any_more() -> None:
    """An election goes by it, also while NATS is away and after the connection was closed."""
    transport = MemoryTransport(MemoryBroker())
    async with Directory.open(transport) as directory, asyncio.timeout(10):
        for _ in range(3):
            await directory.next_tick()
        await transport.close()
        for _ in range(3):
            await directory.next_tick()


class Reading(MemoryTransport):
    """Notes which streams are read."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.streams: set[str] = set()

    def read(self, stream: str, *args: Any, **options: Any) -> Any:
        self.streams.add(stream)
        return super().read(stream, *args, **options)


@pytest.mark.parametrize("definitions", [True, False])
async def test_who_asks_for_no_definitions_has_no_reader_of_them(*, definitions: bool) -> None:
    broker = MemoryBroker()
    transport = Reading(broker)
    registration = Registration(MemoryTransport(broker), InstanceRecord(service="quotes", instance="a"))
    await registration.start()
    async with asyncio.timeout(10), Directory.open(transport, definitions=definitions) as directory:
        await directory.wait_for(lambda table: len(table.instances("quotes")) == 1, 10)
        assert transport.streams == {"KV_aegis_instances", *(["KV_aegis_services"] if definitions else [])}
    await registration.stop()
