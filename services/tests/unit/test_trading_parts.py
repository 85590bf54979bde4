"""The parts of the trading service: stores, a venue's reports, figures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from trading_desk import Desk

from aegis.contracts.trading_stores import group_name, risk_name
from aegis.contracts.venue import VenueReport
from aegis.desk import Desk as Client
from aegis.trading import stores
from aegis.trading.domain.risk import RiskSettings
from aegis.trading.domain.views import event_of
from aegis.trading.keys import AccountState, KeyState
from aegis.trading.metrics import Counts, figures
from aegis.trading.stores import ConfigStore, StatementStore
from aegis.trading.venues import VenueListener
from aegis_sdk.errors import NotFound
from aegis_sdk.kv import KeyValue, KeyValueEntry
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


@pytest.fixture
async def transport() -> AsyncIterator[MemoryTransport]:
    made = MemoryTransport(MemoryBroker())
    yield made
    await made.close()


# Stores


async def test_risk_settings_are_in_force_as_they_are_stored_and_wrong_ones_change_nothing(
    transport: MemoryTransport,
) -> None:
    given = RiskSettings(max_order_lots=7)
    store = ConfigStore(transport, {"a": given})
    await store.ensure({"a": "desk"})
    bucket = KeyValue(transport, "aegis_config")
    found = await bucket.get(group_name("a"))
    assert found is not None
    assert found.value == b"desk"
    following = asyncio.create_task(store.follow())

    async def until(lots: int) -> None:
        async with asyncio.timeout(30):
            while store.risk["a"].max_order_lots != lots:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    await bucket.put(risk_name("a"), json.dumps({"max_order_lots": 3}).encode())
    await until(3)
    await bucket.put(risk_name("b"), b"{}")  # of nobody here
    await bucket.put(risk_name("a"), json.dumps({"max_order_lots": 0}).encode())
    await bucket.put(risk_name("a"), b"no JSON")
    await bucket.put(risk_name("a"), json.dumps({"max_order_lots": 4}).encode())
    await until(4)
    await bucket.delete(risk_name("a"))
    await until(7)
    following.cancel()


async def test_who_begins_goes_by_the_settings_that_were_in_force_not_by_its_file(
    transport: MemoryTransport,
) -> None:
    """Before it trades, and also where what was stored last is no valid setting, which others did not take either."""
    bucket = KeyValue(transport, "aegis_config")
    stores = [ConfigStore(transport, {"a": RiskSettings(max_order_lots=7), "b": RiskSettings()}) for _ in range(4)]
    await stores[0].ensure({"a": "a", "b": "b"})
    for stored in (b'{"max_order_lots": 2}', b'{"max_order_lots": 3}', b"{}}", b'{"max_lots": 5}'):
        await bucket.put(risk_name("a"), stored)
    await stores[1].ensure({"a": "a", "b": "b"})
    assert (stores[1].risk["a"].max_order_lots, stores[1].risk["b"]) == (3, RiskSettings())
    await bucket.delete(risk_name("a"))
    await bucket.put(risk_name("a"), b"no JSON")
    await stores[2].ensure({"a": "a", "b": "b"})
    assert stores[2].risk["a"].max_order_lots == 7, "the file's, since what was stored was deleted"
    await bucket.delete(risk_name("a"))
    await stores[3].ensure({"a": "a", "b": "b"})
    assert stores[3].risk["a"].max_order_lots == 7


async def test_instances_that_begin_together_say_the_same_of_an_account(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each finds nothing, and one writes first: the other one died of it."""
    first, second = ConfigStore(transport, {}), ConfigStore(transport, {})
    get, asked = KeyValue.get, list[str]()
    both = asyncio.Event()

    async def late(self: KeyValue, key: str) -> KeyValueEntry | None:
        found = await get(self, key)
        asked.append(key)
        if len(asked) == 2:
            both.set()
        await both.wait()
        return found

    monkeypatch.setattr(KeyValue, "get", late)
    async with asyncio.timeout(30):
        await asyncio.gather(first.ensure({"a": "desk"}), second.ensure({"a": "other"}))
    assert len(first.elsewhere) + len(second.elsewhere) == 1, "one of them is told that it stands elsewhere"


async def test_a_statement_is_stored_once(transport: MemoryTransport) -> None:
    store = StatementStore(transport)
    await store.ensure()
    assert not await store.has("a", "20251201")
    await store.put("a", "20251201", "first")
    await store.put("a", "20251201", "second")
    found = await KeyValue(transport, "aegis_statements").get("a.20251201")
    assert found is not None
    assert found.value == b"first"


async def test_a_statement_that_is_too_long_is_cut_and_that_said_and_read_again(transport: MemoryTransport) -> None:
    store = StatementStore(transport)
    await store.ensure()
    with capture_logs() as logs:
        await store.put("a", "20251201", "结" * 200_000)
    assert [(one["event"], one["kept"]) for one in logs] == [("statement_cut", 524_286)]
    bucket = KeyValue(transport, "aegis_config")
    await bucket.ensure()
    async with Client.over(transport, "a") as desk:
        assert await desk.statement("20251201") == "结" * 174_762
        with pytest.raises(NotFound, match="a has no statement of 20251202"):
            await desk.statement("20251202")


async def test_a_store_that_is_full_forgets_its_oldest_statement_and_stops_no_account(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "_ALL_BYTES", 1 << 20)
    await KeyValue(transport, "aegis_statements").ensure(max_bytes=1 << 20)  # as it was made before
    store = StatementStore(transport)
    await store.ensure()
    days = ["20251201", "20251202", "20251203"]
    for day in days:
        await store.put("a", day, "x" * 400_000)
    assert [await store.has("a", day) for day in days] == [False, True, True]


# A venue's reports


async def test_a_hole_a_new_session_and_a_return_make_a_comparison_due() -> None:
    desk = Desk()
    account = AccountState("a", lambda told: event_of(desk.book, told, {}))
    name = desk.intend("buy", 1)
    listener = VenueListener("v", ["a"], lambda name: account)

    def report(session: str, sequence: int, state: Any = None) -> bool:
        account.due.clear()
        order = None if state else desk.told(name, "accepted")
        listener.reported(VenueReport(session=session, sequence=sequence, state=state, order=order))
        return account.due.is_set()

    assert report("s1", 1, "ready")
    account.ready.set()
    assert not report("s1", 2)
    assert report("s1", 4)
    assert report("s2", 1)
    report("s2", 2, "down")
    assert not account.ready.is_set()
    assert not listener.is_up
    assert report("s2", 3, "ready")


async def test_figures_say_what_is_traded_and_how_it_stands() -> None:
    desk = Desk()
    desk.intend("buy", 1)
    state = KeyState("a", ["a"], None, lambda account: {}, lambda *_: None)
    state.group = desk.group
    counts = Counts()
    counts.refused["collar"] += 1
    with counts.timed("submit"):
        pass
    shown = {one.name: one for one in figures(counts, {"a": state}, {"paper": True})}
    assert [sample.value for sample in shown["aegis_trading_open_intents"].samples] == [1]
    assert shown["aegis_trading_refused_orders"].samples[0].labels == {"reason": "collar"}
    assert {sample.labels["mode"]: sample.value for sample in shown["aegis_trading_account_mode"].samples}[
        "normal"
    ] == 1
