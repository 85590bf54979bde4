"""The trading service on a scripted ledger and venue: what is told of a day that has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from trading_desk import DAY, NEXT_DAY
from trading_house import House, place
from trading_venue import ACCOUNT

from aegis.contracts.trading import FlattenRequest, OrderExpired
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
