"""The accounts file against the journal: what of an account may be changed there, and what a person must say."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from trading_house import House, agreed, at_venue, place
from trading_venue import ACCOUNT

from aegis.contracts.trading import CancelOrder, KillRequest, OrderRejected, ReconcileRequest
from aegis_sdk.errors import OutcomeUnknown


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    await made.end()


async def test_an_account_that_was_opened_in_another_env_sends_nothing_and_hears_nothing(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    await instance.still()
    await agreed(instance)
    instance = await house.take(file={"env": "live"})
    before = len(house.stored.journal)
    refused = await place(instance, "two")
    assert isinstance(refused, OrderRejected)
    assert refused.details["reason"] == "wrong_env"
    assert refused.details["detail"] == "its books are sim, its venue is live"
    house.venue.take(at_venue("theirs"))
    house.venue.fill("one", 2)
    uncompared = await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "r")
    assert uncompared.details["reason"] == "wrong_env"
    assert house.venue.submits == {"one": 1, "theirs": 1}
    assert len(house.stored.journal) == before
    assert list(instance.book.orders) == ["one"]
    assert not instance.account.ready.is_set()
    assert ("mismatch", "its books are sim, its venue is live: no order is taken") in await house.alerts()


async def test_nothing_is_cancelled_or_settled_at_a_venue_of_another_env(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    house.venue.arrives = False
    assert isinstance(await place(instance, "two"), OutcomeUnknown)
    house.venue.arrives = True
    await instance.still()
    instance = await house.take(file={"env": "live"})
    await instance.settle()
    assert set(house.stored.intents) == {"two"}
    cancelled = await instance.call("cancel_order", CancelOrder(account=ACCOUNT, client_order_id="one"), "c")
    assert (cancelled.order.status, cancelled.order.cancel_asked) == ("accepted", False)
    killed = await instance.call("kill", KillRequest(account=ACCOUNT), "k")
    assert (killed.failed, instance.book.mode) == (["one", "two"], "halted")
    assert house.venue.book.working


async def test_an_order_has_the_env_of_the_venue_that_is_asked(house: House) -> None:
    instance = await house.take(file={"env": "live"})
    await instance.arm()
    reply = await place(instance, "one")
    assert reply.orders[0].env == instance.book.env == "live"
