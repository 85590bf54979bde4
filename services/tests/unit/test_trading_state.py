"""The journaled state: the same changes make the same state, and a snapshot loses nothing of it."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from book_walk import as_walked
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from trading_desk import DAY, MEAL, NEXT_DAY, REBAR, Desk, rates, terms

from aegis.accounting.rules import Rules
from aegis.contracts.amounts import ZERO
from aegis.contracts.venue import MarginRates, Submitted, VenueAccount
from aegis.trading.domain.applying import apply
from aegis.trading.domain.changes import (
    AccountOpened,
    Adopted,
    Answered,
    BooksTaken,
    CancelAnswered,
    CancelAsked,
    CashMoved,
    Change,
    DayRolled,
    Intended,
    OrdersIntended,
    OrderTold,
    RulesSet,
    TermsLearned,
    TradeTold,
    read_change,
    write_change,
)
from aegis.trading.domain.group import Group, restore, snapshot
from aegis.trading.domain.reconciliation import catch_up
from aegis.trading.domain.views import account_of

PRICES = {REBAR: Decimal(3007), MEAL: Decimal(2995)}


def replayed(journal: list[Change]) -> Group:
    group = Group()
    for change in journal:
        apply(group, read_change(write_change(change)))
    return group


_STEPS = st.one_of(
    st.tuples(
        st.just("intend"),
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 4),
        st.sampled_from(["2990", "3000", "3010.5"]),
        st.sampled_from(["open", "open", "close", "close_today", "close_yesterday"]),
        st.sampled_from([REBAR, MEAL]),
        st.sampled_from(["limit", "limit", "market"]),
    ),
    st.tuples(st.just("answer"), st.integers(0, 9), st.sampled_from(["accepted", "refused", "not_sent", "unknown"])),
    st.tuples(
        st.just("report"),
        st.integers(0, 9),
        st.sampled_from(["accepted", "partly_filled", "cancelled", "rejected", "expired"]),
        st.integers(0, 2),
    ),
    st.tuples(st.just("fill"), st.integers(0, 9), st.integers(1, 3), st.sampled_from(["2995", "3000", "3005"])),
    st.tuples(st.just("ask_cancel"), st.integers(0, 9)),
    st.tuples(st.just("again"), st.integers(0, 99)),
    st.tuples(st.just("roll")),
)


def play(steps: list[Any], closing: str) -> Desk:
    """A desk that is told anything in any order, also what no truthful venue says."""
    desk = Desk(closing=closing)
    day = 20251128
    for what, *arguments in steps:
        names = list(desk.book.orders)
        if what == "intend":
            side, volume, price, offset, instrument, kind = arguments
            desk.intend(side, volume, price, offset, instrument=instrument, type=kind)
        elif what == "again":
            desk.tell(desk.journal[arguments[0] % len(desk.journal)])
        elif what == "roll":
            day += 1
            desk.roll(str(day), rb2605="3003", m2605="2999")
        elif names:
            index, *rest = arguments
            getattr(desk, what)(names[index % len(names)], *rest)
        hold(desk)
    return desk


def hold(desk: Desk) -> None:
    """What is true at any time, whatever was told."""
    book = desk.book
    for key, holding in book.holdings.items():
        frozen = book.frozen(key)
        assert 0 <= frozen.today <= holding.today.lots
        assert 0 <= frozen.yesterday <= holding.yesterday.lots
        for pile in (holding.today, holding.yesterday):
            assert all(layer.lots > 0 for layer in pile.layers)
            for name in ("lots", "cost", "open_cost"):
                assert sum(getattr(layer, name) for layer in pile.layers) == getattr(pile, name)
        assert holding.lots or holding.cost == holding.open_cost == 0
    for held in book.holds.values():
        assert held.lots > 0
        assert min(held.today, held.yesterday, held.margin_each, held.commission_each) >= 0
        assert not held.holding or held.today + held.yesterday <= held.lots
    assert set(book.working) == {name for name, order in book.orders.items() if not order.is_final}
    assert set(book.holds) <= set(book.orders)
    assert book.frozen_margin >= 0
    assert book.margin() >= 0


@settings(max_examples=150, deadline=None)
@given(st.lists(_STEPS, max_size=40), st.sampled_from(["first_in", "average"]))
def test_whatever_is_told_the_books_stay_sound_and_a_snapshot_and_a_replay_make_them_again(
    steps: list[Any], closing: str
) -> None:
    desk = play(steps, closing)
    assert restore(snapshot(desk.group)) == desk.group
    assert replayed(desk.journal) == desk.group


@settings(max_examples=150, deadline=None)
@given(st.lists(_STEPS, max_size=25), st.sampled_from(["first_in", "average"]))
def test_what_is_counted_of_working_orders_is_what_a_look_at_each_of_them_finds(steps: list[Any], closing: str) -> None:
    desk = play(steps, closing)
    as_walked(desk.book)
    restored = restore(snapshot(desk.group)).books["a"]
    as_walked(restored)
    for name in ("frozen_margin", "frozen_commission"):
        assert str(getattr(restored, name)) == str(getattr(desk.book, name))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 4), st.integers(2990, 3010)), max_size=30),
    st.sampled_from(["first_in", "average"]),
)
def test_money_is_conserved_what_was_paid_and_got_is_all_that_there_is(trades: list[Any], closing: str) -> None:
    """Cash flow by itself, with no notion of a position: what is held is worth its price, and that is the balance."""
    desk = Desk(closing=closing, money=ZERO)
    flow, net = ZERO, 0
    for side, lots, price in trades:
        long, short = (desk.book.free(f"{REBAR}|{way}|speculation").today for way in ("long", "short"))
        offset = "close_today" if lots <= (short if side == "buy" else long) else "open"
        desk.done(side, lots, str(price), offset)
        sign = 1 if side == "buy" else -1
        flow -= sign * lots * price * 10 + lots * price * Decimal("0.001")
        net += sign * lots
    assert desk.book.balance(PRICES) == flow + net * PRICES[REBAR] * 10


def test_a_change_that_comes_twice_counts_once() -> None:
    desk = Desk()
    name = desk.intend("buy", 2)
    desk.report(name, "accepted")
    desk.fill(name, 1)
    desk.ask_cancel(name)
    desk.report(name, "cancelled", filled=1)
    desk.roll(rb2605="3010")
    told = list(desk.journal)
    before = snapshot(desk.group)
    for change in told[3:]:  # of a day that is over
        if change.kind != "orders_intended":
            apply(desk.group, change)
    assert restore(snapshot(desk.group)) == restore(before)


def test_independent_reports_may_come_in_any_order() -> None:
    one, other = Desk(), Desk()
    for desk in (one, other):
        first, second = desk.intend("buy", 1), desk.intend("sell", 1, instrument=MEAL)
        changes = [
            lambda desk=desk, name=first: desk.fill(name, 1, trade_id="1", ts_exchange_ns=1),
            lambda desk=desk, name=second: desk.fill(name, 1, trade_id="2", ts_exchange_ns=1),
        ]
        for step in changes if desk is one else reversed(changes):
            step()
    assert one.group == other.group


def test_what_does_not_fit_is_noted_and_changes_nothing() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    report, trade = desk.told(name, "accepted"), desk.trade(name, 1)
    empty = Desk()
    before = snapshot(empty.group)
    from_elsewhere = [change for change in desk.journal if change.kind == "orders_intended"]
    assert apply(Group(), from_elsewhere[0]).notes == ["unknown_account"]
    who: dict[str, Any] = {"account": "a", "ts_ns": 0, "client_order_id": "none"}
    for change in (
        OrderTold(**who, report=report),
        TradeTold(**who, report=trade),
        CancelAsked(**who),
        Answered(**who, answer=Submitted(outcome="accepted")),
    ):
        applied = empty.tell(change)
        assert applied.notes == ["unknown_order"]
        assert not applied.tells
    assert snapshot(empty.group) == before


def test_a_new_day_learns_terms_anew_but_of_what_is_held() -> None:
    desk = Desk()
    desk.done("buy", 1)
    desk.done("buy", 1, instrument=MEAL)
    desk.done("sell", 1, offset="close", instrument=MEAL)
    assert desk.book.terms.keys() >= {REBAR, MEAL}
    apply(desk.group, DayRolled(account="a", ts_ns=0, trading_day=NEXT_DAY))
    assert desk.book.terms.keys() == {REBAR}


def test_reports_of_another_day_are_not_booked_though_a_name_was_used_again() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    late_trade, late_report = desk.trade(name, 1), desk.told(name, "cancelled")
    desk.roll()
    again = desk.order("buy", 1, client_order_id=name)
    desk.tell(OrdersIntended(account="a", ts_ns=0, orders=[Intended(order=again, hold_price=Decimal(3000))]))
    who: dict[str, Any] = {"account": "a", "ts_ns": 0}
    for change in (
        TradeTold(**who, client_order_id=name, report=late_trade),
        OrderTold(**who, client_order_id=name, report=late_report),
        Adopted(**who, client_order_id="other", report=late_report),
    ):
        assert desk.tell(change).notes == ["other_day"]
    assert list(desk.book.orders.values()) == [again]
    assert catch_up(desk.book, [late_report], [late_trade], 0) == []


def test_a_name_is_used_once_whoever_uses_it() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    report = desk.told(name, "accepted")
    (twice,) = (change for change in desk.journal if change.kind == "orders_intended")
    assert desk.tell(twice).notes == ["taken_name"]
    adopted = Adopted(account="a", ts_ns=0, client_order_id=name, report=report)
    assert desk.tell(adopted).notes == ["taken_name"]
    assert desk.book.orders[name].status == "pending"


def test_a_cancel_that_did_not_come_through_may_be_asked_again() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    for outcome, asked in (("accepted", True), ("unknown", True), ("refused", False), ("not_sent", False)):
        desk.ask_cancel(name)
        assert desk.book.orders[name].cancel_asked
        answer = Submitted.model_validate({"outcome": outcome})
        desk.tell(CancelAnswered(account="a", ts_ns=0, client_order_id=name, answer=answer))
        assert desk.book.orders[name].cancel_asked is asked
    desk.report(name, "cancelled")
    assert not desk.ask_cancel(name).tells


def test_money_that_comes_and_goes_rates_and_rules_take_effect_at_once() -> None:
    desk = Desk()
    desk.done("buy", 1)
    who: dict[str, Any] = {"account": "a", "ts_ns": 0}
    before = desk.book.balance({})
    desk.tell(CashMoved(**who, deposit=Decimal(500), withdraw=Decimal(20)))
    desk.tell(CashMoved(**who, deposit=Decimal(500), withdraw=Decimal(20)))  # of the day so far: not added up
    assert desk.book.balance({}) == before + 480
    dearer = MarginRates(long=rates("0.2"), short=rates("0.2"))
    desk.tell(TermsLearned(**who, terms=terms(margin={"speculation": dearer})))
    assert desk.book.margin() == 6000
    desk.tell(RulesSet(**who, rules=Rules(gains_available=False)))
    prices = {REBAR: Decimal(3100)}
    assert desk.book.balance(prices) - desk.book.available(prices) == 6000 + 1000
    desk.roll(rb2605="3000")
    assert desk.book.pre_balance == desk.book.balance({}) == before + 480
    assert desk.book.terms[REBAR].pre_settlement_price == 3000


def test_an_account_is_opened_once() -> None:
    desk = Desk()
    desk.tell(BooksTaken(account="a", ts_ns=0, state=as_told(desk), positions=[]))
    desk.done("buy", 1)
    before = snapshot(desk.group)
    again = desk.tell(AccountOpened(account="a", ts_ns=0, env="sim", trading_day=NEXT_DAY, pre_balance=Decimal(5)))
    assert not again.tells
    assert snapshot(desk.group) == before


def test_an_account_whose_books_were_never_taken_begins_anew_on_a_later_day_and_not_on_the_same() -> None:
    """Whoever opened it has died on the way; its events go on with their numbers."""
    desk = Desk()
    name = desk.intend("buy", 1)
    sequence = desk.book.sequence
    again = AccountOpened(account="a", ts_ns=0, env="sim", trading_day=DAY, pre_balance=Decimal(5))
    assert not desk.tell(again).tells
    anew = desk.tell(again.model_copy(update={"trading_day": NEXT_DAY}))
    assert [(order.client_order_id, order.status) for order in anew.orders] == [(name, "expired")]
    assert (desk.book.pre_balance, desk.book.orders, desk.book.sequence) == (5, {}, sequence)
    assert desk.book.opening
    desk.tell(BooksTaken(account="a", ts_ns=0, state=as_told(desk), positions=[]))
    assert not desk.book.opening


def as_told(desk: Desk) -> VenueAccount:
    return VenueAccount(**account_of(desk.book, {}).model_dump(include=set(VenueAccount.model_fields)))


def test_two_accounts_of_a_group_have_books_of_their_own_and_common_counts() -> None:
    desk = Desk()
    desk.tell(AccountOpened(account="b", ts_ns=0, env="sim", trading_day=DAY, pre_balance=Decimal(5)))
    desk.tell(TermsLearned(account="b", ts_ns=0, terms=terms()))
    buy = desk.intend("buy", 1)
    sell = desk.order("sell", 1, account="b")
    desk.tell(OrdersIntended(account="b", ts_ns=0, orders=[Intended(order=sell, hold_price=Decimal(3000))]))
    desk.fill(buy, 1, trade_id="m")
    other = desk.trade(buy, 1, account="b", side="sell", trade_id="m", venue_order_id="x")
    applied = desk.tell(TradeTold(account="b", ts_ns=0, client_order_id=sell.client_order_id, report=other))
    assert applied.notes == ["self_trade"]
    assert desk.group.books["b"].holdings[f"{REBAR}|short|speculation"].lots == 1
    assert desk.book.holdings[f"{REBAR}|long|speculation"].lots == 1
    assert desk.group.tallies[REBAR].self_trades == 1


def test_a_journal_that_cannot_be_read_is_an_error() -> None:
    for rubbish in (b"", b"{}", b'{"kind": "day_rolled", "account": "a"}', b'{"kind": "none"}'):
        with pytest.raises(ValidationError):
            read_change(rubbish)
    with pytest.raises(ValidationError):
        restore(b"{]")
    assert restore(None) == Group()


def test_an_account_of_ten_thousand_orders_is_replayed_well_within_a_second() -> None:
    """As the ledger replays: the latest snapshot, and the thousand changes at most that were committed since."""
    desk = Desk()
    name = desk.intend("buy", 2)
    desk.fill(name, 2)
    order, (trade,) = desk.book.orders[name], desk.book.trades.values()
    for number in range(9_500):  # put there as they would be, since making them is not what is measured
        other = {"client_order_id": f"n{number}"}
        desk.book.orders[f"n{number}"] = order.model_copy(update=other)
        desk.book.trades[f"{DAY}|{REBAR}|vn{number}|{number}|buy"] = trade.model_copy(update=other)
    data, since = snapshot(desk.group), len(desk.journal)
    for _ in range(499):
        name = desk.intend("buy", 2)
        desk.fill(name, 2)
    tail = [write_change(change) for change in desk.journal[since:]]
    began = time.process_time()
    group = restore(data)
    for change in tail:
        apply(group, read_change(change))
    took = time.process_time() - began
    assert group == desk.group
    assert len(group.books["a"].orders) == len(group.books["a"].trades) == 10_000
    assert took < 0.9, f"{took:.2f} s of processor"
