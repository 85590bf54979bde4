"""The changes of a directory, as one reader gets them."""

import asyncio

from aegis_sdk.changes import Feed, Missed
from aegis_sdk.discovery import Directory
from aegis_sdk.instances import Instance, InstanceRecord, InstanceStatus, Joined
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
