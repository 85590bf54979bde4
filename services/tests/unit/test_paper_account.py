"""An account of the paper venue: what it answers, refuses, reports and remembers, and how a day ends."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_desk import MONEY, PaperDesk
from paper_stage import DAY, tick
from trading_desk import MEAL, REBAR

from aegis.contracts.paper import PaperReport
from aegis.paper.domain.account import PaperAccount, restore, snapshot
from aegis.paper.domain.applying import apply
from aegis.paper.domain.changes import DayBegun, read_changes
from aegis.paper.domain.deciding import opening
from aegis.paper.domain.market import Market
from aegis.paper.domain.views import account_of

NEXT_DAY, DAY_AFTER = "20251202", "20251203"


@pytest.fixture
def desk() -> PaperDesk:
    desk = PaperDesk()
    desk.quote((2999, 10), (3001, 10))
    desk.quote((2999, 10), (3001, 10), instrument=MEAL)
    return desk


# Names


def test_the_same_order_again_gets_the_answer_of_the_first(desk: PaperDesk) -> None:
    ask = desk.ask("buy", 1, 2990)
    desk.submit(ask)
    length = len(desk.journal)
    answer = desk.submit(ask)
    assert answer is not None
    assert (answer.outcome, answer.venue_order_id) == ("accepted", desk.order("o1").venue_order_id)
    assert len(desk.journal) == length


def test_a_refusal_again_is_the_same_refusal(desk: PaperDesk) -> None:
    ask = desk.ask("buy", 1, 9999)
    desk.submit(ask)
    answer = desk.submit(ask)
    assert answer is not None
    assert (answer.outcome, answer.reason) == ("refused", "above_limit")


@pytest.mark.parametrize(
    "other", [{"volume": 2}, {"price": Decimal(2991)}, {"side": "sell"}, {"type": "fak"}, {"offset": "close"}]
)
def test_another_order_under_a_used_name_is_refused(desk: PaperDesk, other: dict[str, Any]) -> None:
    ask = desk.ask("buy", 1, 2990)
    desk.submit(ask)
    answer = desk.submit(ask.model_copy(update=other))
    assert answer is not None
    assert (answer.outcome, answer.reason) == ("refused", "repeated")


def test_a_name_that_was_cancelled_before_it_came_is_void(desk: PaperDesk) -> None:
    assert desk.cancel("o1").reason == "unknown_order"
    assert desk.cancel("o1").reason == "unknown_order"
    assert len([one for one in desk.journal if b'"voided"' in one]) == 1
    answer = desk.submit(desk.ask("buy", 1, 2990))
    assert answer is not None
    assert (answer.outcome, answer.reason) == ("refused", "void_name")


def test_names_are_remembered_for_the_day_and_the_one_after(desk: PaperDesk) -> None:
    ask = desk.ask("buy", 1, 2990)
    desk.submit(ask)
    desk.begin_day(NEXT_DAY)
    answer = restored(desk).submit(ask)
    assert answer is not None
    assert answer.reason == "void_name"
    desk.begin_day(DAY_AFTER)
    assert "o1" not in desk.account.opened.names


# Refusals


@pytest.mark.parametrize(
    ("side", "volume", "price", "other", "reason"),
    [
        ("buy", 1, 3000, {"instrument": "SHFE.zz2605"}, "no_market"),
        ("buy", 1, None, {"type": "market"}, "order_type"),
        ("buy", 1, 3000, {"type": "fok", "instrument": "CZCE.SR605"}, "no_market"),
        ("buy", 501, 3000, {}, "too_many_lots"),
        ("buy", 1, None, {}, "price_missing"),
        ("buy", 1, 3301, {}, "above_limit"),
        ("sell", 1, 2699, {}, "below_limit"),
        ("buy", 400, 3000, {}, "no_money"),
        ("sell", 1, 3000, {"offset": "close_today"}, "too_few_to_close"),
    ],
)
def test_an_order_is_refused_for_a_reason_and_kept(
    desk: PaperDesk, side: str, volume: int, price: int | None, other: dict[str, str], reason: str
) -> None:
    order = desk.send(side, volume, price, **other)
    assert (order.status, order.reason) == ("rejected", reason)
    assert desk.account.opened.book.figures({}).available == MONEY


def test_a_price_between_two_ticks_is_refused(desk: PaperDesk) -> None:
    desk.submit(desk.ask("buy", 1, 3000).model_copy(update={"price": Decimal("3000.5")}))
    assert desk.order("o1").reason == "price_tick"


@pytest.mark.parametrize(
    ("other", "reason"), [({"kind": "option"}, "not_a_future"), ({"expiry_day": "20251128"}, "expired")]
)
def test_what_is_no_future_or_is_past_its_last_day_is_refused(
    desk: PaperDesk, other: dict[str, str], reason: str
) -> None:
    desk.known[REBAR] = desk.known[REBAR].model_copy(update=other)
    assert desk.send("buy", 1, 3000).reason == reason


def test_what_is_final_cannot_be_cancelled(desk: PaperDesk) -> None:
    desk.send("buy", 1, 3001)
    length = len(desk.journal)
    assert desk.cancel("o1").reason == "not_working"
    assert len(desk.journal) == length


def test_an_order_is_found_by_either_name_and_by_both_only_if_both_are_its_own(desk: PaperDesk) -> None:
    first, second = desk.send("buy", 1, 2990), desk.send("buy", 1, 2990)
    assert desk.cancel("o1", second.venue_order_id).reason == "unknown_order"
    assert desk.cancel("", first.venue_order_id).outcome == "accepted"
    assert desk.cancel("o2", second.venue_order_id).outcome == "accepted"
    assert desk.cancel("", "nobody's").reason == "unknown_order"


def test_money_that_orders_hold_back_cannot_be_used_twice(desk: PaperDesk) -> None:
    """A lot at 2,990 holds 10 % of 29,900 and 2.99 of commission."""
    assert desk.send("buy", 333, 2990).status == "accepted"
    assert desk.send("buy", 2, 2990).reason == "no_money"
    desk.cancel("o1")
    assert desk.send("buy", 2, 2990).status == "accepted"


def test_lots_that_one_order_closes_no_other_closes(desk: PaperDesk) -> None:
    desk.send("buy", 2, 3001)
    assert desk.send("sell", 2, 3010, offset="close_today").status == "accepted"
    assert desk.send("sell", 1, 3010, offset="close_today").reason == "too_few_to_close"


# Reports


def test_reports_are_numbered_and_each_thing_is_told_in_its_order(desk: PaperDesk) -> None:
    desk.send("buy", 12, 3001)
    desk.cancel("o1")
    assert [one.sequence for one in desk.reports] == [1, 2, 3]
    assert [_told(one) for one in desk.reports] == ["10 lots", "partly_filled", "cancelled"]


def test_an_order_that_ends_as_it_comes_is_reported_once(desk: PaperDesk) -> None:
    desk.send("buy", 1, 2990, type="fak")
    desk.send("buy", 1, 9999)
    assert [_told(one) for one in desk.reports] == ["cancelled", "rejected"]


def test_whoever_was_away_gets_the_reports_behind_a_number(desk: PaperDesk) -> None:
    for _ in range(3):
        desk.send("buy", 1, 2990)
    account = desk.account
    assert [one.sequence for one in account.reports_after(1, 500)[0]] == [2, 3]
    assert [one.sequence for one in account.reports_after(0, 2)[0]] == [1, 2]
    assert account.reports_after(3, 500) == ([], True)
    assert account.reports_after(4, 500) == ([], False)


def test_reports_from_before_a_snapshot_are_said_to_be_gone(desk: PaperDesk) -> None:
    desk.send("buy", 1, 2990)
    again = restored(desk)
    assert again.account.reports_after(0, 500) == ([], False)
    assert again.account.reports_after(1, 500) == ([], True)
    again.send("buy", 1, 2991, client_order_id="later")
    assert [one.sequence for one in again.account.reports_after(1, 500)[0]] == [2]


# Days


def test_a_day_that_ends_settles_positions_and_expires_orders(desk: PaperDesk) -> None:
    desk.send("buy", 2, 3001)
    desk.send("buy", 1, 2990)
    desk.begin_day(NEXT_DAY, rb2605=3011)
    book = desk.account.opened.book
    assert [_told(one) for one in desk.reports[-2:]] == ["expired", NEXT_DAY]
    assert (book.orders, book.frozen_margin) == ({}, 0)
    figures = account_of(book, {REBAR: Decimal(3011)})
    fee = Decimal("6.002")
    assert figures.pre_balance == figures.balance == MONEY + 200 - fee
    (holding,) = book.holdings.values()
    assert (holding.yesterday.lots, holding.today.lots, holding.cost) == (2, 0, 60220)


def test_what_is_held_of_a_contract_behind_its_last_day_is_settled_once_more_and_gone(desk: PaperDesk) -> None:
    desk.known[REBAR] = desk.known[REBAR].model_copy(update={"expiry_day": DAY})
    desk.send("buy", 2, 3001)
    desk.send("buy", 1, 3001, instrument=MEAL)
    book = desk.account.opened.book
    assert (book.held_past(DAY), book.held_past(NEXT_DAY)) == (set(), {REBAR})
    before = book.settled
    desk.begin_day(NEXT_DAY, ended=[REBAR], rb2605=3011, m2605=3001)
    assert (book.held, book.pre_balance) == ({MEAL}, before + 200)
    assert book.margin() == Decimal(3001)


def test_numbers_go_on_over_days(desk: PaperDesk) -> None:
    first = desk.send("buy", 1, 2990)
    desk.begin_day(NEXT_DAY)
    desk.quote((2999, 10), (3001, 10), trading_day=NEXT_DAY)
    assert desk.send("buy", 1, 2990).venue_order_id != first.venue_order_id


@pytest.mark.parametrize("day", ["20260301", "99999999", "2025", "20251130"])
def test_a_day_that_cannot_be_begins_no_day(day: str) -> None:
    """One such tick would end the day of all accounts, for good."""
    market = Market("sim", "stage")
    market.show(tick(REBAR, (2999, 1), (3001, 1), 3000, 1, trading_day=day, action_day="20251201"), 1)
    assert (market.trading_day, market.latest(REBAR), market.implausible) == ("", None, 1)


def test_a_day_is_settled_by_what_the_next_one_says_of_it() -> None:
    market = Market("sim", "stage")
    market.show(tick(REBAR, (2999, 1), (3001, 1), 3005, 1), 1)
    market.show(tick(MEAL, (2999, 1), (3001, 1), 3006, 1, settlement_price=3004.0), 1)
    held = (REBAR, MEAL, "SHFE.never")
    assert market.settlements(held, DAY, patient=True) is None
    market.show(tick(REBAR, (2999, 1), (3001, 1), 3000, 1, trading_day=NEXT_DAY, pre_settlement_price=3003.0), 2)
    assert market.trading_day == NEXT_DAY
    assert market.settlements((REBAR,), DAY, patient=True) == {REBAR: 3003}
    assert market.settlements(held, DAY, patient=False) == {REBAR: 3003, MEAL: 3004}
    market.show(tick(REBAR, (1, 1), (2, 1), 1, 1, trading_day=NEXT_DAY, pre_settlement_price=9011 / 3), 3)
    begun = DayBegun(ts_ns=1, trading_day=NEXT_DAY, settlements=market.settlements((REBAR,), DAY, patient=True) or {})
    assert begun.settlements == {REBAR: Decimal("3003.666667")}, "as many digits as the journal takes"


# The record


def test_the_journals_of_before_have_one_change_in_each_record(desk: PaperDesk) -> None:
    desk.send("buy", 1, 2990)
    (record,) = json.loads(desk.journal[-1])
    assert read_changes(json.dumps(record).encode()) == read_changes(desk.journal[-1])


def test_a_snapshot_has_everything_but_reports(desk: PaperDesk) -> None:
    desk.send("buy", 12, 3001)
    desk.send("sell", 3, 2999, offset="close_today")
    desk.send("buy", 1, 9999)
    desk.cancel("never")
    again = restored(desk)
    assert again.account.state == desk.account.state
    assert (again.account.waiting, again.account.numbers) == (desk.account.waiting, desk.account.numbers)


def test_an_account_that_was_never_opened_has_a_snapshot_too() -> None:
    assert restore(snapshot(PaperAccount())).state is None
    assert restore(None).state is None


def test_accounts_never_have_the_same_numbers(desk: PaperDesk) -> None:
    marks = {opening(f"P{number}", MONEY, DAY, 1).mark for number in range(200)}
    assert len(marks) == 200


_LOTS, _PRICES = st.integers(1, 30), st.integers(2995, 3005)
_ACTS = st.one_of(
    st.tuples(
        st.just("send"),
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["open", "close", "close_today"]),
        st.sampled_from([REBAR, MEAL]),
        st.sampled_from(["limit", "fak", "fok"]),
        _LOTS,
        _PRICES,
    ),
    st.tuples(st.just("cancel"), st.integers(1, 20)),
    st.tuples(st.just("quote"), st.sampled_from([REBAR, MEAL]), _PRICES, _LOTS, _LOTS),
    st.tuples(st.just("day"), _PRICES),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_ACTS, max_size=40))
def test_whatever_happens_money_is_conserved_and_the_journal_tells_all(acts: list[tuple[Any, ...]]) -> None:
    desk = PaperDesk()
    desk.quote((2999, 10), (3001, 10))
    for act in acts:
        _play(desk, act)
    again, reports = PaperAccount(), list[PaperReport]()
    for data in desk.journal:
        for change in read_changes(data):
            reports += apply(again, change)
    assert again.state == desk.account.state
    assert (again.waiting, again.numbers) == (desk.account.waiting, desk.account.numbers)
    assert reports == desk.reports
    assert [one.sequence for one in reports] == list(range(1, len(reports) + 1))
    assert restore(snapshot(again)).state == again.state
    _check_money(desk)


def _play(desk: PaperDesk, act: tuple[Any, ...]) -> None:
    match act:
        case ("send", side, offset, instrument, kind, lots, price):
            desk.send(side, lots, price, offset=offset, instrument=instrument, type=kind)
        case ("cancel", number):
            desk.cancel(f"o{number}") if f"o{number}" in desk.account.opened.names else None
        case ("quote", instrument, price, lots, traded):
            day = desk.account.opened.book.trading_day
            desk.quote((price - 1, lots), (price + 1, lots), price, traded, instrument=instrument, trading_day=day)
        case ("day", price):
            day = str(int(desk.account.opened.book.trading_day) + 1)
            desk.begin_day(day, rb2605=price, m2605=price)
            for instrument in (REBAR, MEAL):
                desk.quote((2999, 10), (3001, 10), instrument=instrument, trading_day=day)
        case _:
            raise AssertionError(act)


def _check_money(desk: PaperDesk) -> None:
    """All that was ever paid and received, by a sum that knows of no positions: cash flows and what is held now."""
    cash, held = MONEY, dict[str, int]()
    for report in desk.reports:
        if (trade := report.trade) is not None:
            lots = trade.volume if trade.side == "buy" else -trade.volume
            cash -= trade.price * lots * 10 + trade.price * trade.volume * 10 * Decimal("0.0001")
            held[trade.instrument] = held.get(trade.instrument, 0) + lots
    book = desk.account.opened.book
    price = Decimal(3000)
    worth = sum(lots * price * 10 for lots in held.values())
    assert book.balance({REBAR: price, MEAL: price}) == cash + worth
    if not book.working:
        assert (book.frozen_margin, book.frozen_commission) == (0, 0)


def restored(desk: PaperDesk) -> PaperDesk:
    """A desk that begins with the snapshot of another."""
    other = PaperDesk()
    other.account = restore(snapshot(desk.account))
    other.market = desk.market
    other.reports = []
    return other


def _told(report: PaperReport) -> str:
    if report.trade is not None:
        return f"{report.trade.volume} lots"
    return report.order.status if report.order is not None else str(report.trading_day)
