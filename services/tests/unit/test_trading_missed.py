"""The trading service on a scripted ledger and venue: what nobody heard or told in time, and what follows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from trading_desk import DAY, NEXT_DAY
from trading_house import House, agreed, at_venue, place
from trading_venue import Connection

from aegis.contracts.orders import OrderReported
from aegis_sdk.errors import Moved, OutcomeUnknown, Unavailable
from aegis_sdk.events import Events

CLOCKS = {"ts_updated_ns"}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    await made.end()


async def test_what_a_snapshot_swallows_before_it_is_stored_is_told_by_whoever_takes_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holder but the last dies while EVENTS takes nothing, behind a snapshot and an order that follows it."""
    names = ["one", "two", "three"]
    with monkeypatch.context() as away:
        away.setattr(Events, "publish", _unavailable)
        away.setattr(Events, "publish_batch", _unavailable)
        for name in names:
            instance = await house.take()
            await place(instance, name, price=3001)
            await instance.still()
            instance.snapshot()
            await place(instance, f"{name}-late")
            await instance.still()
    instance = await house.take()
    events = await house.events()
    assert [sequence for _, sequence, _ in events] == list(range(1, instance.book.sequence + 1))
    orders = [OrderReported.model_validate_json(payload).order for kind, _, payload in events if kind == "order"]
    for name in names:
        of_name = [one for one in orders if one.client_order_id == name]
        assert [one.status for one in of_name] == ["pending", "filled"]
        last, now = (one.model_dump(exclude=CLOCKS) for one in (of_name[-1], instance.book.orders[name]))
        assert last == now
    assert sum(kind == "trade" for kind, *_ in events) == len(instance.book.trades) == len(names)


async def _unavailable(*_: Any, **__: Any) -> Any:
    raise Unavailable("away")


async def test_what_is_reported_waits_for_what_was_missed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A close takes the lots that were opened first: those that were filled while nobody had the account."""
    instance = await house.take()
    for name, price in (("missed", 2990), ("reported", 2980)):
        await place(instance, name, price=price, volume=1)
    await instance.still()
    await house.end()
    house.venue.fill("missed", 1)
    asked, answers = asyncio.Event(), asyncio.Event()
    orders = Connection.orders

    async def slow(self: Connection, account: str) -> Any:
        asked.set()
        await answers.wait()
        return await orders(self, account)

    monkeypatch.setattr(Connection, "orders", slow)
    taking = asyncio.create_task(house.take())
    await asked.wait()
    instance = house.active
    assert instance is not None
    seen = instance.account.activity
    house.venue.fill("reported", 1)
    assert instance.account.activity > seen  # it was heard
    for _ in range(100):  # turns in which it could be booked
        await asyncio.sleep(0)
    answers.set()
    await taking
    await place(instance, "closes", side="sell", price=3000, volume=1, offset="close_today")
    await instance.still()
    await agreed(instance)
    assert instance.book.close_profit == house.venue.book.close_profit == 100


async def test_what_is_reported_behind_a_hole_waits_for_what_is_in_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()
    for name, price in (("missed", 2990), ("reported", 2980)):
        await place(instance, name, price=price, volume=1)
    await instance.still()
    house.venue.reports = False
    house.venue.fill("missed", 1)
    house.venue.reports = True
    house.venue.fill("reported", 1)
    await instance.until(lambda: len(instance.book.trades) == 2)
    assert [one.client_order_id for one in instance.book.trades.values()] == ["missed", "reported"]
    await agreed(instance)


async def test_a_day_that_ends_while_an_account_is_compared_is_no_mismatch(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue has told the day, and has begun the next one when it is asked for orders."""
    instance = await house.take()
    await place(instance, "one", price=3001)
    await instance.still()
    orders = Connection.orders

    async def rolling(self: Connection, account: str) -> Any:
        if house.venue.book.trading_day == DAY:
            house.venue.roll(NEXT_DAY, "3010")
        return await orders(self, account)

    monkeypatch.setattr(Connection, "orders", rolling)
    instance.account.due.set()
    await instance.until(lambda: instance.book.trading_day == NEXT_DAY and instance.account.ready.is_set())
    await agreed(instance)
    assert instance.book.mode == "normal"
    assert not instance.service.acting.counts.mismatches


@pytest.mark.parametrize("is_stored", [True, False])
async def test_an_adoption_is_told_only_by_who_has_stored_it(
    house: House, monkeypatch: pytest.MonkeyPatch, is_stored: bool
) -> None:
    """Whoever was frozen hears of orders that others have placed since, and knows none of their names."""
    instance = await house.take()
    await place(instance, "one")
    await instance.still()
    commit, proved = instance.ledger.commit, asyncio.Event()

    async def unanswered(change: bytes) -> int:
        if is_stored:
            await commit(change)
        raise OutcomeUnknown("no answer")

    async def prove() -> None:
        proved.set()
        if not is_stored:
            raise Moved("deposed")

    monkeypatch.setattr(instance.ledger, "commit", unanswered)
    monkeypatch.setattr(instance.ledger, "prove", prove)
    house.venue.take(at_venue("theirs"))
    async with asyncio.timeout(5):
        await proved.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    assert instance.service.acting.counts.adopted == is_stored
