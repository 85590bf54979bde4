"""Money of an account, to the cent: by hand from the exchanges' and CTP's rules."""

from __future__ import annotations

from decimal import Decimal

import pytest
from trading_desk import INDEX, MEAL, MONEY, NEXT_DAY, REBAR, Desk, rates, terms

from aegis.accounting.holdings import holding_key
from aegis.contracts.amounts import exact, exact_rate, is_same_money
from aegis.contracts.venue import CommissionRates, MarginRates, VenueAccount, VenuePosition
from aegis.trading.domain.changes import BooksTaken
from aegis.trading.domain.telling import Telling
from aegis.trading.domain.views import account_of, event_of, position_of

LONG, SHORT = (holding_key(REBAR, side, "speculation") for side in ("long", "short"))


def money(text: str) -> Decimal:
    return Decimal(text)


def test_a_day_trade_of_rebar_costs_what_the_statement_says() -> None:
    """10 t a lot, margin 13 %, 0.01 % of the value for each of the three commissions."""
    fee, deposit = rates("0.0001"), rates("0.13")
    desk = Desk(
        terms(
            margin={"speculation": MarginRates(long=deposit, short=deposit)},
            commission=CommissionRates(open=fee, close=fee, close_today=fee),
        )
    )
    name = desk.intend("buy", 2, "3081")
    assert (desk.book.frozen_margin, desk.book.frozen_commission) == (money("8010.6"), money("6.162"))
    desk.fill(name, 2, "3080")
    book, prices = desk.book, {REBAR: Decimal(3090)}
    assert (book.frozen_margin, book.commission, book.margin()) == (0, money("6.16"), money("8008"))
    assert book.balance(prices) == money("1000193.84")  # 2 * 10 * 10 of profit, less the commission
    assert book.available(prices) == money("992185.84")
    desk.done("sell", 2, "3085", "close_today")
    assert (book.close_profit, book.commission, book.margin()) == (100, money("12.33"), 0)
    assert book.balance({}) == book.available({}) == money("1000087.67")


def test_an_index_future_is_settled_daily_as_a_published_statement_says() -> None:
    """Bought at 2626.2, settled at 2607.2, sold the next day at 2616.4: 300 yuan a point, -5,700 and then +2,760.

    The price it was opened at plays no part on the second day.
    """
    desk = Desk(terms(INDEX, multiplier=300, price_tick=Decimal("0.2")))
    desk.done("buy", 1, "2626.2", instrument=INDEX)
    key = holding_key(INDEX, "long", "speculation")
    desk.roll(IF2512="2607.2")
    assert desk.book.pre_balance == 1_000_000 - 5700 - money("78.786")
    shown = position_of(desk.book, key, {})
    assert (shown.yesterday, shown.position_cost, shown.open_cost) == (1, 782_160, 787_860)
    assert shown.margin == 78_216
    trade = desk.done("sell", 1, "2616.4", "close", instrument=INDEX).trades[0]
    assert trade.close_profit == 2760
    assert desk.book.close_profit == 2760


@pytest.mark.parametrize(("yesterday", "opened", "closed", "as_today"), [(3, 0, 3, 0), (3, 1, 3, 1), (0, 2, 2, 2)])
def test_where_close_tells_no_days_apart_lots_opened_today_pay_first_and_the_oldest_go_first(
    yesterday: int, opened: int, closed: int, as_today: int
) -> None:
    """The two scenes of CTP's FAQ (OnRspQryTradingAccount): 3 old lots, perhaps 1 opened; a close of 3."""
    fees = CommissionRates(open=rates(), close=rates(by_volume="1"), close_today=rates(by_volume="15"))
    desk = Desk(terms(MEAL, commission=fees))
    if yesterday:
        desk.done("buy", yesterday, instrument=MEAL)
        desk.roll(m2605="3000")
    if opened:
        desk.done("buy", opened, instrument=MEAL)
    trade = desk.done("sell", closed, offset="close", instrument=MEAL).trades[0]
    assert trade.commission == as_today * 15 + (closed - as_today)
    holding = desk.book.holdings[holding_key(MEAL, "long", "speculation")]
    assert (holding.yesterday.lots, holding.today.lots) == (0, opened + yesterday - closed)


