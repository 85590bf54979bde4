"""The trading service on a scripted ledger and venue: an account that trades all the time is compared all the same."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from trading_house import House, place
from trading_stage import Instance
from trading_venue import ACCOUNT

from aegis.contracts.trading import ReconcileRequest, VenueUnavailable
from aegis.trading.handlers import comparing
from aegis.trading.metrics import figures


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(comparing, "_BETWEEN_S", 0.001)
    made = House()
    yield made
    await made.end()


def slow(instance: Instance, monkeypatch: pytest.MonkeyPatch, *, always: bool = False) -> None:
    """Its venue answers so late that something has moved, unless orders wait; or always."""
    asked = instance.venue.positions

    async def late(account: str) -> Any:
        seen = instance.account.activity
        instance.account.activity += always
        await instance.until(lambda: instance.account.activity > seen or not instance.account.free.is_set())
        return await asked(account)

    monkeypatch.setattr(instance.venue, "positions", late)


@asynccontextmanager
async def trading(instance: Instance) -> AsyncIterator[list[Any]]:
    """One order after the other; what became of each."""
    told: list[Any] = []

    async def trade() -> None:
        for number in count():
            told.append(await place(instance, f"n{number}", volume=1))
            await asyncio.sleep(0)

    task = asyncio.create_task(trade())
    yield told
    task.cancel()


async def reconcile(instance: Instance) -> Any:
    return await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "r")


async def test_its_orders_wait_for_a_comparison_that_is_overdue_and_go_on_behind_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()
    slow(instance, monkeypatch)
    house.venue.book.close_profit += 5
    async with trading(instance) as told:
        assert isinstance(await reconcile(instance), VenueUnavailable)
        assert (instance.book.mode, instance.account.free.is_set()) == ("normal", True)
        instance.account.hold_at = time.monotonic()
        assert (await reconcile(instance)).verdict == "mismatch"
        assert instance.book.mode == "close_only"
        assert instance.account.hold_at > time.monotonic(), "the next one is not due yet"
        done = len(told)
        await instance.until(lambda: len(told) > done + 1)
    assert told[-1].details["reason"] == "close_only", "nobody waits any more"


async def test_orders_do_not_wait_for_long_nor_again_at_once_where_that_is_in_vain(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_HOLD_S", 0.05)
    instance = await house.take()
    slow(instance, monkeypatch, always=True)
    instance.account.asked += 1  # an order whose venue does not answer
    instance.account.answered.clear()
    instance.account.hold_at = time.monotonic()
    waiting = asyncio.create_task(reconcile(instance))
    await instance.until(lambda: not instance.account.free.is_set())
    with pytest.raises(VenueUnavailable, match="stands still to be compared"):
        await instance.account.until_ready(0)
    assert "though its orders waited" in str(await waiting)
    assert instance.account.ready.is_set()
    assert instance.account.hold_at > time.monotonic()
    await instance.account.until_ready(0)


async def test_who_looks_after_it_is_told_once_that_it_is_not_compared_and_how_long_is_shown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_AGAIN_S", (0.001, 0.001))
    instance = await house.take()
    slow(instance, monkeypatch, always=True)
    account = instance.account
    account.hold_at, account.compared_at = math.inf, time.monotonic() - 1000
    tries = 0

    async def look_at(name: str) -> str:
        nonlocal tries
        tries += 1
        return house.venue.book.trading_day

    monkeypatch.setattr(instance.venue, "trading_day", look_at)
    account.due.set()
    await instance.until(lambda: tries > 3)
    ((what, text),) = await house.alerts()
    assert (what, text.startswith("it trades, and was not compared for 1000 s")) == ("not_compared", True)
    shown = {one.name: one for one in figures(instance.service.acting.counts, instance.service.states, {})}
    (sample,) = shown["aegis_trading_uncompared_seconds"].samples
    assert sample.value >= 1000
    assert sample.labels == {"account": ACCOUNT}
    account.compared_at = time.monotonic()
