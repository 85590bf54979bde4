"""A market data service on a broker in memory, and how its subscriptions are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from publishing import its_turn

from aegis.contracts.marketdata import INSTRUMENTS, STATUS, FeedStatus, InstrumentsRequest
from aegis.contracts.subscriptions import (
    SUBSCRIBE,
    SUBSCRIPTIONS,
    UNSUBSCRIBE,
    SubscriptionsRequest,
    SubscriptionView,
    UnsubscribeReply,
    UnsubscribeRequest,
    WishReply,
    WishRequest,
)
from aegis.marketdata.adapters.simulated import SimulatedFeed
from aegis.marketdata.bootstrap import build
from aegis.marketdata.endpoints import MarketData
from aegis_sdk import Client, Empty
from aegis_sdk.service import ServiceHost
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

DEADLINE_S = 30.0
NOTHING = {"AEGIS_WANTED": "nothing", "AEGIS_RATE": "500"}


class Running:
    """The service, and a caller."""

    def __init__(self, made: MarketData, broker: MemoryBroker) -> None:
        self.service = made
        self.transport = MemoryTransport(broker)
        self.client = Client(self.transport)

    @property
    def feed(self) -> SimulatedFeed:
        feed = self.service._parts.feed  # pyright: ignore[reportPrivateUsage]
        assert isinstance(feed, SimulatedFeed)
        return feed

    async def status(self) -> FeedStatus:
        return await self.client.call(STATUS, Empty())

    async def until(self, **wanted: Any) -> FeedStatus:
        async with asyncio.timeout(30):
            while True:
                status = await self.status()
                if all(getattr(status, name) == value for name, value in wanted.items()):
                    return status
                await asyncio.sleep(0.01)

    async def names(self, count: int = 3, **which: Any) -> list[str]:
        page = await self.client.call(INSTRUMENTS, InstrumentsRequest(limit=count, **which))
        return [one.instrument for one in page.instruments]

    async def subscribe(self, consumer: str, *names: str, **more: Any) -> WishReply:
        return await self.client.call(SUBSCRIBE, WishRequest(consumer=consumer, instruments=list(names), **more))

    async def unsubscribe(self, consumer: str, *names: str, **more: Any) -> UnsubscribeReply:
        request = UnsubscribeRequest(consumer=consumer, instruments=list(names), **more)
        return await self.client.call(UNSUBSCRIBE, request)

    async def subscriptions(self, **which: Any) -> list[SubscriptionView]:
        return (await self.client.call(SUBSCRIPTIONS, SubscriptionsRequest(**which))).subscriptions


@asynccontextmanager
async def running(broker: MemoryBroker, made: MarketData | None = None, **settings: str) -> AsyncIterator[Running]:
    host = ServiceHost(MemoryTransport(broker), made or build({"AEGIS_NATS_URL": "nats://127.0.0.1:1", **settings}))
    try:
        async with asyncio.timeout(DEADLINE_S):  # what is awaited in a test comes, or the test fails
            await host.start()
            await its_turn(host.service)  # pyright: ignore[reportArgumentType]
            run = Running(host.service, broker)  # pyright: ignore[reportArgumentType]
            yield run
            await run.transport.close()
    finally:
        await host.stop()
