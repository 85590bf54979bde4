"""The histories of main contracts: who writes them, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from samples import QUOTE, TICK
from slow_reader import Behind

from aegis.contracts.market import Quote, Tick
from aegis.contracts.tick_codec import MSGPACK
from aegis.exchanges.sessions import to_utc_ns
from aegis.marketdata.adapters.bus import RollStore, ticks_stream
from aegis.marketdata.domain.closes import ProductId
from aegis.marketdata.domain.rolls import Close, Rolls
from aegis.marketdata.roll_keeper import RollKeeper, backfill
from aegis.resting_ticks import RestingTicks
from aegis_sdk import subjects
from aegis_sdk.errors import StreamError
from aegis_sdk.kv import KeyValue, RevisionMismatch
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

DAY, NEXT = "20250303", "20250304"
RB = ProductId("SHFE", "rb")
LAST_S, NIGHT_S = 15 * 3600, 21 * 3600


@pytest.fixture
async def transport() -> AsyncIterator[MemoryTransport]:
    transport = MemoryTransport(MemoryBroker())
    await transport.ensure_stream(ticks_stream())
    yield transport
    await transport.close()


@pytest.fixture
async def store(transport: MemoryTransport) -> RollStore:
    store = RollStore(transport, "main")
    await store.ensure()
    return store


def close(month: str, open_interest: float) -> Close:
    return Close(
        symbol=f"rb{month[2:]}",
        month=month,
        expiry_day=f"{month}15",
        open_interest=open_interest,
        volume=0,
        price=None,
    )


def tick(symbol: str, second: int, day: str = DAY, **fields: Any) -> Tick:
    at_ns = to_utc_ns(DAY, second)
    defaults: dict[str, Any] = {"ts_exchange_ns": at_ns, "ts_received_ns": at_ns, "trading_day": day}
    return replace(TICK, symbol=symbol, **(defaults | fields))


async def main_of(store: RollStore, source: str = "test") -> str:
    return "".join(found.rolls.rolls[-1].symbol for found in await store.find(source))


class Latest(dict[str, Tick]):
    """The latest ticks by subject, and who has looked at them."""

    def __init__(self, ticks: Iterable[Tick]) -> None:
        super().__init__((subjects.tick(one.exchange, one.symbol), one) for one in ticks)
        self._looks: asyncio.Queue[None] = asyncio.Queue()

    def look(self) -> Latest:
        self._looks.put_nowait(None)
        return self

    async def looked_at(self) -> None:
        """Return when whatever followed a look is done: the next look begins."""
        async with asyncio.timeout(30):
            for _ in range(self._looks.qsize() + 2):
                await self._looks.get()


@asynccontextmanager
async def keeping(transport: MemoryTransport, store: RollStore, *ticks: Tick) -> AsyncIterator[Latest]:
    latest = Latest(ticks)
    keeper = RollKeeper(transport, store, "main", lambda: "test", latest.look, lambda _: None, look_s=0.001)
    running = asyncio.create_task(keeper.run())
    try:
        yield latest
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until_main(store: RollStore, symbol: str) -> None:
    async with asyncio.timeout(30):
        while await main_of(store) != symbol:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_a_day_is_decided_once_its_clock_has_passed_the_close(
    transport: MemoryTransport, store: RollStore
) -> None:
    """The real time is long after it; what counts is the market's, which a tick of the night moves on."""
    now = {"ts_received_ns": 2**62}
    ticks = [tick("rb2505", LAST_S, open_interest=5.0, **now), tick("rb2510", LAST_S, open_interest=9.0, **now)]
    async with keeping(transport, store, *ticks) as latest:
        await latest.looked_at()
        assert await main_of(store) == ""
        latest["tick.SHFE.ag2506"] = tick("ag2506", NIGHT_S, NEXT, **now)
        await until_main(store, "rb2510")
    assert [(one.rolls.decided_day, one.rolls.rolls[0].from_day) for one in await store.find("test")] == [(DAY, NEXT)]


