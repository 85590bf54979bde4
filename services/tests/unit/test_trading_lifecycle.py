"""An order's way: whatever the order of what is said of it, it ends the same."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_desk import Desk

from aegis.accounting.book import Book
from aegis.accounting.lifecycle import FINAL, TRANSITIONS, Happening, step
from aegis.contracts.orders import OrderStatus
from aegis.contracts.venue import Submitted, VenueTrade
from aegis.trading.domain.changes import Answered, OrderTold, TradeTold
from aegis.trading.domain.telling import Telling

STATUSES = get_args(OrderStatus)
HAPPENINGS = get_args(Happening)
DOCS = Path(__file__).parents[3] / "docs" / "trading.md"


def test_a_final_status_is_never_left_and_every_other_one_has_a_way_to_each_end() -> None:
    assert set(TRANSITIONS) | FINAL == set(STATUSES)
    assert set(TRANSITIONS) & FINAL == {"not_sent"}
    for status in STATUSES:
        for happening in HAPPENINGS:
            if status in FINAL - {"not_sent"} or (status == "not_sent" and happening in ("not_sent", "lose")):
                assert step(status, happening) == status
        assert status not in TRANSITIONS or {"filled", "cancelled", "expired"} <= set(TRANSITIONS[status].values())


def test_the_table_never_leads_back() -> None:
    ranks = {"pending": 0, "unknown": 1, "not_sent": 2, "accepted": 3, "partly_filled": 4}
    rank = dict.fromkeys(FINAL, 5) | ranks
    for status, row in TRANSITIONS.items():
        assert all(rank[after] >= rank[status] for after in row.values())


def test_the_documentation_shows_this_table() -> None:
    table = DOCS.read_text(encoding="utf-8").split("<!-- transitions -->")[1].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", table, re.MULTILINE)
    shown = {status: [cell.strip().strip("`") for cell in cells.split("|")] for status, cells in rows}
    assert shown == {
        status: [TRANSITIONS[status].get(happening, "") for happening in HAPPENINGS] for status in TRANSITIONS
    }


def test_a_fill_before_the_acknowledgement_counts_and_the_late_acknowledgement_changes_nothing() -> None:
    desk = Desk()
    name = desk.intend("buy", 3)
    desk.fill(name, 1)
    assert desk.book.orders[name].status == "partly_filled"
    desk.report(name, "accepted")
    desk.answer(name, "accepted")
    order = desk.book.orders[name]
    assert (order.status, order.filled, order.traded) == ("partly_filled", 1, 1)


def test_an_acknowledgement_that_tells_of_fills_is_one_of_a_fill() -> None:
    desk = Desk()
    name = desk.intend("buy", 3)
    desk.report(name, "accepted", filled=1)
    assert (desk.book.orders[name].status, desk.book.orders[name].filled) == ("partly_filled", 1)
    desk.report(name, "accepted", filled=3)
    assert desk.book.orders[name].status == "filled"


def test_a_cancel_that_crosses_a_fill_ends_as_cancelled_and_the_late_trade_is_still_booked() -> None:
    desk = Desk()
    name = desk.intend("buy", 3)
    desk.report(name, "accepted")
    desk.ask_cancel(name)
    desk.report(name, "cancelled", filled=1)
    assert desk.book.holds[name].lots == 1  # the fill that is known, and not yet booked
    desk.fill(name, 1)
    order = desk.book.orders[name]
    assert (order.status, order.filled, order.traded) == ("cancelled", 1, 1)
    assert desk.book.holdings["SHFE.rb2605|long|speculation"].lots == 1
    assert desk.book.holds == {}


def test_a_lost_answer_leaves_the_order_unknown_until_the_venue_speaks_of_it() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    desk.answer(name, "unknown")
    assert desk.book.orders[name].status == "unknown"
    assert name in desk.book.working
    desk.report(name, "accepted")
    desk.answer(name, "unknown")  # an answer that is given up late says nothing of what the venue has
    assert desk.book.orders[name].status == "accepted"


@pytest.mark.parametrize(("outcome", "status"), [("refused", "rejected"), ("not_sent", "not_sent")])
def test_what_the_venue_has_not_holds_nothing_back_and_costs_nothing(outcome: str, status: str) -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    assert desk.book.frozen_margin == 3000
    desk.answer(name, outcome, reason="no_money", text="资金不足")
    order = desk.book.orders[name]
    assert (order.status, order.reason, order.text) == (status, "no_money", "资金不足")
    assert desk.book.frozen_margin == desk.book.commission == 0
    assert name not in desk.book.working


def test_what_the_venue_has_refused_stays_refused() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    desk.answer(name, "refused", reason="no_money")
    desk.report(name, "accepted")
    assert (desk.book.orders[name].status, desk.book.working) == ("rejected", {})


@pytest.mark.parametrize("first", ["report", "trade"])
def test_an_order_that_was_called_not_sent_lives_where_its_venue_speaks_of_it(first: str) -> None:
    desk = Desk()
    name = desk.intend("buy", 3)
    desk.answer(name, "not_sent", reason="never_arrived")
    if first == "report":
        desk.report(name, "accepted")
        assert (desk.book.orders[name].status, desk.book.frozen_margin) == ("accepted", 9000)
    desk.fill(name, 1)
    order = desk.book.orders[name]
    assert (order.status, order.filled, order.reason) == ("partly_filled", 1, "came_late")
    assert (list(desk.book.working), desk.book.holds[name].lots) == ([name], 2)
    desk.report(name, "cancelled", filled=1)
    assert (desk.book.working, desk.book.holds) == ({}, {})


def test_one_that_ended_before_anybody_heard_of_it_holds_back_the_fills_whose_trades_are_under_way() -> None:
    desk = Desk()
    name = desk.intend("buy", 3)
    desk.answer(name, "not_sent", reason="never_arrived")
    desk.report(name, "cancelled", filled=2)
    order = desk.book.orders[name]
    assert (order.status, order.reason, desk.book.working) == ("cancelled", "came_late", {})
    assert desk.book.holds[name].lots == 2


def test_a_trade_beyond_an_order_is_booked_and_noted() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    desk.fill(name, 1)
    applied = desk.fill(name, 1)
    assert applied.notes == ["beyond_order"]
    assert desk.book.holdings["SHFE.rb2605|long|speculation"].lots == 2
    assert desk.book.orders[name].left == 0


def test_each_thing_that_changed_is_told_and_nothing_else() -> None:
    desk = Desk()
    name = desk.intend("buy", 2)
    applied = desk.fill(name, 2)
    assert (len(applied.orders), len(applied.trades), len(applied.holdings), applied.money) == (1, 1, 1, True)
    assert not desk.report(name, "filled", filled=2).tells


def test_an_entry_of_the_journal_tells_of_each_thing_once_as_it_is_in_the_end() -> None:
    desk = Desk()
    entry = Telling(1)
    first, second = desk.intend("buy", 2), desk.intend("buy", 1)
    told = entry.number(desk.book, desk.report(first, "accepted"))
    assert [(one.sequence, one.what) for one in told] == [(1, desk.book.orders[first]), (2, None)]
    more = entry.number(desk.book, desk.report(second, "accepted"))
    assert [(one.sequence, one.what) for one in more] == [(3, desk.book.orders[second])]
    trades = [entry.number(desk.book, desk.fill(first, 1)) for _ in range(2)]
    assert [one.sequence for one in (*trades[0], *trades[1])] == [4, 5, 6]  # a trade, the position, a trade
    assert told[0].what == desk.book.orders[first]
    assert desk.book.orders[first].status == "filled"
    again = Telling(2).number(desk.book, desk.fill(second, 1))
    assert [one.sequence for one in again] == [7, 8, 9, 10]
    assert desk.book.sequence == 10


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[tuple[str, int]]]:
    """What a truthful venue says of one order: acknowledgement, fills and an end, in the order it happened."""
    volume = draw(st.integers(1, 5))
    said: list[tuple[str, int]] = [("accepted", 0)]
    filled = 0
    for lots in draw(st.lists(st.integers(1, 2), max_size=3)):
        if filled + lots > volume:
            break
        filled += lots
        said += [("filled" if filled == volume else "partly_filled", filled), ("trade", lots)]
    if filled < volume and (end := draw(st.sampled_from(["cancelled", "expired", ""]))):
        said.append((end, filled))
    return volume, said


def facts_of(book: Book) -> list[dict[str, object]]:
    """Of its orders: all but the reason, which says what was thought of them."""
    return [order.model_dump(exclude={"reason"}) for order in book.orders.values()]


@given(histories(), st.randoms(use_true_random=False), st.booleans())
def test_reports_in_any_order_and_twice_make_the_same_end_also_where_it_was_called_not_sent_in_between(
    history: tuple[int, list[tuple[str, int]]], chance: Random, is_given_up: bool
) -> None:
    volume, said = history

    def told(shuffled: bool) -> Desk:
        desk = Desk()
        name = desk.intend("buy", volume)
        reports: list[object] = [
            desk.trade(name, number) if what == "trade" else desk.told(name, what, number) for what, number in said
        ]
        if shuffled:
            reports = reports + reports[::2]
            chance.shuffle(reports)
        given_up = chance.randrange(len(reports)) if shuffled and is_given_up else -1
        for number, each in enumerate(reports):
            if number == given_up:
                never = Submitted(outcome="not_sent", reason="never_arrived")
                desk.tell(Answered(account="a", ts_ns=0, client_order_id=name, answer=never))
            make = TradeTold if isinstance(each, VenueTrade) else OrderTold
            desk.tell(make(account="a", ts_ns=0, client_order_id=name, report=each))  # type: ignore[arg-type]
            order = desk.book.orders[name]
            assert 0 <= order.traded <= order.filled <= order.volume
            assert 0 <= sum(hold.lots for hold in desk.book.holds.values()) <= volume
        return desk

    inorder, shuffled = told(False).book, told(True).book
    assert facts_of(shuffled) == facts_of(inorder)
    assert shuffled.holdings == inorder.holdings
    assert shuffled.holds == inorder.holds
    assert (shuffled.commission, shuffled.working) == (inorder.commission, inorder.working)
    assert set(shuffled.trades) == set(inorder.trades)
