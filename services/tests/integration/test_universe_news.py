"""What a feed lists: how it is asked for, what is news in it, and what is known of it behind a closed front."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from subscribing_desk import NOTHING, running

from aegis.contracts.market import Instrument
from aegis.contracts.marketdata import INSTRUMENTS, InstrumentsRequest
from aegis.contracts.reasons import Reason
from aegis.contracts.subscriptions import (
    SUBSCRIBE,
    UniverseChanged,
    WishRequest,
)
from aegis.marketdata.adapters.bus import UniverseStore
from aegis.marketdata.adapters.simulated import SimulatedFeed
from aegis.marketdata.domain.universe import Universe
from aegis.marketdata.endpoints import service
from aegis.marketdata.ports import FeedSink, FeedState
from aegis_sdk import Events
from aegis_sdk.errors import Unavailable
from aegis_sdk.kv import KeyValue
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


async def test_contracts_are_listed_by_product_exchange_kind_and_expiry(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING, AEGIS_UNIVERSE="options") as run:
        assert (await run.status()).instruments > 25_000
        assert all(name.startswith("SHFE.rb") for name in await run.names(50, product="rb", kind="future"))
        assert all(name.startswith("CFFEX.") for name in await run.names(50, exchange="CFFEX"))
        page = await run.client.call(INSTRUMENTS, InstrumentsRequest(product="m", kind="option", limit=5))
        assert [one.kind for one in page.instruments] == ["option"] * 5
        month = (page.instruments[0].expiry_day or "")[:6]
        reply = await run.client.call(INSTRUMENTS, InstrumentsRequest(expiry=month, after=page.next))
        assert {(one.expiry_day or "")[:6] for one in reply.instruments} == {month}


async def test_a_new_session_tells_what_is_new_expired_and_missing(broker: MemoryBroker) -> None:
    transport = MemoryTransport(broker)
    store = UniverseStore(transport, "main")
    await store.load("simulated")
    facts: Any = {"product": "rb", "name": "", "multiplier": 10, "price_tick": 1.0}
    old = [
        Instrument(exchange="SHFE", symbol="rb1501", expiry_day="20150115", **facts),
        Instrument(exchange="SHFE", symbol="rb9901", expiry_day="20990115", **facts),
    ]
    await store.save("simulated", Universe(old))
    async with running(broker, **NOTHING) as run:
        async with Events(run.transport).follow("event.market.main.universe", UniverseChanged) as events:
            told = (await anext(events)).body
        assert (told.new, told.named_expired, told.named_missing) == (567, ["SHFE.rb1501"], ["SHFE.rb9901"])
        assert told.session == run.feed.session
        assert len(told.named_new) == 500


async def test_the_universe_of_another_source_is_no_universe_before(broker: MemoryBroker) -> None:
    store = UniverseStore(MemoryTransport(broker), "main")
    await store.load("replay:another")
    gone = Instrument(
        exchange="SHFE", symbol="rb9901", product="rb", name="", multiplier=10, price_tick=1.0, expiry_day="20990115"
    )
    await store.save("replay:another", Universe([gone]))
    async with running(broker, **NOTHING) as run:
        async with Events(run.transport).follow("event.market.main.universe", UniverseChanged) as events:
            told = (await anext(events)).body
        assert (told.new, told.expired, told.missing) == (567, 0, 0)


async def test_a_restart_with_the_same_contracts_is_no_news(broker: MemoryBroker) -> None:
    for _ in range(2):
        async with running(broker, **NOTHING) as run:
            async with asyncio.timeout(5):
                while len(await KeyValue(run.transport, "aegis_universe").keys()) < 16:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    events = 0
    async with MemoryTransport(broker).read("EVENTS", "event.market.main.universe") as messages:
        async for message in messages:
            if message is None:
                break
            events += 1
    assert events == 1


class BehindAClosedFront(SimulatedFeed):
    """A feed whose login takes as long as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.front = asyncio.Event()

    async def open(self, sink: FeedSink) -> None:
        sink.changed(FeedState.CONNECTING, [Reason.of("front_closed", error=4097)])
        await self.front.wait()
        await super().open(sink)


async def test_behind_a_closed_front_a_restart_still_knows_the_universe(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(broker, AEGIS_RATE="500") as run:
        names = await run.names()
        async with asyncio.timeout(5):
            while len(await KeyValue(run.transport, "aegis_universe").keys()) < 16:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    monkeypatch.setattr(service, "_START_S", 0.2)
    feed = BehindAClosedFront()
    monkeypatch.setattr("aegis.marketdata.bootstrap.SimulatedFeed", lambda _: feed)
    async with running(broker, AEGIS_RATE="500") as run:
        assert await run.names() == names
        status = await run.status()
        assert (status.state, status.instruments, status.wanted, status.subscribed) == ("connecting", 567, 567, 0)
        assert (await run.subscriptions(limit=1))[0].why == Reason("no_session_yet")
        assert (await run.subscribe("a", names[0])).accepted == [names[0]]
        feed.front.set()
        await run.until(subscribed=567, state="ready")


async def test_before_the_first_session_ever_a_wish_is_to_be_repeated(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_START_S", 0.2)
    monkeypatch.setattr("aegis.marketdata.bootstrap.SimulatedFeed", lambda _: BehindAClosedFront())
    async with running(broker) as run:
        with pytest.raises(Unavailable, match="not known"):
            await run.client.call(SUBSCRIBE, WishRequest(consumer="a", instruments=["SHFE.rb2505"]), timeout=0.3)
