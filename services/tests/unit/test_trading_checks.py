"""What is refused before anybody outside hears of it, and why."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_situations import FRESH, reason, situation
from trading_desk import DAY, INDEX, MEAL, REBAR, Desk, rates, terms

from aegis.contracts.orders import Mode, OrderType
from aegis.contracts.venue import CommissionRates
from aegis.trading.domain.changes import ModeSet
from aegis.trading.domain.checking import check, converted, narrowed
from aegis.trading.domain.group import restore, snapshot
from aegis.trading.domain.order_checks import collar_price
from aegis.trading.domain.risk import RiskSettings, may_hear
from aegis.trading.domain.situation import MarketPrice, Reason

DOCS = Path(__file__).parents[3] / "docs" / "trading.md"


def test_an_order_that_nothing_speaks_against_passes() -> None:
    assert check(situation()) is None


def test_the_documentation_has_each_reason_with_its_check() -> None:
    table = DOCS.read_text(encoding="utf-8").split("<!-- reasons -->")[1]
    shown = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert shown == list(get_args(Reason))


# The order and its market


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"price": "3000.5"}, "price_tick"),
        ({"price": None}, "price_missing"),
        ({"price": "3301"}, "above_limit"),
        ({"price": "2699"}, "below_limit"),
        ({"price": "3060"}, None),
        ({"price": "3061"}, "collar"),
        ({"side": "sell", "price": "2939"}, "collar"),
        ({"side": "sell", "price": "2940"}, None),
        ({"volume": 101}, "too_many_lots"),
        ({"type": "market", "price": None}, "order_type"),
        ({"instrument": "SHFE.none"}, "unknown_instrument"),
        ({"phase": "closed"}, "closed"),
        ({"phase": "break"}, "closed"),
        ({"phase": "match"}, "match_minute"),
        ({"phase": "auction"}, None),
        ({"phase": "auction", "type": "fak"}, "auction_type"),
        ({"phase": "auction", "type": "fok"}, "auction_type"),
        ({"phase": "trading", "type": "fok"}, None),
        ({"market": None}, "no_price"),
        ({"env": "paper"}, "wrong_env"),
        ({"orders_last_s": 20}, "order_rate"),
        ({"orders_last_s": 19}, None),
        ({"offset": "close"}, "too_few_to_close"),
    ],
)
def test_an_order_is_refused_with_the_reason(other: dict[str, Any], expected: str | None) -> None:
    assert reason(situation(**other)) == expected


def test_the_day_s_limits_of_the_market_count_before_those_of_the_contract_query() -> None:
    limits = {"upper_limit": Decimal(3200), "lower_limit": Decimal(3100)}
    market = MarketPrice(bid=Decimal(3190), ask=Decimal(3200), last=None, age_s=0, trading_day="20251128", **limits)
    assert reason(situation(market=market, price="3201")) == "above_limit"
    assert reason(situation(market=market, price="3099")) == "below_limit"
    before = replace(market, trading_day="20251127")
    assert reason(situation(market=before, price="3201")) is None, "limits of the day before say nothing"


def test_an_auction_goes_by_the_limits_of_the_day_and_needs_no_tick() -> None:
    old = replace(FRESH, age_s=20_000.0)
    for market in (None, old):
        assert reason(situation(phase="auction", market=market, price="3300")) is None
        assert reason(situation(phase="auction", market=market, price="3301")) == "above_limit"
        unbounded = terms(upper_limit_price=None)
        assert reason(situation(phase="auction", market=market, terms=unbounded)) == "no_price"


def test_a_price_of_nothing_or_less_is_refused_where_no_limit_is_known() -> None:
    unlimited = terms(lower_limit_price=None)
    for price in ("0", "-1"):
        refused = check(situation(terms=unlimited, market=FRESH, side="sell", price=price))
        assert refused is not None
        assert (refused.reason, refused.detail) == ("below_limit", f"{price} below {terms().price_tick}")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"kind": "option"}, "not_a_future"),
        ({"is_trading": False}, "not_trading"),
        ({"expiry_day": "20251128"}, "last_day"),
        ({"expiry_day": "20251129"}, None),
        ({"delivery_month": "202511"}, "delivery_month"),
        ({"min_limit_volume": 2}, "too_few_lots"),
        ({"max_limit_volume": 1}, None),
    ],
)
def test_an_instrument_s_terms_decide(other: dict[str, Any], expected: str | None) -> None:
    assert reason(situation(Desk(terms(**other)))) == expected


def test_last_days_and_delivery_months_are_for_closing_and_index_futures_have_no_such_month() -> None:
    desk = Desk(
        terms(expiry_day="20251128"), terms(MEAL, delivery_month="202511"), terms(INDEX, delivery_month="202511")
    )
    for instrument in (REBAR, MEAL):
        desk.done("buy", 1, instrument=instrument)
        offset = "close_today" if instrument == REBAR else "close"
        assert reason(situation(desk, instrument=instrument, side="sell", offset=offset)) is None
    assert reason(situation(desk, instrument=INDEX)) is None


def test_a_stale_price_stops_what_opens_and_lets_pass_what_closes() -> None:
    desk = Desk()
    desk.done("buy", 1)
    stale = MarketPrice(bid=Decimal(2999), ask=Decimal(3000), last=None, age_s=5.1)
    assert reason(situation(desk, market=stale)) == "stale_price"
    for market in (stale, None):
        assert reason(situation(desk, market=market, side="sell", price="2701", offset="close_today")) is None


@pytest.mark.parametrize("exchange", ["SHFE", "INE", "DCE", "CZCE", "CFFEX", "GFEX"])
def test_order_types_are_those_of_the_exchange_unless_settings_say_otherwise(exchange: str) -> None:
    name = f"{exchange}.x2605"
    desk = Desk(terms(name))

    def passes(type: OrderType, settings: dict[str, Any] | None = None) -> bool:
        price = None if type == "market" else "3000"
        return reason(situation(desk, settings, instrument=name, type=type, price=price)) is None

    assert passes("limit")
    assert passes("fak")
    assert passes("market") is (exchange not in ("SHFE", "INE"))
    assert passes("fok") is (exchange != "CZCE")
    assert not passes("fak", {"order_types": {exchange: ["limit"]}})


def test_a_market_order_becomes_a_fak_at_the_collar_where_policy_says_so() -> None:
    convert = {"market_orders": "convert"}
    market = {"type": "market", "price": None}
    made = converted(situation(settings=convert, **market))
    assert (made.order.type, made.order.price, made.hold_price) == ("fak", 3060, 3060)
    assert check(made) is None
    sold = converted(situation(settings=convert, side="sell", **market))
    assert sold.order.price == 2940  # 2999 less 2 % is 2939.02, upwards to the tick
    assert converted(situation(**market)).order.type == "market"
    blind = situation(settings=convert, market=None, **market)
    assert converted(blind) is blind


@pytest.mark.parametrize("exchange", ["DCE", "CZCE", "CFFEX", "GFEX"])
def test_a_market_order_pays_no_more_than_the_collar_where_its_exchange_has_them(exchange: str) -> None:
    """However thin the book is: what a market order would take beyond the collar a FAK leaves."""
    name = f"{exchange}.x2605"
    desk = Desk(terms(name))
    desk.done("buy", 2, instrument=name)
    market: dict[str, Any] = {"instrument": name, "type": "market", "price": None}
    bought = converted(situation(desk, **market))
    assert (bought.order.type, bought.order.price, bought.hold_price) == ("fak", 3060, 3060)
    assert check(bought) is None
    closed = converted(situation(desk, side="sell", offset="close", **market))
    assert (closed.order.type, closed.order.price) == ("fak", 2940)
    assert check(closed) is None
    limit = replace(FRESH, upper_limit=Decimal(3020), trading_day=DAY)
    assert converted(situation(desk, market=limit, **market)).order.price == 3020
    assert converted(situation(desk, {"order_types": {exchange: ["market"]}}, **market)).order.type == "market"


@pytest.mark.parametrize("price", [None, replace(FRESH, age_s=60)])
def test_a_market_order_without_a_fresh_price_opens_nothing_and_closes_as_it_is(price: MarketPrice | None) -> None:
    desk = Desk(terms(MEAL))
    desk.done("buy", 2, instrument=MEAL)
    market: dict[str, Any] = {"instrument": MEAL, "type": "market", "price": None, "market": price}
    assert reason(converted(situation(desk, **market))) == ("no_price" if price is None else "stale_price")
    closing = situation(desk, side="sell", offset="close", **market)
    assert converted(closing) is closing
    assert check(closing) is None


def test_a_price_beyond_the_collar_may_become_its_edge_and_nothing_else_is_changed() -> None:
    made = narrowed(situation(price="3300"))
    assert (made.order.type, made.order.price, made.hold_price) == ("limit", 3060, 3060)
    assert check(made) is None
    desk = Desk()
    desk.done("buy", 1)
    closing = narrowed(situation(desk, side="sell", offset="close_today", price="2700"))
    assert closing.order.price == 2940
    assert check(closing) is None
    stale = MarketPrice(bid=Decimal(2999), ask=Decimal(3000), last=Decimal(2999), age_s=60)
    for other in ({"price": "3060"}, {"price": "2000"}, {"market": None}, {"market": stale}, {"phase": "auction"}):
        kept = situation(**{"price": "3300", **other})
        assert narrowed(kept) is kept
    unknown = situation(price="3300", instrument="SHFE.xx2605")
    assert narrowed(unknown) is unknown


@given(
    st.integers(1, 100_000),
    st.sampled_from(["0.2", "0.5", "1", "5"]),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from(["0.001", "0.02", "0.1"]),
)
def test_a_price_at_the_collar_passes_its_own_checks(steps: int, tick: str, side: str, collar: str) -> None:
    price = steps * Decimal(tick)
    desk = Desk(terms(price_tick=Decimal(tick), upper_limit_price=None, lower_limit_price=None), money=Decimal(10**12))
    market = MarketPrice(bid=price, ask=price, last=price, age_s=0)
    asked = situation(desk, {"collar": collar}, market=market, side=side)
    worst = collar_price(asked)
    assert worst is not None
    assert reason(situation(desk, {"collar": collar}, market=market, side=side, price=str(worst))) is None
    beyond = worst + Decimal(tick) * (1 if side == "buy" else -1)
    expected = "collar" if beyond > 0 else "below_limit"  # a price of nothing is refused before
    assert reason(situation(desk, {"collar": collar}, market=market, side=side, price=str(beyond))) == expected


# The account


@pytest.mark.parametrize(
    ("mode", "opening", "closing"),
    [
        ("normal", None, None),
        ("close_only", "close_only", None),
        ("cancel_only", "cancel_only", "cancel_only"),
        ("halted", "halted", "halted"),
    ],
)
def test_a_mode_allows_what_it_says(mode: Mode, opening: str | None, closing: str | None) -> None:
    desk = Desk()
    desk.done("buy", 1)
    desk.tell(ModeSet(account="a", ts_ns=0, mode=mode))
    assert reason(situation(desk)) == opening
    assert reason(situation(desk, side="sell", offset="close_today")) == closing


def test_what_the_service_decides_never_loosens_a_mode_whatever_was_stored_first() -> None:
    modes = get_args(Mode)
    for now in modes:
        desk = Desk()
        desk.tell(ModeSet(account="a", ts_ns=0, mode=now))
        desk.tell(ModeSet(account="a", ts_ns=0, mode="close_only", at_least=True))
        assert desk.book.mode == ("close_only" if now == "normal" else now)
        desk.tell(ModeSet(account="a", ts_ns=0, mode="normal"))
        assert desk.book.mode == "normal", "a person may"


def test_a_live_account_starts_disarmed_and_sends_nothing_before_somebody_arms_it() -> None:
    desk = Desk(env="live")
    assert not desk.book.armed
    assert reason(situation(desk)) == "disarmed"
    desk.tell(ModeSet(account="a", ts_ns=0, mode="normal"))
    assert reason(situation(desk)) == "disarmed"
    desk.tell(ModeSet(account="a", ts_ns=0, mode="normal", armed=True))
    assert reason(situation(desk)) is None
    assert Desk().book.armed


def test_a_live_account_is_armed_for_a_day() -> None:
    live, sim = Desk(env="live"), Desk()
    live.tell(ModeSet(account="a", ts_ns=0, mode="normal", armed=True))
    live.roll(DAY)
    assert live.book.armed, "the same day told again is none"
    for desk in (live, sim):
        desk.roll()
    assert reason(situation(live)) == "disarmed"
    assert reason(situation(sim)) is None
    again = restore(snapshot(live.group))
    assert not again.books["a"].armed


@pytest.mark.parametrize(
    ("env", "tick", "heard"),
    [
        ("live", "live", True),
        ("live", "sim", False),
        ("sim", "sim", True),
        ("sim", "live", False),
        ("paper", "live", False),
        ("paper", "sim", False),
    ],
)
def test_an_account_hears_ticks_of_its_own_env_only(env: Any, tick: str, heard: bool) -> None:
    assert may_hear(env, RiskSettings(), tick, "main") is heard
    named = RiskSettings(tick_feeds=[f"{tick}/main"])
    assert may_hear("paper", named, tick, "main")
    assert not may_hear("paper", named, tick, "other")
    assert not may_hear("paper", named, "live" if tick == "sim" else "sim", "main")
    assert not may_hear("live", named, "sim", "main")  # naming it changes nothing


def test_a_live_account_hears_one_feed_set_and_not_a_replay_beside_it() -> None:
    assert not may_hear("sim", RiskSettings(), "sim", "replay")
    named = RiskSettings(tick_feeds=["sim/replay"])
    assert may_hear("sim", named, "sim", "replay")
    assert not may_hear("sim", named, "sim", "main")


def test_a_client_order_id_is_used_once() -> None:
    desk = Desk()
    name = desk.intend("buy", 1)
    assert reason(situation(desk, order=desk.book.orders[name])) == "duplicate_id"
    desk.intend("buy", 1, client_order_id="x-1", request_id="x")
    assert reason(situation(desk, client_order_id="x", request_id="x")) == "duplicate_id", "it was split then"
    desk.intend("buy", 1, client_order_id="y-1", request_id="y-1")
    assert reason(situation(desk, client_order_id="y", request_id="y")) is None, "that is another one's name"


def test_an_order_that_could_trade_with_one_s_own_is_refused_in_the_whole_group() -> None:
    desk = Desk()
    desk.intend("sell", 1, "3005")
    assert reason(situation(desk, price="3004")) is None
    assert reason(situation(desk, price="3005")) == "self_trade"
    assert reason(situation(desk, side="sell", price="2990")) is None
    other = Desk()
    other.group.books["b"] = desk.book
    assert reason(situation(other, price="3005")) == "self_trade"
    other.group.books["b"].trading_day = "20250101"  # it has left, and its day rolls no more
    assert reason(situation(other, price="3005")) is None
    meal = Desk()
    meal.intend("sell", 1, "3005", instrument=MEAL)
    for price in (None, "3000"):  # whatever stands there, it takes any
        assert reason(situation(meal, instrument=MEAL, type="market", price=price)) == "self_trade"
    meal.intend("sell", 1, "3009", instrument=MEAL, type="market", client_order_id="of-others")
    assert reason(situation(meal, instrument=MEAL, price="3004")) == "self_trade"


def test_positions_count_with_what_working_orders_may_still_open_and_limits_may_be_of_a_product() -> None:
    desk = Desk()
    desk.done("buy", 3)
    desk.done("buy", 1, hedge="hedge")
    name = desk.intend("buy", 4)
    desk.fill(name, 1)
    for settings in ({"max_position_lots": 9}, {"position_lots": {REBAR: 9}}, {"position_lots": {"SHFE.rb": 9}}):
        assert reason(situation(desk, settings, volume=1)) is None
        assert reason(situation(desk, settings, volume=2)) == "position_limit"
    desk.intend("sell", 5, "3300")  # the other direction is another matter
    assert reason(situation(desk, {"max_position_lots": 9}, volume=1)) is None
    closing = {"side": "sell", "price": "3001", "offset": "close_today"}
    assert reason(situation(desk, {"max_position_lots": 0}, **closing)) is None
    assert reason(situation(desk, {"position_lots": {REBAR: 0}}, side="sell", price="3001")) == "position_limit"


def test_openings_end_with_the_day_s_greatest_loss() -> None:
    desk = Desk()
    desk.done("buy", 1)
    settings = {"max_loss": "1000"}
    assert reason(situation(desk, settings, prices={REBAR: Decimal(2901)})) is None  # 990 and 3 of commission
    assert reason(situation(desk, settings, prices={REBAR: Decimal(2900)})) == "loss_limit"
    assert reason(situation(desk, {"max_loss": "1003"}, prices={REBAR: Decimal(2900)})) == "loss_limit"
    assert reason(situation(desk, {"max_loss": "1003.01"}, prices={REBAR: Decimal(2900)})) is None
    fall = {"prices": {REBAR: Decimal(2900)}, "side": "sell", "offset": "close_today"}
    assert reason(situation(desk, settings, **fall)) is None


def test_a_loss_that_cannot_be_seen_ends_openings_too() -> None:
    desk = Desk()
    desk.done("buy", 5, instrument=MEAL)
    settings, prices = {"max_loss": "1000", "held_stale_after_s": 60}, {MEAL: Decimal(3000)}
    unseen = situation(desk, settings)
    assert check(unseen) == ("no_price", {"instrument": MEAL})
    assert reason(situation(desk)) is None, "nothing bounds its losses"
    assert reason(situation(desk, settings, prices=prices, ages={MEAL: 60.0})) is None
    assert check(situation(desk, settings, prices=prices, ages={MEAL: 60.1})) == (
        "stale_price",
        {"instrument": MEAL, "age": "60.1"},
    )
    closing = {"instrument": MEAL, "side": "sell", "price": "2999", "offset": "close"}
    assert reason(situation(desk, settings, **closing)) is None
    desk.done("sell", 5, "3000", "close", instrument=MEAL)
    assert reason(situation(desk, settings)) is None


def test_an_order_that_opens_needs_margin_commission_and_fee() -> None:
    fees = CommissionRates(open=rates("0.0001"), close=rates(), close_today=rates(), order_fee=Decimal(1))
    assert reason(situation(Desk(terms(commission=fees), money=Decimal(3004)))) is None
    assert reason(situation(Desk(terms(commission=fees), money=Decimal("3003.99")))) == "no_money"


def test_lots_that_another_order_closes_are_not_there_to_close() -> None:
    desk = Desk()
    desk.done("buy", 2)
    desk.intend("sell", 1, "3010", "close_today")
    assert reason(situation(desk, side="sell", offset="close_today")) is None
    assert reason(situation(desk, side="sell", offset="close_today", volume=2)) == "too_few_to_close"
    assert reason(situation(desk, side="sell", offset="close_yesterday")) == "too_few_to_close"
