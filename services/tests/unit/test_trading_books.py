"""Books that are not the venue's: an account whose env was changed, and one that differs; what a person decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from trading_desk import DAY, REBAR, terms
from trading_house import House, agreed, at_venue, place
from trading_venue import ACCOUNT

from aegis.accounting.rules import Rules
from aegis.contracts.trading import (
    CancelOrder,
    KillRequest,
    OrderRejected,
    ReconcileRequest,
    SetMode,
    TakeBooks,
    VenueUnavailable,
)
from aegis.trading.handlers import comparing
from aegis_sdk.errors import OutcomeUnknown

TAKE = TakeBooks(account=ACCOUNT, confirm=ACCOUNT, reason="counted")


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
    assert refused.details == {"reason": "wrong_env", "books": "sim", "venue": "live"}
    assert refused.message == "wrong_env: its books are sim, its venue is live"
    await instance.until(lambda: bool(house.venue.listeners))
    house.venue.take(at_venue("theirs"))
    house.venue.fill("one", 2)
    assert not instance.account.reports
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
    assert cancelled.details["reason"] == "wrong_env"
    killed = await instance.call("kill", KillRequest(account=ACCOUNT), "k")
    assert (killed.failed, instance.book.mode) == (["one", "two"], "halted")
    assert not instance.account.withdrawn
    assert house.venue.book.working


async def test_an_order_has_the_env_of_the_venue_that_is_asked(house: House) -> None:
    instance = await house.take(file={"env": "live"})
    await instance.arm()
    reply = await place(instance, "one")
    assert reply.orders[0].env == instance.book.env == "live"


async def test_an_account_begins_anew_in_another_env_when_a_person_says_so_disarmed_and_as_halted_as_it_was(
    house: House,
) -> None:
    instance = await house.take()
    await place(instance, "one", price=3001)
    await place(instance, "two")
    await instance.still()
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="cancel_only"), "m")
    sequence = instance.book.sequence
    instance = await house.take(file={"env": "live"})
    house.venue.end("two")
    house.venue.fill("one", 2)
    reply = await instance.call("take_books", TAKE, "t")
    assert (reply.verdict, reply.adopted) == ("agreed", [])
    book = instance.book
    assert (book.env, book.armed, book.mode) == ("live", False, "cancel_only")
    assert [(order.env, order.status) for order in book.orders.values()] == [("live", "filled"), ("live", "cancelled")]
    assert book.sequence > sequence
    assert [sequence for _, sequence, _ in await house.events()] == list(range(1, book.sequence + 1))
    assert (await place(instance, "late")).details["reason"] == "disarmed"
    await instance.arm()
    assert (await place(instance, "late")).details["reason"] == "cancel_only", "that is another decision"
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="normal"), "n")
    assert (await place(instance, "three")).orders[0].env == "live"
    await instance.still()
    await agreed(instance)
    instance = await house.take(file={"env": "live"})
    assert instance.book.armed, "over a takeover"


async def test_the_rules_of_the_accounts_file_count_also_when_they_were_changed_later(house: House) -> None:
    instance = await house.take()
    await place(instance, "one", price=3001)
    await instance.still()
    rules = Rules(closing="average", today_margin="pre_settlement")
    assert instance.book.rules != rules
    house.venue.book.rules = rules
    instance = await house.take(file={"rules": rules})
    assert instance.book.rules == rules
    assert instance.book.mode == "normal", "set before the first comparison, which counts by them"
    await agreed(instance)
    assert instance.book.margin() == 6000
    before = len(house.stored.journal)
    await house.take(file={"rules": rules})
    assert len(house.stored.journal) == before


@pytest.mark.parametrize("in_time", [True, False])
async def test_where_margin_needs_yesterday_s_settlement_price_and_the_venue_does_not_tell_it_the_market_does(
    house: House, in_time: bool
) -> None:
    """A counter tells it of what was held when the day began. A tick of the day before does not tell it either."""
    rules = Rules(today_margin="pre_settlement")
    house.venue.terms[REBAR] = terms(pre_settlement_price=None)
    house.venue.book.rules = rules
    house.venue.book.terms[REBAR] = terms(pre_settlement_price=Decimal(2900))
    instance = await house.take(file={"rules": rules})
    instance.quote(pre_settlement_price=2900.0 if in_time else 2800.0, trading_day=DAY if in_time else "20251127")
    await place(instance, "one", price=3001)
    await instance.still()
    if not in_time:
        assert instance.book.margin() == 6002, "of the price that it was opened at"
        instance.quote(pre_settlement_price=2900.0)
    await agreed(instance)
    assert instance.book.margin() == 5800
    before = len(house.stored.journal)
    await agreed(instance)
    assert len(house.stored.journal) == before


async def test_what_differs_from_the_venue_is_taken_from_it_when_a_person_says_so(house: House) -> None:
    instance = await house.take()
    await place(instance, "one", price=3001)
    await place(instance, "rests")
    await instance.still()
    theirs = house.venue.book
    theirs.close_profit += 5
    (holding,) = theirs.holdings.values()
    holding.close(1, of_today=True)
    found = await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "r")
    assert {one.field for one in found.differences} >= {"close_profit", "today"}
    assert instance.book.mode == "close_only"
    unsure = await instance.call("take_books", TAKE.model_copy(update={"confirm": "b"}), "u")
    assert unsure.details["reason"] == "unconfirmed"
    assert (await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "s")).differences
    reply = await instance.call("take_books", TAKE, "t")
    assert reply.verdict == "agreed"
    assert instance.book.mode == "close_only", "that is another decision"
    assert instance.book.orders["rests"].status == "accepted"
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="normal"), "n")
    await agreed(instance)
    assert instance.book.mode == "normal"


async def test_an_account_that_never_stands_still_keeps_its_books(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_BETWEEN_S", 0.001)
    instance = await house.take()
    asked = instance.venue.positions

    async def moving(account: str) -> Any:
        instance.account.activity += 1
        return await asked(account)

    monkeypatch.setattr(instance.venue, "positions", moving)
    house.venue.book.close_profit += 5
    assert isinstance(await instance.call("take_books", TAKE, "t"), VenueUnavailable)
    assert instance.book.close_profit == 0


async def test_an_account_takes_no_order_before_it_was_compared_and_keeps_what_it_had(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its orders and trades are caught up with: positions and money may differ all the same."""
    monkeypatch.setattr(comparing, "_BETWEEN_S", 0.001)
    instance = await house.take()
    await place(instance, "one")
    moves = True
    there = type(instance.venue)
    asked = there.positions

    async def moving(venue: Any, account: str) -> Any:
        assert house.active is not None
        house.active.account.activity += moves
        return await asked(venue, account)

    monkeypatch.setattr(there, "positions", moving)
    unsure = await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "r")
    assert isinstance(unsure, VenueUnavailable)
    assert instance.account.ready.is_set(), "it was compared before"
    instance.account.ready.clear()  # as it is when an account comes here
    unsure = await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "s")
    assert isinstance(unsure, VenueUnavailable)
    assert not instance.account.ready.is_set()
    moves = False
    await agreed(instance)
    assert instance.account.ready.is_set()
    await place(instance, "two")
    assert house.venue.submits == {"one": 1, "two": 1}


async def test_a_trade_that_was_never_reported_is_asked_for_before_anybody_is_alarmed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counter answers for trades by what its stream has told; asked, it tells the others."""
    monkeypatch.setattr(comparing, "_BETWEEN_S", 0.001)
    instance = await house.take()
    await place(instance, "one")
    await instance.still()
    there, is_asked = type(instance.venue), False
    trades, look_up = there.trades, there.look_up

    async def as_told(venue: Any, account: str) -> Any:
        return await trades(venue, account) if is_asked else []

    async def asking(venue: Any, account: str) -> None:
        nonlocal is_asked
        is_asked = True
        await look_up(venue, account)

    monkeypatch.setattr(there, "trades", as_told)
    monkeypatch.setattr(there, "look_up", asking)
    house.venue.listeners, listening = [], house.venue.listeners
    house.venue.fill("one", 2)
    house.venue.listeners = listening
    reply = await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "r")
    assert is_asked
    assert (reply.differences, reply.trades_booked) == ([], 1)
    assert (instance.book.mode, instance.account.alerted) == ("normal", set())