def test_lots_that_paid_as_today_s_are_not_counted_again() -> None:
    fees = CommissionRates(open=rates(), close=rates(by_volume="1"), close_today=rates(by_volume="15"))
    desk = Desk(terms(MEAL, commission=fees))
    desk.done("buy", 3, instrument=MEAL)
    desk.roll(m2605="3000")
    desk.done("buy", 1, instrument=MEAL)
    closes = [desk.done("sell", 1, offset="close", instrument=MEAL).trades[0].commission for _ in range(3)]
    assert closes == [15, 1, 1]


def test_an_order_closes_the_lots_that_it_holds_and_what_others_hold_only_for_want_of_more() -> None:
    desk = Desk()
    desk.done("buy", 2, instrument=MEAL)
    desk.roll(m2605="3000")
    desk.done("buy", 2, instrument=MEAL)
    key = holding_key(MEAL, "long", "speculation")
    older, newer = (desk.intend("sell", 2, "3010", "close", instrument=MEAL) for _ in range(2))
    beyond = desk.intend("sell", 1, "3010", "close", instrument=MEAL)  # nothing is left for it to hold
    assert desk.book.free(key) == (0, 0)
    desk.fill(newer, 2)
    assert (desk.book.holdings[key].yesterday.lots, desk.book.holdings[key].today.lots) == (2, 0)
    desk.fill(beyond, 1)
    assert desk.book.holdings[key].yesterday.lots == 1
    desk.report(older, "cancelled", filled=0)
    assert desk.book.free(key) == (0, 1)


def test_what_a_cancelled_order_still_holds_is_yesterday_s_first_since_they_trade_first() -> None:
    desk = Desk()
    desk.done("buy", 2, instrument=MEAL)
    desk.roll(m2605="3000")
    desk.done("buy", 2, instrument=MEAL)
    name = desk.intend("sell", 4, "3010", "close", instrument=MEAL)
    desk.report(name, "cancelled", filled=3)
    held = desk.book.holds[name]
    assert (held.lots, held.yesterday, held.today) == (3, 2, 1)
    assert desk.book.free(holding_key(MEAL, "long", "speculation")) == (1, 0)


def test_shfe_charges_a_close_by_the_day_that_its_order_names() -> None:
    fees = CommissionRates(open=rates(), close=rates(by_volume="1"), close_today=rates(by_volume="15"))
    desk = Desk(terms(commission=fees))
    desk.done("buy", 2)
    desk.roll(rb2605="3000")
    desk.done("buy", 2)
    assert desk.done("sell", 1, offset="close").trades[0].commission == 1
    assert desk.done("sell", 1, offset="close_today").trades[0].commission == 15
    holding = desk.book.holdings[LONG]
    assert (holding.yesterday.lots, holding.today.lots) == (1, 1)


def test_margin_is_by_money_or_by_volume_by_direction_and_by_hedge_flag() -> None:
    margins = {
        "speculation": MarginRates(long=rates("0.1"), short=rates(by_volume="2500")),
        "hedge": MarginRates(long=rates("0.05", "10"), short=rates("0.05")),
    }
    desk = Desk(terms(margin=margins))
    desk.done("buy", 2)
    desk.done("sell", 3)
    desk.done("buy", 1, hedge="hedge")
    assert desk.book.margin() == 6000 + 7500 + 1510


def test_under_the_larger_side_rule_a_product_pays_for_its_dearer_direction_only() -> None:
    other = "SHFE.rb2610"
    desk = Desk(terms(larger_side=True), terms(other, larger_side=True), terms(MEAL))
    desk.done("buy", 3)
    desk.done("sell", 2, instrument=other)
    desk.done("buy", 1, instrument=MEAL)
    desk.done("sell", 1, instrument=MEAL)
    assert desk.book.margin() == 9000 + 3000 + 3000


def test_cffex_compares_directions_within_one_hedge_flag_shfe_over_all() -> None:
    desk = Desk(terms(larger_side=True), terms(INDEX, larger_side=True))
    for instrument in (REBAR, INDEX):
        desk.done("buy", 1, instrument=instrument)
        desk.done("sell", 1, instrument=instrument, hedge="hedge")
    assert desk.book.margin() == 3000 + 6000


