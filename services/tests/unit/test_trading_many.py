"""An account with thousands of orders, on a ledger that refuses an entry which is too large."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest
from trading_desk import NEXT_DAY, REBAR
from trading_house import House, agreed, at_venue
from trading_stage import Instance
from trading_venue import ACCOUNT, Fate, Killed

from aegis.contracts.trading import FlattenReply, FlattenRequest, KillRequest
from aegis.order_calls import flattened
from aegis.trading.domain import changes
from aegis.trading.domain.changes import read_changes, write_entries
from aegis.trading.handlers import cancelling, comparing, opening, withdrawing
from aegis_sdk.client import Client
from aegis_sdk.method import Method
from aegis_sdk.single_active.writing import MAX_ENTRY_BYTES

MANY = 1_500


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(comparing, "_BETWEEN_S", 0.001)
    monkeypatch.setattr(opening, "_BETWEEN_S", 0.001)
    monkeypatch.setattr(withdrawing, "_LOOK_S", 0.01)
    monkeypatch.setattr(withdrawing, "_AGAIN_S", 0.01)
    made = House()
    yield made
    await made.end()


def name(number: int) -> str:
    """As long as one may be."""
    return f"{number:05}-".ljust(36, "x")


async def test_an_account_that_has_thousands_of_orders_already_can_begin(house: House) -> None:
    for number in range(MANY):
        house.venue.take(at_venue(name(number)))
    instance = await house.take()
    assert len(instance.book.working) == MANY
    assert max(len(entry.data) for entry in house.stored.journal) > MAX_ENTRY_BYTES / 2
    await agreed(instance)


async def start_and_die(house: House, entry: int) -> None:
    """A first start that ends behind so many entries."""
    fate = Fate("entry", "after", entry)
    starting = asyncio.create_task(house.take(fate))
    async with asyncio.timeout(30):
        while not fate.is_dead:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    starting.cancel()
    await asyncio.wait([starting])
    await house.end()


@pytest.mark.parametrize("is_next_day", [False, True])
@pytest.mark.parametrize("entries", [1, 3])
async def test_a_first_start_that_dies_between_two_entries_is_gone_on_with(
    house: House, monkeypatch: pytest.MonkeyPatch, entries: int, is_next_day: bool
) -> None:
    """Also where more has happened at the venue meanwhile, or its day has ended."""
    monkeypatch.setattr(changes, "_MOST_BYTES", 10_000)
    many = 100
    for number in range(many):
        house.venue.take(at_venue(name(number)))
    house.venue.fill(name(0), 1)
    await start_and_die(house, entries)
    stored = [change.kind for entry in house.stored.journal for change in read_changes(entry.data)]
    assert "account_opened" in stored
    assert "books_taken" not in stored
    for number in (1, many - 1):
        house.venue.fill(name(number), 1)
    if is_next_day:
        house.venue.roll(NEXT_DAY, "3010")
    instance = await house.take()
    await agreed(instance)
    assert instance.book.mode == "normal"
    assert len(instance.book.working) == (0 if is_next_day else many - 3)
    assert instance.service.states[ACCOUNT].group.tally(REBAR).orders == (0 if is_next_day else many)
    instance = await house.take()  # it is opened once
    await agreed(instance)
    stored = [change.kind for entry in house.stored.journal for change in read_changes(entry.data)]
    assert stored.count("books_taken") == 1


class Filling(Fate):
    """Lives, and has the venue fill orders when the first entry of a first start is stored."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self._house = house

    def comes(self, step: str, when: str) -> None:
        super().comes(step, when)
        if step == "entry" and b"account_opened" in self._house.stored.journal[-1].data:
            for number in range(3):
                self._house.venue.fill(name(number), 1)