async def test_what_ticked_before_the_start_is_read_from_the_stream(
    transport: MemoryTransport, store: RollStore
) -> None:
    for each in (
        tick("rb2510", LAST_S, open_interest=9.0),
        tick("rb2601", LAST_S, open_interest=99.0, feed="another"),
        tick("rb2605", LAST_S, open_interest=99.0, source="replay:x"),
        tick("rb2609", LAST_S, "20250228", open_interest=99.0),
    ):
        transport.publish(subjects.tick("SHFE", each.symbol), MSGPACK.encode(each), MSGPACK.headers)
    transport.publish("tick.SHFE.bad", b"{")
    async with keeping(transport, store, tick("rb2505", LAST_S, open_interest=5.0)):
        await until_main(store, "rb2510")


async def test_what_the_stream_has_discarded_is_read_from_what_rests(
    transport: MemoryTransport, store: RollStore
) -> None:
    resting = RestingTicks(transport)
    await resting.ensure()
    rest, old = tick("rb2510", LAST_S, open_interest=9.0), tick("rb2605", LAST_S, "20250228", open_interest=99.0)
    await resting.put("main.SHFE.0", [rest, old])
    await resting.put("another.SHFE.0", [tick("rb2601", LAST_S, open_interest=99.0, feed="another")])
    async with keeping(transport, store, tick("rb2505", LAST_S, open_interest=5.0)):
        await until_main(store, "rb2510")


async def test_what_ticked_before_the_start_is_read_also_where_the_node_that_is_read_from_is_behind(
    transport: MemoryTransport, store: RollStore
) -> None:
    each = tick("rb2510", LAST_S, open_interest=9.0)
    transport.publish(subjects.tick("SHFE", each.symbol), MSGPACK.encode(each), MSGPACK.headers)
    await transport.flush()
    behind = Behind(transport._broker)
    async with keeping(behind, store, tick("rb2505", LAST_S, open_interest=5.0)):
        async with asyncio.timeout(30):
            await behind.paused.wait()
        behind.catches_up.set()
        await until_main(store, "rb2510")
    await behind.close()


@pytest.mark.parametrize("where", ["latest", "stored"])
async def test_a_day_whose_end_nobody_saw_is_not_decided_by_the_contracts_that_rest(
    transport: MemoryTransport, store: RollStore, where: str
) -> None:
    """The desk was off at the close and is back in the night: the liquid contracts have ticked in it already."""
    now = {"ts_received_ns": 2**62}
    night = tick("rb2510", NIGHT_S, NEXT, open_interest=2e6, **now)
    rest = [tick(symbol, LAST_S, open_interest=3e3, **now) for symbol in ("rb2602", "ag2506", "au2506")]
    if where == "stored":
        transport.publish(subjects.tick("SHFE", night.symbol), MSGPACK.encode(night), MSGPACK.headers)
        night = tick("cu2504", NIGHT_S, NEXT, **now)
    async with keeping(transport, store, night, *rest) as latest:
        await latest.looked_at()
    assert {rolls.rolls.product for rolls in await store.find("test")} == {"ag", "au"}


async def test_a_keeper_that_goes_on_later_has_not_seen_what_was_between(
    transport: MemoryTransport, store: RollStore
) -> None:
    now = {"ts_received_ns": 2**62}
    latest = Latest([tick("rb2510", LAST_S - 3600, **now), tick("rb2602", LAST_S - 3600, **now)])
    keeper = RollKeeper(transport, store, "main", lambda: "test", latest.look, lambda _: None, look_s=0.001)
    for step in range(2):
        if step:
            latest["tick.SHFE.rb2510"] = tick("rb2510", NIGHT_S, NEXT, **now)
        running = asyncio.create_task(keeper.run())
        await latest.looked_at()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await main_of(store) == ""


async def test_a_day_that_cannot_be_stored_is_tried_again(transport: MemoryTransport) -> None:
    store = RollStore(transport, "main")  # its bucket is not there yet
    async with keeping(transport, store, tick("rb2505", LAST_S, open_interest=5.0)) as latest:
        await latest.looked_at()
        await store.ensure()
        await until_main(store, "rb2505")