def test_fees_are_due_for_orders_at_the_exchange_and_for_cancels_that_were_asked_for() -> None:
    fees = CommissionRates(
        open=rates(), close=rates(), close_today=rates(), order_fee=Decimal(1), cancel_fee=Decimal("0.5")
    )
    desk = Desk(terms(commission=fees))
    name = desk.intend("buy", 1)
    assert desk.book.commission == 0
    desk.report(name, "accepted")
    desk.report(name, "accepted")
    assert desk.book.commission == 1
    desk.ask_cancel(name)
    desk.report(name, "cancelled")
    assert desk.book.commission == money("1.5")
    own_end = desk.intend("buy", 1)
    desk.report(own_end, "cancelled")  # nobody asked: an end of the exchange's own
    assert desk.book.commission == money("2.5")
    refused = desk.intend("buy", 1)
    desk.report(refused, "accepted")  # by the counter, before its exchange says no
    desk.report(refused, "rejected")
    assert desk.book.commission == money("2.5")


def test_ctp_closes_the_first_opened_lots_of_a_day_the_simulated_counter_their_average() -> None:
    for closing, profit in (("first_in", 200), ("average", 150)):
        desk = Desk(closing=closing)
        desk.done("buy", 1, "3000")
        desk.done("buy", 1, "3010")
        assert desk.done("sell", 1, "3020", "close_today").trades[0].close_profit == profit
        assert desk.book.balance({REBAR: Decimal(3020)}) == desk.book.balance({REBAR: Decimal(3020)})
        assert desk.book.close_profit + desk.book.position_profit({REBAR: Decimal(3020)}) == 300


def test_profits_of_positions_are_not_spent_where_the_broker_says_so_losses_always_count() -> None:
    desk = Desk(gains_available=False)
    desk.done("buy", 1)
    up, down = {REBAR: Decimal(3100)}, {REBAR: Decimal(2900)}
    assert desk.book.balance(up) - desk.book.available(up) == 3000 + 1000
    assert desk.book.balance(down) - desk.book.available(down) == 3000


def test_today_s_lots_may_be_charged_at_the_settlement_price_of_the_day_before() -> None:
    desk = Desk(terms(pre_settlement_price=Decimal(2900)), today_margin="pre_settlement")
    name = desk.intend("buy", 1)
    assert desk.book.frozen_margin == 2900
    desk.fill(name, 1)
    assert desk.book.margin() == 2900


def test_an_order_that_closes_holds_its_commission_back_at_the_rate_of_a_close() -> None:
    fees = CommissionRates(open=rates(), close=rates(by_volume="1"), close_today=rates(by_volume="15"))
    desk = Desk(terms(MEAL, commission=fees))
    desk.done("buy", 2, instrument=MEAL)
    name = desk.intend("sell", 2, offset="close", instrument=MEAL)
    assert (desk.book.frozen_margin, desk.book.frozen_commission) == (0, 2)
    desk.report(name, "cancelled")
    assert desk.book.frozen_commission == 0


def test_at_the_end_of_the_day_orders_expire_lots_become_yesterday_s_and_the_day_s_figures_begin_anew() -> None:
    desk = Desk()
    desk.done("sell", 1, "3000")
    desk.done("buy", 1, "3000", "close_today")
    desk.done("buy", 2, "3000")
    waiting = desk.intend("sell", 1, "3050", "close_today")
    book = desk.book
    balance = book.balance({REBAR: Decimal(3010)})
    applied = desk.roll(rb2605="3010")
    assert [(order.client_order_id, order.status) for order in applied.orders] == [(waiting, "expired")]
    assert (book.trading_day, book.pre_balance, book.commission, book.close_profit) == (NEXT_DAY, balance, 0, 0)
    assert (book.orders, book.trades, book.holds, book.working) == ({}, {}, {}, {})
    shown = position_of(book, LONG, {})
    assert (shown.today, shown.yesterday, shown.position_cost, shown.open_cost) == (0, 2, 60200, 60000)
    assert list(book.holdings) == [LONG]
    assert not desk.roll(rb2605="9999").tells  # told twice
    assert book.pre_balance == balance


def test_a_close_of_more_than_there_is_never_makes_a_position_negative() -> None:
    desk = Desk()
    desk.done("buy", 1)
    applied = desk.done("sell", 3, offset="close_today")
    assert applied.notes == ["beyond_position"]
    assert desk.book.holdings[LONG].lots == 0


