"""The trading service on a scripted ledger and venue: an account that its file gives another group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from health_desk import hosted
from small_services import Books
from trading_house import House, agreed, at_venue, place
from trading_venue import ACCOUNT

from aegis.contracts.trading import OrderRejected, ReconcileRequest, SetMode, TakeBooks
from aegis.contracts.trading_stores import group_name
from aegis.trading.moving import holder_of
from aegis_sdk.kv import KeyValue
from aegis_sdk.transport_memory import MemoryTransport

OLD = "a1"  # the key of `Books`
TAKE = TakeBooks(account=ACCOUNT, confirm=ACCOUNT)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    await made.end()


async def moved(house: House) -> None:
    """It is called under another key, as it was before its file has changed."""
    transport = MemoryTransport(house.stored.broker)
    await KeyValue(transport, "aegis_config").put(group_name(ACCOUNT), OLD.encode())
    await transport.close()


@pytest.mark.parametrize("was_here", [False, True])
async def test_it_is_not_traded_before_a_person_says_so_and_then_halted_with_its_events_going_on(
    house: House, was_here: bool
) -> None:
    first = await house.take()
    await place(first, "held", price=3001)
    await place(first, "rests")
    await first.still()
    told = len(await house.events())
    await house.end()
    if not was_here:  # that was under the other key
        house.stored.journal.clear()
    await moved(house)
    instance = await house.take()
    house.venue.take(at_venue("theirs"))
    assert not instance.account.reports
    for answer in (
        await place(instance, "one"),
        await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "r"),
    ):
        assert answer.details == {"reason": "wrong_key", "key": "a1"}
    assert ("mismatch", "`aegis_config` has it under a1: no order is taken") in await house.alerts()
    assert len(await house.events()) == told
    assert not house.venue.submits["one"]

    reply = await instance.call("take_books", TAKE, "t")
    assert (reply.verdict, instance.book.mode) == ("agreed", "halted")
    assert {"rests", "theirs"} == set(instance.book.working)
    assert (await place(instance, "one")).details["reason"] == "halted"
    assert [sequence for _, sequence, _ in await house.events()] == list(range(1, instance.book.sequence + 1))
    assert instance.book.sequence > told
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="normal"), "m")
    assert (await place(instance, "one")).orders[0].status == "accepted"
    await instance.still()
    await agreed(await house.take())


async def test_it_does_not_come_while_anybody_holds_its_old_key(house: House) -> None:
    await (await house.take()).still()
    await house.end()
    house.stored.journal.clear()
    await moved(house)
    instance = await house.take()
    async with hosted(MemoryTransport(house.stored.broker), Books(), "t1"):
        async with asyncio.timeout(5):
            while not await holder_of(instance.transport, OLD):
                pass
        refused = await instance.call("take_books", TAKE, "t")
        assert isinstance(refused, OrderRejected)
        assert str(refused) == "a is traded under a1 by t1: end that first"
    assert not instance.service.states[ACCOUNT].group.books
    assert (await instance.call("take_books", TAKE, "u")).verdict == "agreed"


async def test_one_that_has_gone_to_another_key_is_traded_here_no_more(house: House) -> None:
    instance = await house.take()
    assert (await place(instance, "one")).orders[0].status == "accepted"
    await moved(house)
    await instance.until(lambda: ACCOUNT in instance.service.acting.elsewhere)
    assert (await place(instance, "two")).details["reason"] == "wrong_key"
