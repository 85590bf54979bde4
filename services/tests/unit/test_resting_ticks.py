"""The latest ticks of instruments that rest: who stores them, and what a snapshot has of them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from samples import TICK

from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import MSGPACK
from aegis.marketdata.adapters.bus import ticks_stream
from aegis.marketdata.resting_keeper import RestingKeeper
from aegis.resting_ticks import RestingTicks, part_of
from aegis.ticks import TickOptions, subscribe_ticks
from aegis_sdk import subjects
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

OLD = "SP m2505&m2509"


@pytest.fixture
async def transport() -> AsyncIterator[MemoryTransport]:
    transport = MemoryTransport(MemoryBroker())
    await transport.ensure_stream(ticks_stream())
    yield transport
    await transport.close()


def tick(sequence: int, symbol: str = OLD, age_s: float = 0, **fields: Any) -> Tick:
    received_ns = time.time_ns() - int(age_s * 1e9)
    return replace(TICK, symbol=symbol, sequence=sequence, ts_received_ns=received_ns, **fields)


def publish(transport: MemoryTransport, *ticks: Tick) -> None:
    for one in ticks:
        transport.publish(subjects.tick(one.exchange, one.symbol), MSGPACK.encode(one), MSGPACK.headers)


async def stored(transport: MemoryTransport) -> list[tuple[str, int]]:
    return sorted([(one.symbol, one.sequence) async for _, one in RestingTicks(transport).read("tick.*.*")])


async def until_stored(transport: MemoryTransport, names: list[str]) -> None:
    while await stored(transport) != [(name, 1) for name in names]:  # noqa: ASYNC110 (the keeper tells nobody)
        await asyncio.sleep(0.001)


async def store(transport: MemoryTransport, *ticks: Tick) -> None:
    resting, parts = RestingTicks(transport), defaultdict[str, list[Tick]](list)
    await resting.ensure()
    for one in ticks:
        parts[part_of("main", subjects.tick(one.exchange, one.symbol))].append(one)
    for key, part in parts.items():
        await resting.put(key, part)


async def test_a_snapshot_has_what_the_stream_has_discarded_and_nothing_twice(transport: MemoryTransport) -> None:
    await store(transport, tick(5), tick(3, "rb2505"), tick(1, "m2505", exchange="DCE"))
    publish(transport, tick(4, "rb2505"))
    async with subscribe_ticks(transport, "SHFE.*", options=TickOptions(settle_s=0.02)) as ticks:
        found = await ticks.snapshot()
        assert sorted((one.symbol, one.sequence) for one in found.values()) == [(OLD, 5), ("rb2505", 4)]
        publish(transport, tick(6), tick(5, "rb2505"))
        assert [(one.symbol, one.sequence) for one in [await anext(ticks), await anext(ticks)]] == [
            (OLD, 6),
            ("rb2505", 5),
        ]
    assert ticks.stats().delivered == 4


async def test_a_stream_that_has_nothing_any_more_is_no_empty_market(transport: MemoryTransport) -> None:
    await store(transport, tick(5), *(tick(1, f"x{number}") for number in range(50)))
    async with subscribe_ticks(transport) as ticks:
        assert len(await ticks.snapshot()) == 51
    async with subscribe_ticks(transport, f"SHFE.{OLD}") as ticks:
        assert [one.sequence for one in (await ticks.snapshot()).values()] == [5]


@asynccontextmanager
async def keeping(transport: MemoryTransport, *ticks: Tick) -> AsyncIterator[dict[str, Tick]]:
    """Yields what is the latest; at its end the keeper has looked at what that was last."""
    latest = {subjects.tick(one.exchange, one.symbol): one for one in ticks}
    looks: asyncio.Queue[None] = asyncio.Queue()

    def look() -> dict[str, Tick]:
        looks.put_nowait(None)
        return latest

    running = asyncio.create_task(RestingKeeper(RestingTicks(transport), "main", look, look_s=0.001).run())
    try:
        async with asyncio.timeout(5):
            yield latest
            for _ in range(looks.qsize() + 2):  # the next look begins when the last one is done
                await looks.get()
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_the_latest_tick_of_an_instrument_is_stored_once_it_rests_and_once(transport: MemoryTransport) -> None:
    await RestingTicks(transport).ensure()
    rests = tick(5, age_s=301)
    async with keeping(transport, rests, tick(9, "rb2505", age_s=299)):
        pass
    assert await stored(transport) == [(OLD, 5)]
    async with keeping(transport, rests, tick(1, "ag2506", age_s=400), tick(9, "rb2505", age_s=400)):
        pass
    assert await stored(transport) == [(OLD, 5), ("ag2506", 1), ("rb2505", 9)]
    assert await transport.last_sequence("KV_aegis_resting") == 3, "what is there is not written again"
    async with keeping(transport, tick(6, age_s=301)):
        pass
    assert await stored(transport) == [(OLD, 6), ("ag2506", 1), ("rb2505", 9)]


async def test_what_rests_for_a_month_is_forgotten_with_the_next_of_its_part(transport: MemoryTransport) -> None:
    names = [name for name in map(str, range(1000)) if part_of("", f"tick.SHFE.{name}") == ".SHFE.0"]
    await RestingTicks(transport).ensure()
    async with keeping(transport, tick(1, names[0], age_s=30 * 86_400 - 9)):
        pass
    assert await stored(transport) == [(names[0], 1)]
    async with keeping(transport, tick(2, names[1], age_s=301), tick(1, names[2], age_s=31 * 86_400)):
        pass
    assert await stored(transport) == [(names[0], 1), (names[1], 2)]


async def test_of_two_that_store_the_same_part_none_takes_back_what_the_other_did(transport: MemoryTransport) -> None:
    names = [name for name in map(str, range(1000)) if part_of("", f"tick.SHFE.{name}") == ".SHFE.0"]
    await RestingTicks(transport).ensure()
    async with keeping(transport, tick(1, names[0], age_s=301)) as latest:
        await until_stored(transport, names[:1])
        async with keeping(transport, tick(1, names[1], age_s=301)):
            pass
        latest[f"tick.SHFE.{names[2]}"] = tick(1, names[2], age_s=301)
        await until_stored(transport, names[:3])


async def test_what_cannot_be_stored_is_tried_again(transport: MemoryTransport) -> None:
    async with keeping(transport, tick(5, age_s=301)):
        await RestingTicks(transport).ensure()
    assert await stored(transport) == [(OLD, 5)]
