"""When an instance of market data could publish, and what it does where it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace
from samples import TICK
from test_subscribing import broker as broker
from test_subscribing import running

from aegis.contracts.market import InstrumentId
from aegis.marketdata.adapters.bus import TickFollower
from aegis.marketdata.bootstrap import build
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.endpoints import MarketData
from aegis.marketdata.ports import Alone
from aegis_sdk.errors import ConfigurationError
from aegis_sdk.kv import KeyValue
from aegis_sdk.service import ServiceHost
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

pytestmark = pytest.mark.own_time


async def test_an_instance_can_publish_once_what_is_wanted_is_subscribed(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(broker, AEGIS_RATE="500") as run:
        assert await run.service.healthy()
        subscribes, subscribe, asked = asyncio.Event(), run.feed.subscribe, asyncio.Event()

        async def later(instruments: Sequence[InstrumentId]) -> Sequence[InstrumentId]:
            asked.set()
            await subscribes.wait()
            return await subscribe(instruments)

        monkeypatch.setattr(run.feed, "subscribe", later)
        looked = asyncio.Event()
        monkeypatch.setattr(run.service, "_look_at_health", looked.set)
        await run.feed.renew()
        await asked.wait()
        assert (run.service.feed_state, await run.service.healthy()) == ("ready", False)
        looked.clear()
        subscribes.set()
        await looked.wait()
        assert await run.service.healthy()


async def test_at_its_start_it_leaves_a_free_key_to_one_that_is_preferred(broker: MemoryBroker) -> None:
    async with running(broker, AEGIS_RATE="500", AEGIS_PREFERRED="another") as run:
        assert (run.service.feed_state, await run.service.healthy()) == ("ready", False)
        await asyncio.sleep(3)
        assert await run.service.healthy()


async def test_it_leaves_nothing_to_others_once_somebody_publishes(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(broker, AEGIS_RATE="500", AEGIS_PREFERRED="another") as run:
        looked = asyncio.Event()
        monkeypatch.setattr(run.service, "_look_at_health", looked.set)
        run.service._seen("tick.SHFE.a", TICK, live=False, ours=True, heard=None)
        assert not await run.service.healthy()
        run.service._seen("tick.SHFE.a", TICK, live=True, ours=True, heard=None)
        assert looked.is_set()
        assert await run.service.healthy()


async def test_who_cannot_take_over_says_so_until_the_key_has_left(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(broker, AEGIS_RATE="500") as run:
        monkeypatch.setattr(run.service.pipeline, "take_over", None)
        monkeypatch.setattr(run.service, "held", lambda _: Alone())
        await run.service.on_standby("main")
        with pytest.raises(TypeError):
            await run.service.on_active("main", 2)
        assert not await run.service.healthy()
        await run.service.on_standby("main")
        assert await run.service.healthy()


async def test_who_has_no_time_to_take_over_says_so_too(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(broker, AEGIS_RATE="500") as run:
        begun = asyncio.Event()

        async def hang(_: int) -> None:
            begun.set()
            await asyncio.Future()

        monkeypatch.setattr(run.service, "held", lambda _: Alone())
        await run.service.on_standby("main")
        monkeypatch.setattr(run.service._follower, "reached", hang)
        taking = asyncio.create_task(run.service.on_active("main", 2))
        await begun.wait()
        taking.cancel()
        await asyncio.wait({taking})
        assert not await run.service.healthy()


async def test_a_follower_that_takes_its_time_to_end_keeps_no_tick_back(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes leave of a stream that is away."""
    async with running(broker, AEGIS_RATE="500") as run:
        ends, follow = asyncio.Event(), TickFollower.run

        async def run_on(follower: TickFollower) -> None:
            try:
                await follow(follower)
            finally:
                await ends.wait()

        monkeypatch.setattr(TickFollower, "run", run_on)
        monkeypatch.setattr(run.service, "held", lambda _: Alone())
        await run.service.on_standby("main")
        async with asyncio.timeout(30):
            await run.service.on_active("main", 2)
        assert run.service.pipeline.is_publishing
        await run.service.on_standby("main")
        ends.set()
        assert run.service._following is not None
        assert not run.service._following.cancelling()


@pytest.mark.parametrize("answers", [True, False])
async def test_who_is_not_told_in_time_what_the_stream_has_goes_on_from_where_it_was_told(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    """What it heard live behind that may be stored or not, and is looked for."""
    async with running(broker, AEGIS_RATE="500") as run:
        taken: list[int | None] = []

        def take_over(origin: Origin, *, same_market: bool, after: int | None) -> int:
            taken.append(after)
            return 0

        begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if answers:
            begun.set_result(0)
        monkeypatch.setattr("aegis.marketdata.endpoints.service._BEGIN_S", 0.01)
        monkeypatch.setattr(run.service, "held", lambda _: Alone())
        monkeypatch.setattr(run.service.pipeline, "open", lambda *_: begun)
        monkeypatch.setattr(run.service.pipeline, "take_over", take_over)
        await run.service.on_standby("main")
        await run.service.on_active("main", 2)
        assert taken == [None if answers else run.service._follower.sequence]


async def test_who_learns_at_its_turn_that_the_feed_set_is_of_another_env_publishes_nothing(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(broker, AEGIS_RATE="500") as run:
        monkeypatch.setattr(run.service, "held", lambda _: Alone())
        await run.service.on_standby("main")
        assert await run.service.healthy()
        run.service._seen("tick.SHFE.a", replace(TICK, env="live", epoch=2), live=False, ours=False, heard=None)
        assert not await run.service.healthy()
        with pytest.raises(ConfigurationError, match="the feed set main is live, and this feed is sim"):
            await run.service.on_active("main", 3)
        assert not run.service.pipeline.is_publishing


@asynccontextmanager
async def standing_by(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MarketData]:
    """One that has never had its turn."""
    made = build({"AEGIS_NATS_URL": "nats://127.0.0.1:1", "AEGIS_RATE": "500"})
    monkeypatch.setattr(made, "held", lambda _: Alone())
    host = ServiceHost(MemoryTransport(broker), made)
    await host.start()
    try:
        await made.on_standby("main")
        yield made
    finally:
        await host.stop()


@pytest.mark.parametrize("answers", [True, False])
async def test_who_knows_nothing_of_its_feed_set_takes_it_for_good_or_not_at_all(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    """The stream is empty, or cannot be read: what it had may have been live."""
    monkeypatch.setattr("aegis.marketdata.endpoints.service._BEGIN_S", 0.05)
    async with standing_by(broker, monkeypatch) as made:
        assert await made.healthy()
        if answers:
            await KeyValue(made.transport, "aegis_reference").put("main.env", b"live")
        else:
            unanswered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            monkeypatch.setattr(made._parts.envs, "claim", lambda _: unanswered)
        with pytest.raises(ConfigurationError if answers else TimeoutError):
            await made.on_active("main", 2)
        assert not made.pipeline.is_publishing
        await made.on_standby("main")
        assert await made.healthy() != answers, "whoever was not answered may try again"


async def test_whoever_starts_knows_for_which_env_the_feed_set_was_taken(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing_by(broker, monkeypatch) as made:
        await made.on_active("main", 2)
        bucket = KeyValue(made.transport, "aegis_reference")
        assert [entry.value for entry in await bucket.entries("main.env")] == [b"sim"]
        await bucket.put("main.env", b"live")
    async with standing_by(broker, monkeypatch) as made:
        assert not await made.healthy()
        assert str(made.env_guard.refusal).startswith("the feed set main is live, and this feed is sim")
