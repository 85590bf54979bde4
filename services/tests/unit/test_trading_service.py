"""The trading service on a scripted ledger and venue: what happens at each step of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from trading_desk import NEXT_DAY, REBAR
from trading_house import House, agreed, as_placed, at_venue, place, request
from trading_venue import ACCOUNT

from aegis.contracts.trading import (
    CancelOrder,
    FlattenRequest,
    KillRequest,
    OrderExpired,
    OrderRejected,
    OrdersRequest,
)
from aegis.contracts.venue import Submit
from aegis.trading.domain.changes import read_changes
from aegis.trading.domain.group import snapshot
from aegis.trading.endpoints import service as service_module
from aegis_sdk.errors import DeadlineExceeded, InvalidRequest, Moved, OutcomeUnknown, Suspended


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    await made.end()


async def test_an_order_is_journaled_before_its_venue_hears_of_it_and_answered_with_its_word(house: House) -> None:
    instance = await house.take()
    reply = await place(instance, "one")
    assert [order.status for order in reply.orders] == ["accepted"]
    assert house.venue.submits == {"one": 1}
    kinds = [change.kind for change in house.stored.journal]
    assert kinds.index("intent") < len(kinds) - 1
    await instance.still()
    assert instance.book.orders["one"].status == "accepted"
    await agreed(instance)


async def test_a_fill_moves_the_books_as_the_venue_s(house: House) -> None:
    instance = await house.take()
    await place(instance, "one", price=3001)
    await instance.still()
    assert instance.book.orders["one"].status == "filled"
    closing = await place(instance, "two", side="sell", price=2999, offset="close", split="today_first", volume=2)
    assert [order.offset for order in closing.orders] == ["close_today"]
    await instance.still()
    await agreed(instance)
    assert instance.book.close_profit == house.venue.book.close_profit != 0


async def test_a_check_that_objects_leaves_no_trace(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    await instance.still()
    before = len(house.stored.journal)
    refused = await place(instance, "far", price=3200)
    assert isinstance(refused, OrderRejected)
    assert refused.details["reason"] == "collar"
    assert (len(house.stored.journal), house.venue.submits) == (before, {"one": 1})
    assert instance.service.acting.counts.refused == {"collar": 1}


async def test_side_by_side_orders_never_spend_the_same_room(house: House) -> None:
    instance = await house.take(max_position_lots=5)
    replies = await asyncio.gather(*(place(instance, f"o{number}") for number in range(5)))
    taken = [one for one in replies if not isinstance(one, Exception)]
    assert len(taken) == 2
    assert {one.details["reason"] for one in replies if isinstance(one, OrderRejected)} == {"position_limit"}


async def test_side_by_side_orders_are_decided_together_and_counted_one_by_one(house: House) -> None:
    instance = await house.take(orders_per_s=4)
    await place(instance, "first")
    before = len(house.stored.journal)
    replies = await asyncio.gather(*(place(instance, f"o{number}") for number in range(5)))
    assert [change.kind for change in house.stored.journal[before:]][:3] == ["intent"] * 3
    assert {one.details["reason"] for one in replies if isinstance(one, OrderRejected)} == {"order_rate"}
    assert len(house.venue.submits) == 4
    assert not instance.book.holds.keys() - house.venue.submits.keys()


async def test_what_the_venue_reports_before_its_answer_is_journaled_right_before_it(house: House) -> None:
    instance = await house.take()
    await place(instance, "first")
    await instance.still()
    before = len(house.stored.journal)
    await place(instance, "one", price=3001)
    told = [[one.kind for one in read_changes(change.data)] for change in house.stored.journal[before:]]
    assert told == [["orders_intended"], ["order_told", "order_told", "trade_told"], ["answered"]]
    await instance.still()
    assert len(house.stored.journal) == before + 3


async def test_a_name_is_used_once_whatever_the_call_is_called(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    again = await instance.call("place_order", request("one"), "another call")
    assert again.details["reason"] == "duplicate_id"
    assert house.venue.submits == {"one": 1}


@pytest.mark.parametrize("arrives", [True, False])
async def test_an_answer_that_does_not_come_is_unknown_until_the_venue_is_asked(house: House, arrives: bool) -> None:
    instance = await house.take()
    house.venue.arrives, house.venue.answers, house.venue.reports = arrives, False, False
    assert isinstance(await place(instance, "one"), OutcomeUnknown)
    assert instance.book.orders["one"].status in ("unknown", "accepted")
    house.venue.arrives = house.venue.answers = house.venue.reports = True
    await instance.settle()
    (order,) = house.stored.outcomes["one"].orders
    assert order.status == ("accepted" if arrives else "not_sent")
    assert house.venue.submits == ({"one": 1} if arrives else {})
    await agreed(instance)


async def test_what_may_still_be_under_way_is_not_called_lost(house: House) -> None:
    instance = await house.take()
    house.venue.arrives = house.venue.answers = False
    await place(instance, "one")
    instance.service.acting.settle_s = 60
    await instance.settle()
    assert "one" not in house.stored.outcomes
    house.venue.take(as_placed("one"))  # it arrives after all
    await instance.settle()
    assert house.stored.outcomes["one"].orders[0].status == "accepted"


async def test_a_silent_venue_may_have_an_order_yet_however_long_it_is_silent(house: House) -> None:
    instance = await house.take()
    house.venue.arrives = house.venue.answers = house.venue.reports = False
    await place(instance, "one")
    house.venue.is_silent = True
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            await instance.settle()
    assert "one" not in house.stored.outcomes
    house.venue.arrives = house.venue.answers = True
    house.venue.take(as_placed("one"))  # it is read in the end
    house.venue.is_silent = False
    await instance.settle()
    assert house.stored.outcomes["one"].orders[0].status == "accepted"
    await agreed(instance)


async def test_one_answer_is_enough_for_all_that_were_open_when_the_venue_was_asked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()
    house.venue.arrives = False
    for number in range(3):
        await place(instance, f"o{number}")
    asked, look_up = 0, instance.venue.look_up

    async def counted(account: str) -> None:
        nonlocal asked
        asked += 1
        await look_up(account)

    monkeypatch.setattr(instance.venue, "look_up", counted)
    instance.service.acting.settle_s = 60
    await instance.settle()
    assert (asked, len(house.stored.intents)) == (0, 3)
    instance.service.acting.settle_s = 0
    await instance.settle()
    assert (asked, len(house.stored.intents)) == (1, 0)
    assert {one.orders[0].reason for one in house.stored.outcomes.values()} == {"never_arrived"}


async def test_where_a_cancel_makes_a_name_void_an_order_is_known_not_to_come_at_once(house: House) -> None:
    house.venue.voids = True
    instance = await house.take()
    house.venue.arrives = house.venue.answers = False
    await place(instance, "one")
    instance.service.acting.settle_s = 60
    house.venue.arrives = house.venue.answers = True
    await instance.settle()
    assert house.stored.outcomes["one"].orders[0].status == "not_sent"
    assert house.venue.take(as_placed("one")).outcome == "refused"  # it comes after all
    await agreed(instance)


async def test_an_order_whose_sender_was_frozen_behind_its_intent_is_not_sent_when_others_have_the_key(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()

    async def ended() -> None:
        raise Moved("the epoch has ended")

    monkeypatch.setattr(instance.ledger, "prove", ended)
    reply = await place(instance, "one")
    assert (reply.orders[0].status, reply.orders[0].reason) == ("not_sent", "epoch_ended")
    assert not house.venue.submits


async def test_an_order_whose_intent_was_given_up_holds_nothing_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger stored it too late: its caller was told that nothing was done."""
    instance = await house.take()

    def too_late(step: str) -> None:
        raise Suspended(f"{step} was not stored in time")

    await place(instance, "works")
    held = instance.book.frozen_margin
    with monkeypatch.context() as broken:
        broken.setattr(instance.ledger, "after", too_late)
        assert isinstance(await place(instance, "one"), Suspended)
    assert instance.book.frozen_margin == 2 * held
    await instance.ledger.write("result", "one", b"null")
    order = instance.book.orders["one"]
    assert (order.status, order.reason, instance.book.frozen_margin) == ("not_sent", "not_executed", held)
    assert not house.venue.submits["one"]
    await agreed(instance)
    assert instance.service.states[ACCOUNT].group.begun == {}
    before = snapshot(instance.service.states[ACCOUNT].group)
    await house.end()
    house.stored.intents.clear()
    again = await house.take()
    assert snapshot(again.service.states[ACCOUNT].group) == before


