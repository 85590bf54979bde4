"""The trading service on a scripted ledger and venue: what is told of a day that has ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import pytest
from trading_desk import DAY, NEXT_DAY, REBAR, terms
from trading_house import House, agreed, at_venue, place, request
from trading_venue import ACCOUNT, Connection

from aegis.contracts.trading import (
    CancelOrder,
    FlattenRequest,
    OrderExpired,
    ReconcileRequest,
    TakeBooks,
    VenueUnavailable,
)
from aegis.contracts.venue import Submit, Submitted, VenueOrder
from aegis.trading.domain.group import restore, snapshot
from aegis_sdk.errors import OutcomeUnknown


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    await made.end()


async def test_an_order_that_was_never_heard_of_when_its_day_ends_is_not_called_expired(house: House) -> None:
    """Nor is a flatten: both have traded at the venue."""
    instance = await house.take()
    await place(instance, "held", price=3001, volume=4)
    await instance.still()
    house.venue.answers = house.venue.reports = False
    assert isinstance(await place(instance, "one", side="sell", offset="close_today", price=2999), OutcomeUnknown)
    flatten = FlattenRequest(account=ACCOUNT, confirm=ACCOUNT)
    assert isinstance(await instance.call("flatten", flatten, "f"), OutcomeUnknown)
    assert house.venue.book.orders["one"].filled == 2
    house.venue.answers = house.venue.reports = True
    house.venue.roll(NEXT_DAY, "3000")
    await instance.until(lambda: instance.book.trading_day == NEXT_DAY)
    await instance.settle()
    assert not house.stored.intents
    for name in ("one", "f"):
        told = house.stored.outcomes[name]
        assert isinstance(told, OrderExpired)
        assert [(one.status, one.trading_day) for one in told.orders] == [("unknown", DAY)]


@pytest.mark.parametrize("voids", [False, True])
async def test_whoever_takes_over_on_the_next_day_does_not_call_what_was_traded_never_sent(
    house: House, voids: bool
) -> None:
    """The venue tells of its new day only, and the books are still those of the old one."""
    house.venue.voids = voids
    instance = await house.take()
    await place(instance, "resting")
    house.venue.answers = house.venue.reports = house.venue.cancels_arrive = False
    assert isinstance(await place(instance, "one", price=3001), OutcomeUnknown)
    cancel = CancelOrder(account=ACCOUNT, client_order_id="resting")
    assert isinstance(await instance.call("cancel_order", cancel, "c"), OutcomeUnknown)
    assert house.venue.book.orders["one"].filled == 2
    await house.end()
    house.venue.answers = house.venue.reports = house.venue.cancels_arrive = True
    asked = house.venue.cancels["resting"]
    house.venue.roll(NEXT_DAY, "3000")
    instance = await house.take()
    await instance.settle()
    assert not house.stored.intents
    for name in ("one", "c"):
        assert isinstance(house.stored.outcomes[name], OrderExpired), name
    assert house.venue.cancels["resting"] == asked, "its number may be another order's by now"
    assert instance.book.mode == "close_only", "two lots were never heard of: a person decides"


async def test_a_day_that_ends_while_the_venue_answers_is_no_difference(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()
    await place(instance, "held", price=3001)
    await instance.still()
    orders, days = instance.venue.orders, [NEXT_DAY]

    async def orders_at_the_end(account: str) -> Sequence[VenueOrder]:
        """Of a look at an account, and of another one when a person takes its books."""
        if days:
            house.venue.roll(days.pop(0), "3000")
        return await orders(account)

    monkeypatch.setattr(instance.venue, "orders", orders_at_the_end)
    asked = ReconcileRequest(account=ACCOUNT)
    assert isinstance(await instance.call("reconcile", asked, "r"), VenueUnavailable)
    await instance.until(lambda: instance.book.trading_day == NEXT_DAY and instance.account.ready.is_set())
    days.append("20251202")
    taken = TakeBooks(account=ACCOUNT, confirm=ACCOUNT)
    assert isinstance(await instance.call("take_books", taken, "t"), VenueUnavailable)
    await instance.until(lambda: instance.book.trading_day == "20251202")
    await agreed(instance)
    assert instance.book.mode == "normal"
    assert await house.alerts(0) == []


async def test_an_order_whose_day_has_ended_behind_its_intent_is_not_sent_on_the_next_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would know it there: its books have forgotten it with its day."""
    instance = await house.take(max_order_lots=2)
    for name in ("a", "b"):
        await place(instance, name, price=3001)
    await instance.still()
    submit = instance.venue.submit

    async def submit_over_the_roll(order: Submit) -> Submitted:
        answer = await submit(order)
        house.venue.roll(NEXT_DAY, "3000")
        await instance.until(lambda: instance.book.trading_day == NEXT_DAY)
        return answer

    monkeypatch.setattr(instance.venue, "submit", submit_over_the_roll)
    reply = await instance.call("flatten", FlattenRequest(account=ACCOUNT, confirm=ACCOUNT), "f")
    monkeypatch.undo()
    first, second = reply.orders
    assert (first.status, second.status, second.reason) == ("accepted", "not_sent", "day_ended")
    assert house.venue.submits[first.client_order_id] == 1
    assert house.venue.submits[second.client_order_id] == 0
    assert not house.stored.intents
    assert not instance.service.states[ACCOUNT].notes
    await instance.until(instance.account.ready.is_set)
    assert not instance.book.orders
    await agreed(instance)