async def test_what_is_reported_while_a_first_start_is_gone_on_with_is_booked_behind_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its positions are those of the moment at which the venue told its orders: a fill behind that comes on top."""
    monkeypatch.setattr(changes, "_MOST_BYTES", 10_000)
    for number in range(100):
        house.venue.take(at_venue(name(number)))
    await start_and_die(house, 1)
    instance = await house.take(Filling(house))
    await instance.still()
    await agreed(instance)
    assert instance.book.mode == "normal"


async def test_thousands_of_fills_that_nobody_heard_are_booked_by_who_takes_over(house: House) -> None:
    instance = await house.take()
    for number in range(MANY):
        house.venue.take(at_venue(name(number)))
    await instance.still()
    await house.end()
    for number in range(MANY):
        house.venue.fill(name(number), 1)
    instance = await house.take()
    assert len(instance.book.trades) == MANY
    await agreed(instance)


async def test_a_kill_of_more_orders_than_an_intent_can_name_is_stored_and_asks_for_all(house: House) -> None:
    instance = await house.take()
    many = MAX_ENTRY_BYTES // 120
    for number in range(many):
        house.venue.take(at_venue(name(number)))
    await instance.until(lambda: len(instance.book.working) == many)
    reply = await instance.call("kill", KillRequest(account=ACCOUNT), "kill")
    assert instance.book.killed
    assert sorted([*reply.asked, *reply.failed]) == [name(number) for number in range(many)]
    await instance.until(lambda: len(house.venue.book.working) < many)


async def test_who_takes_over_a_kill_cancels_and_tells_also_those_that_its_intent_does_not_name(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancelling, "_MOST_ASKED", 2)
    instance = await house.take(Fate("intend", "after"))
    for number in range(5):
        house.venue.take(at_venue(name(number)))
    await instance.still()
    assert isinstance(await instance.call("kill", KillRequest(account=ACCOUNT), "kill"), Killed)
    house.venue.cancels_left = 0
    instance = await house.take()
    await instance.until(lambda: len(instance.account.withdrawn) == 5)
    await instance.settle()
    assert sorted(house.stored.outcomes["kill"].failed) == [name(number) for number in range(5)]
    house.venue.cancels_left = None
    await instance.until(lambda: not instance.book.working)
    await agreed(instance)


LOTS = 1_100
"""Held, and closed one by one: more orders than an entry can name."""


def hold_many(house: House) -> None:
    house.venue.take(at_venue("held").model_copy(update={"volume": LOTS, "price": Decimal(3000)}))


async def flatten(instance: Instance, names: Iterator[int]) -> FlattenReply:
    """As clients ask for it."""

    class Calls:
        async def call_active(self, method: Method[Any, Any], key: str, request: Any, **_: Any) -> Any:
            reply = await instance.call(method.name, request, f"f{next(names)}")
            if isinstance(reply, Exception):
                raise reply
            return SimpleNamespace(value=reply)

    request = FlattenRequest(account=ACCOUNT, confirm=ACCOUNT)
    return await flattened(cast(Client, Calls()), ACCOUNT, request, 5.0)


def closed(house: House) -> int:
    return sum(order.traded for order in house.venue.book.orders.values() if order.side == "sell")


async def test_more_orders_than_an_entry_can_name_flatten_an_account_part_by_part(house: House) -> None:
    hold_many(house)
    instance = await house.take(max_order_lots=1)
    reply = await flatten(instance, count())
    assert (len(reply.orders), reply.refused) == (LOTS, {})
    await instance.still()
    assert closed(house) == LOTS
    assert not instance.book.held
    await agreed(instance)


async def test_parts_whose_orders_are_not_met_are_tried_once(house: House) -> None:
    hold_many(house)
    instance = await house.take(max_order_lots=1)
    house.venue.price = 2000
    reply = await flatten(instance, count())
    assert (len(reply.orders), reply.refused) == (LOTS, {})
    await instance.until(lambda: len(instance.book.working) == LOTS)
    assert await flatten(instance, count(100)) == FlattenReply(orders=[], refused={REBAR: "too_few_to_close"})


@pytest.mark.parametrize(("step", "at"), [("intend", 2), ("submit", 250), ("commit", 2)])
async def test_a_flatten_that_is_killed_between_two_parts_or_in_one_is_asked_for_again_and_closes_the_rest(
    house: House, step: str, at: int
) -> None:
    hold_many(house)
    instance = await house.take(Fate(step, "after", at), max_order_lots=1)
    with pytest.raises(Killed):
        await flatten(instance, count())
    assert 0 < closed(house) < LOTS
    house.venue.voids = True  # what never came is not sent for certain
    instance = await house.take(max_order_lots=1)
    assert house.stored.intents == {}
    await flatten(instance, count(100))
    await instance.still()
    assert closed(house) == LOTS
    assert set(house.venue.submits.values()) == {1}
    await agreed(instance)


async def test_the_stored_answer_of_a_part_that_somebody_else_ended_says_where_to_go_on(house: House) -> None:
    """As a client has it who asks for the same part again, at whoever took over."""
    hold_many(house)
    instance = await house.take(Fate("commit", "before", 1), max_order_lots=1)
    with pytest.raises(Killed):
        await flatten(instance, count())
    instance = await house.take(max_order_lots=1)
    reply = await flatten(instance, count())
    await instance.still()
    assert len(reply.orders) == closed(house) == LOTS
    assert not instance.book.held


def test_changes_are_one_entry_as_long_as_one_holds_them_and_none_is_lost_or_moved() -> None:
    entry = read_changes(b'[{"kind":"cash_moved","account":"a","ts_ns":1}]')
    assert len(write_entries(entry * 100)) == 1
    numbered = [entry[0].model_copy(update={"ts_ns": number}) for number in range(20_000)]
    entries = write_entries(numbered)
    assert len(entries) > 2
    assert max(map(len, entries)) < MAX_ENTRY_BYTES
    assert [change for one in entries for change in read_changes(one)] == numbered
    assert write_entries([]) == [b"[]"]