async def test_a_cancel_whose_intent_was_given_up_may_be_asked_for_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()

    def too_late(step: str) -> None:
        raise Suspended(f"{step} was not stored in time")

    await place(instance, "one")
    asked = CancelOrder(account=ACCOUNT, client_order_id="one")
    with monkeypatch.context() as broken:
        broken.setattr(instance.ledger, "after", too_late)
        assert isinstance(await instance.call("cancel_order", asked, "first"), Suspended)
    assert instance.book.orders["one"].cancel_asked
    await instance.ledger.write("result", "first", b"null")
    assert not instance.book.orders["one"].cancel_asked
    await instance.call("cancel_order", asked, "second")
    await instance.still()
    assert instance.book.orders["one"].status == "cancelled"


async def test_a_cancel_whose_day_ends_before_its_venue_has_answered_is_answered(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    house.venue.cancels_arrive = False
    asked = CancelOrder(account=ACCOUNT, client_order_id="one")
    assert isinstance(await instance.call("cancel_order", asked, "c"), OutcomeUnknown)
    await instance.settle()
    assert "c" in house.stored.intents
    house.venue.roll(NEXT_DAY, "3000")
    await instance.until(lambda: instance.book.trading_day == NEXT_DAY)
    await instance.settle()
    assert isinstance(house.stored.outcomes["c"], OrderExpired)
    assert "c" not in house.stored.intents


async def test_the_exchange_s_own_word_comes_before_the_calendar_s(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    house.venue.phases[REBAR] = "match"
    refused = await place(instance, "two")
    assert refused.details["reason"] == "match_minute"
    unheard = await instance.call("cancel_order", CancelOrder(account=ACCOUNT, client_order_id="one"), "c")
    assert unheard.details["reason"] == "match_minute"
    house.venue.phases[REBAR] = "closed"
    assert (await place(instance, "two")).details["reason"] == "closed"
    house.venue.phases.clear()
    await place(instance, "three")
    assert house.venue.submits == {"one": 1, "three": 1}


async def test_with_a_new_day_the_market_of_what_no_account_has_is_left(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_WATCH_S", 0.001)
    instance = await house.take()
    left: list[set[str]] = []

    async def keep_only(instruments: set[str]) -> None:
        left.append(instruments)

    monkeypatch.setattr(instance.service.acting.market, "keep_only", keep_only)
    await place(instance, "works")
    await instance.still()
    assert instance.book.instruments == {REBAR}
    assert not left
    house.venue.roll(NEXT_DAY, "3000")
    await instance.until(lambda: bool(left))
    assert left == [set()]


async def test_the_second_leg_is_not_sent_behind_one_that_was_refused(house: House) -> None:
    instance = await house.take()
    await place(instance, "one", price=3001)
    house.venue.roll(NEXT_DAY, "3000")
    await instance.still()
    async with asyncio.timeout(30):
        while instance.book.trading_day != NEXT_DAY or not instance.account.ready.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await place(instance, "two", price=3001)
    await instance.still()
    house.venue.listeners, listening = [], house.venue.listeners
    house.venue.take(at_venue("x-1"))  # the name is taken there, unheard: the first leg will be refused
    house.venue.listeners = listening
    reply = await place(instance, "x", side="sell", price=2999, offset="close", split="today_first", volume=4)
    assert [(one.status, one.reason) for one in reply.orders] == [
        ("rejected", "duplicate_id"),
        ("not_sent", "other_leg"),
    ]


async def test_a_kill_halts_before_it_cancels_and_nothing_slips_through(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    racing = [asyncio.create_task(place(instance, f"r{number}")) for number in range(3)]
    killing = asyncio.create_task(instance.call("kill", KillRequest(account=ACCOUNT), "kill"))
    replies = await asyncio.gather(*racing)
    reply = await killing
    assert "one" in reply.asked
    await instance.still()
    assert instance.book.mode == "halted"
    assert not house.venue.book.working
    assert all(isinstance(one, OrderRejected) or one.orders[0].client_order_id for one in replies)
    refused = await place(instance, "late")
    assert refused.details["reason"] == "halted"


async def test_pages_of_orders_follow_each_other(house: House) -> None:
    instance = await house.take()
    for number in range(5):
        await place(instance, f"o{number}")
    await instance.still()
    first = await instance.call("orders", OrdersRequest(account=ACCOUNT, limit=2), "q")
    second = await instance.call("orders", OrdersRequest(account=ACCOUNT, limit=3, after=first.next), "q")
    assert [one.client_order_id for one in (*first.orders, *second.orders)] == [f"o{number}" for number in range(5)]
    assert (first.next, second.next) == ("o1", "")


async def test_a_page_of_working_orders_goes_on_behind_one_that_has_ended(house: House) -> None:
    instance = await house.take()
    for number in range(5):
        await place(instance, f"o{number}")
    await instance.still()
    working = OrdersRequest(account=ACCOUNT, limit=2, working=True)
    first = await instance.call("orders", working, "q")
    assert first.next == "o1"
    await instance.call("cancel_order", CancelOrder(account=ACCOUNT, client_order_id="o1"), "c")
    await instance.still()
    rest = await instance.call("orders", working.model_copy(update={"after": first.next, "limit": 500}), "q")
    assert [one.client_order_id for one in rest.orders] == ["o2", "o3", "o4"]
    unknown = await instance.call("orders", working.model_copy(update={"after": "of yesterday"}), "q")
    assert isinstance(unknown, InvalidRequest)


async def test_a_mode_that_changes_while_orders_are_sent_holds_back_the_rest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take(max_order_lots=2)
    for number in range(2):
        await place(instance, f"o{number}", price=3001)
    await instance.still()
    take = house.venue.take

    def halting(asked: Submit) -> Any:
        instance.book.mode = "halted"
        return take(asked)

    monkeypatch.setattr(house.venue, "take", halting)
    reply = await instance.call("flatten", FlattenRequest(account=ACCOUNT, confirm=ACCOUNT), "f")
    assert [(one.status in ("accepted", "filled"), one.reason) for one in reply.orders] == [
        (True, ""),
        (False, "halted"),
    ]