def test_the_venue_s_books_take_the_place_of_ours_when_somebody_says_so() -> None:
    desk = Desk()
    desk.done("buy", 5)
    state = account_of(desk.book, {}).model_dump(include={"account", "trading_day", "position_profit", "margin"})
    theirs = {
        **state,
        **dict.fromkeys(("frozen_margin", "frozen_commission", "commission"), Decimal(0)),
        "pre_balance": Decimal(500),
        "close_profit": Decimal(7),
        "balance": Decimal(507),
        "available": Decimal(507),
    }
    position = {
        "account": "a",
        "instrument": REBAR,
        "direction": "short",
        "today": 1,
        "yesterday": 2,
        "position_cost": Decimal("90001"),
        "open_cost": Decimal("90000"),
        "margin": Decimal(0),
    }
    taken = {"account": "a", "ts_ns": 0, "state": theirs, "positions": [position]}
    applied = desk.tell(BooksTaken.model_validate(taken))
    assert applied.holdings == [LONG, SHORT]
    shown = position_of(desk.book, SHORT, {})
    assert (shown.today, shown.yesterday, shown.position_cost, shown.open_cost) == (1, 2, 90001, 90000)
    assert position_of(desk.book, LONG, {}).lots == 0
    assert desk.book.balance({}) == 507
    waiting = desk.intend("buy", 1)
    later = {**taken, "state": {**theirs, "trading_day": NEXT_DAY}}
    applied = desk.tell(BooksTaken.model_validate(later))
    assert [(order.client_order_id, order.status) for order in applied.orders] == [(waiting, "expired")]
    assert (desk.book.trading_day, desk.book.balance({})) == (NEXT_DAY, 507)


def test_lots_that_have_paid_as_today_s_have_so_behind_the_venue_s_books_too() -> None:
    """5 old ones and 5 opened; a close of 3 takes old ones and pays for 3 of today's, so 2 are left to pay for."""
    fees = CommissionRates(open=rates(), close=rates(by_volume="1"), close_today=rates(by_volume="15"))
    desk = Desk(terms(MEAL, commission=fees))
    desk.done("buy", 5, instrument=MEAL)
    desk.roll(m2605="3000")
    desk.done("buy", 5, instrument=MEAL)
    desk.done("sell", 3, offset="close", instrument=MEAL)
    key = holding_key(MEAL, "long", "speculation")
    position = position_of(desk.book, key, {}).model_dump(include=set(VenuePosition.model_fields))
    state = account_of(desk.book, {}).model_dump(include=set(VenueAccount.model_fields))
    before = position_of(desk.book, key, {})
    desk.tell(BooksTaken.model_validate({"account": "a", "ts_ns": 0, "state": state, "positions": [position]}))
    assert position_of(desk.book, key, {}) == before
    assert desk.done("sell", 5, offset="close", instrument=MEAL).trades[0].commission == 2 * 15 + 3


def test_an_order_that_nobody_heard_of_before_its_day_ended_costs_nothing() -> None:
    fees = CommissionRates(open=rates(), close=rates(), close_today=rates(), order_fee=Decimal(1))
    desk = Desk(terms(commission=fees))
    desk.report(desk.intend("buy", 1), "accepted")
    desk.answer(desk.intend("buy", 1), "unknown")
    desk.roll()
    assert desk.book.pre_balance == MONEY - 1


def test_events_carry_the_state_at_the_prices_given() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    applied = desk.fill(name, 1)
    told = Telling(1).number(desk.book, applied)
    events = [event_of(desk.book, one, {REBAR: Decimal(3100)}) for one in told]
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert desk.book.sequence == 4
    assert [type(event).__name__ for event in events] == [
        "OrderReported",
        "TradeReported",
        "PositionReported",
        "AccountReported",
    ]
    assert events[2].position.position_profit == events[3].state.position_profit == 1000  # type: ignore[union-attr]


def test_doubles_become_what_they_stand_for_and_cents_are_compared_whatever_the_rounding() -> None:
    assert exact(0.1 + 0.2) == Decimal("0.3")
    assert exact(3081.2) == Decimal("3081.2")
    assert exact(0.00010100000000000001) == Decimal("0.000101")
    assert str(exact(-0.0)) == "0"
    assert exact_rate(0.000023 * 1.005) == Decimal("0.000023115")
    assert str(exact_rate(13.0)) == "13"
    assert is_same_money(Decimal("1.005"), Decimal("1.0050001"))
    assert not is_same_money(Decimal("1.00"), Decimal("1.005"))
    for nothing in (float("nan"), float("inf"), 1.7976931348623157e308):
        for of_double in (exact, exact_rate):
            with pytest.raises(ValueError, match="no amount"):
                of_double(nothing)
