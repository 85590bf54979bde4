"""Orders that nobody wants any more, on a scripted ledger and venue: cancelled, whatever becomes of a cancel."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from trading_house import House, agreed, as_placed, place
from trading_venue import ACCOUNT

from aegis.contracts.trading import CancelOrder
from aegis.trading.domain.changes import CancelAsked, read_changes
from aegis.trading.handlers import withdrawing


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(withdrawing, "_LOOK_S", 0.001)
    monkeypatch.setattr(withdrawing, "_AGAIN_S", 0.005)
    made = House()
    yield made
    await made.end()


@pytest.mark.parametrize("policy", ["cancel", "keep"])
async def test_an_order_that_comes_after_it_was_called_not_sent_is_told_and_cancelled_unless_told_otherwise(
    house: House, policy: str
) -> None:
    instance = await house.take(late_orders=policy)
    house.venue.arrives = False
    await place(instance, "one")
    await instance.settle()
    assert house.stored.outcomes["one"].orders[0].status == "not_sent"
    house.venue.arrives = True
    house.venue.take(as_placed("one"))
    await instance.until(lambda: instance.book.orders["one"].reason == "came_late" or not house.venue.book.working)
    late = "one was called not sent, and its venue has it all the same"
    assert await house.alerts() == [("late", late)]
    if policy == "keep":
        assert list(house.venue.book.working) == ["one"]
        await instance.call("cancel_order", CancelOrder(account=ACCOUNT, client_order_id="one"), "c")
    await instance.until(lambda: instance.book.orders["one"].status == "cancelled")
    assert not house.venue.book.working
    await agreed(instance)


async def test_a_late_order_is_asked_for_until_it_works_no_more_also_by_who_takes_over(
    house: House,
) -> None:
    instance = await house.take()
    house.venue.arrives = False
    await place(instance, "one")
    await instance.settle()
    house.venue.cancels_arrive = False
    house.venue.take(as_placed("one"))
    await instance.until(lambda: house.venue.cancels["one"] >= 2)
    await instance.still()
    instance = await house.take()
    asked = house.venue.cancels["one"]
    await instance.until(lambda: house.venue.cancels["one"] > asked)
    house.venue.cancels_arrive = True
    await instance.until(lambda: instance.book.orders["one"].status == "cancelled")
    told = [change for entry in house.stored.journal for change in read_changes(entry.data) if entry.data != b"null"]
    assert sum(isinstance(change, CancelAsked) for change in told) == 1