async def test_what_is_reported_behind_a_day_roll_waits_for_what_was_reported_before_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trade of a day that the books did not have yet is asked for once they have it, and a close takes its lot."""
    instance = await house.take()
    asked, answers = asyncio.Event(), asyncio.Event()
    orders = Connection.orders

    async def slow(self: Connection, account: str) -> Sequence[VenueOrder]:
        if instance.book.trading_day == NEXT_DAY:
            asked.set()
            await answers.wait()
        return await orders(self, account)

    monkeypatch.setattr(house.venue, "_report", lambda **_: None)
    house.venue.roll(NEXT_DAY, "3000")
    monkeypatch.undo()
    monkeypatch.setattr(Connection, "orders", slow)
    house.venue.take(at_venue("early").model_copy(update={"price": Decimal(3020), "volume": 1}))
    await asked.wait()
    seen = instance.account.activity
    house.venue.take(at_venue("late").model_copy(update={"price": Decimal(3010), "volume": 1}))
    assert instance.account.activity > seen  # it was heard
    for _ in range(100):  # turns in which it could be booked
        await asyncio.sleep(0)
    answers.set()
    await instance.until(instance.account.ready.is_set)
    await place(instance, "closes", side="sell", price=2990, volume=1, offset="close_today")
    await instance.still()
    await agreed(instance)
    assert instance.book.close_profit == house.venue.book.close_profit == -300


@pytest.mark.parametrize("is_same", [True, False])
async def test_an_order_that_its_venue_takes_on_the_next_day_is_still_whose_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch, is_same: bool
) -> None:
    """It was on its way when the day ended; and another one under its name is nobody's here."""
    instance = await house.take()
    submit = instance.venue.submit

    async def submit_behind_the_roll(order: Submit) -> Submitted:
        house.venue.roll(NEXT_DAY, "3000")
        await instance.until(lambda: instance.book.trading_day == NEXT_DAY)
        return await submit(order if is_same else order.model_copy(update={"volume": 1}))

    monkeypatch.setattr(instance.venue, "submit", submit_behind_the_roll)
    (told,) = (await place(instance, "one", strategy_id="mine")).orders
    assert told.status == "accepted"
    await instance.until(instance.account.ready.is_set)
    order = instance.book.orders["one"]
    assert (order.status, order.trading_day) == ("accepted", NEXT_DAY)
    assert (order.strategy_id, order.adopted) == (("mine", False) if is_same else ("", True))
    expected = [] if is_same else ["adopted"]
    assert [what for what, _ in await house.alerts(len(expected))] == expected
    assert restore(snapshot(instance.service.states[ACCOUNT].group)).books[ACCOUNT] == instance.book
    await agreed(instance)


@pytest.mark.parametrize("method", ["place_order", "flatten"])
async def test_what_waits_for_the_key_s_lock_while_its_day_ends_is_not_begun(house: House, method: str) -> None:
    """It was ready when it began to wait. Decided by the books of the old day it would come to the venue on the new."""
    instance = await house.take()
    await place(instance, "held", price=3001)
    await instance.still()
    before = len(house.stored.journal)
    asked = request("one") if method == "place_order" else FlattenRequest(account=ACCOUNT, confirm=ACCOUNT)
    async with instance.ledger.lock:
        waiting = asyncio.create_task(instance.call(method, asked, "one"))
        await asyncio.sleep(0)
        instance.account.ready.clear()
    assert isinstance(await waiting, VenueUnavailable)
    assert len(house.stored.journal) == before
    instance.account.ready.set()
    assert (await instance.call(method, asked, "one")).orders


@pytest.mark.parametrize("is_gone", [True, False])
async def test_what_a_venue_has_no_more_of_a_contract_behind_its_last_day_is_no_difference(
    house: House, is_gone: bool
) -> None:
    """By what it was settled only the venue's money tells; what it still shows, as while it is delivered, is held."""
    house.venue.terms = {REBAR: terms(expiry_day=DAY)}
    house.venue.take(at_venue("one").model_copy(update={"price": Decimal(3001), "volume": 2}))
    instance = await house.take()
    assert instance.book.held == {REBAR}
    house.venue.roll(NEXT_DAY, "3011", [REBAR] if is_gone else [])
    house.venue.terms = {}
    await instance.until(lambda: instance.book.trading_day == NEXT_DAY)
    await agreed(instance)
    assert (instance.book.held, instance.book.mode) == (set() if is_gone else {REBAR}, "normal")
    assert instance.book.pre_balance == house.venue.book.pre_balance
    told = [json.loads(payload)["position"] for kind, _, payload in await house.events() if kind == "position"]
    assert told[-1]["yesterday"] == (0 if is_gone else 2)
