"""The trading service on a scripted ledger and venue: what is told of a day that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import pytest
from trading_desk import DAY, NEXT_DAY
from trading_house import House, agreed, at_venue, place
from trading_venue import ACCOUNT, Connection

from aegis.contracts.trading import FlattenRequest, OrderExpired
from aegis.contracts.venue import Submit, Submitted, VenueOrder
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
    assert instance.service.states[ACCOUNT].notes["unknown_order"] == 1, "the venue's word on the first one"
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