async def test_of_two_that_decide_the_same_day_one_does(store: RollStore) -> None:
    outcomes = await asyncio.gather(*(store.decide("test", RB, DAY, [close("202505", 1)]) for _ in range(2)))
    assert sorted(outcome is not None for outcome in outcomes) == [False, True]
    (found,) = await store.find("test")
    assert await store.decide("test", RB, DAY, [close("202510", 9)]) is None
    assert await store.find("test") == [found]


async def test_one_that_was_overtaken_decides_by_what_the_other_stored(
    store: RollStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deposed instance has read the history, and another writes before it does."""
    await store.decide("test", RB, DAY, [close("202505", 10), close("202510", 5)])
    update, overtaken = KeyValue.update, False

    async def late_update(self: KeyValue, *arguments: Any) -> int:
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            await store.decide("test", RB, NEXT, [close("202505", 10), close("202510", 20)])
        return await update(self, *arguments)

    monkeypatch.setattr(KeyValue, "update", late_update)
    assert await store.decide("test", RB, NEXT, [close("202505", 10)]) is None
    assert await main_of(store) == "rb2510"


async def test_one_that_was_overtaken_at_the_first_decision_keeps_what_the_other_stored(
    store: RollStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, overtaken = KeyValue.create, False

    async def late_create(self: KeyValue, *arguments: Any) -> int:
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            await store.decide("test", RB, NEXT, [close("202510", 20)])
        return await create(self, *arguments)

    monkeypatch.setattr(KeyValue, "create", late_create)
    assert await store.decide("test", RB, DAY, [close("202505", 10)]) is None
    assert await main_of(store) == "rb2510"


async def test_whoever_never_gets_to_write_says_so(store: RollStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(self: KeyValue, *arguments: Any) -> int:
        raise RevisionMismatch("rb", 1, StreamError("wrong last sequence", 10071))

    monkeypatch.setattr(KeyValue, "create", refused)
    with pytest.raises(RevisionMismatch):
        await store.decide("test", RB, DAY, [close("202505", 1)])


async def test_each_market_has_a_history_of_its_own(store: RollStore) -> None:
    await store.decide("simnow.primary", RB, DAY, [close("202505", 1)])
    await store.decide("replay:a b.csv", RB, DAY, [close("202510", 1)])
    assert await main_of(store, "simnow.backup") == "rb2505"
    assert await main_of(store, "replay:a b.csv") == "rb2510"
    assert await main_of(store, "simulated") == ""
    assert await store.find("simnow.primary", "DCE") == []
    assert len(await store.find("simnow.primary", "SHFE", "rb")) == 1


async def test_a_history_that_cannot_be_read_begins_anew(transport: MemoryTransport, store: RollStore) -> None:
    await KeyValue(transport, "aegis_reference").put("main.test.SHFE.rb", b"{")
    assert await store.find("test") == []
    assert isinstance(await store.decide("test", RB, DAY, [close("202505", 1)]), Rolls)


def quote(symbol: str, day: str, open_interest: float, volume: int) -> Quote:
    return replace(QUOTE, symbol=symbol, trading_day=day, open_interest=open_interest, volume=volume, last_price=volume)


async def test_a_recording_is_decided_day_by_day(store: RollStore) -> None:
    quotes = [
        quote("rb2505", DAY, 100, 1),
        quote("rb2510", DAY, 50, 2),
        quote("rb2505", NEXT, 100, 3),
        quote("rb2510", NEXT, 10, 4),
        quote("rb2510", NEXT, 120, 5),
        quote("rb2510", DAY, 500, 6),  # late
    ]
    assert await backfill(store, "test", quotes) == [DAY, NEXT]
    (found,) = await store.find("test")
    rolls = [(roll.from_day, roll.symbol, roll.old_price, roll.new_price) for roll in found.rolls.rolls]
    assert rolls == [(NEXT, "rb2505", None, 1), ("20250305", "rb2510", 3, 5)]
    await backfill(store, "test", quotes)
    assert await store.find("test") == [found], "it changes nothing a second time"
