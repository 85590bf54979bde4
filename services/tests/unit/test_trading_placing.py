"""From a request to the orders that the venue hears of."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from trading_desk import DAY, MEAL, REBAR, Desk, terms

from aegis.accounting.offsets import Leg
from aegis.contracts.trading import OrderRequest
from aegis.contracts.venue import VenueReport
from aegis.trading.domain.placing import at_once, hold_price, orders_of, submit_of, to_flatten
from aegis.trading.domain.situation import MarketPrice


def request(**other: Any) -> OrderRequest:
    facts: dict[str, Any] = {
        "account": "a",
        "client_order_id": "mine",
        "instrument": REBAR,
        "side": "sell",
        "offset": "close",
        "price": "3000",
        "volume": 3,
    }
    return OrderRequest(**{**facts, **other})


def holding(today: int, yesterday: int, instrument: str = REBAR) -> Desk:
    desk = Desk()
    if yesterday:
        desk.done("buy", yesterday, instrument=instrument)
        desk.roll()
    if today:
        desk.done("buy", today, instrument=instrument)
    return desk


def test_a_plain_request_is_one_order_under_its_own_name() -> None:
    desk = holding(1, 0)
    (order,) = orders_of(request(), desk.book, "live", 7)
    assert (order.client_order_id, order.request_id, order.offset, order.volume) == ("mine", "mine", "close", 3)
    assert (order.status, order.env, order.ts_created_ns) == ("pending", "live", 7)
    assert submit_of(order).model_dump() == order.model_dump(include=set(type(submit_of(order)).model_fields))


def test_a_split_makes_two_orders_that_remember_what_was_asked() -> None:
    desk = holding(2, 2)
    orders = orders_of(request(split="today_first"), desk.book, "sim", 7)
    assert [(one.client_order_id, one.request_id, one.offset, one.volume) for one in orders] == [
        ("mine-1", "mine", "close_today", 2),
        ("mine-2", "mine", "close_yesterday", 1),
    ]
    (single,) = orders_of(request(split="yesterday_first", volume=2), desk.book, "sim", 7)
    assert (single.client_order_id, single.offset) == ("mine", "close_yesterday")
    opened = orders_of(request(split="lock"), desk.book, "sim", 7)[1]
    assert (opened.offset, opened.side, opened.direction) == ("open", "sell", "short")


def test_a_split_knows_what_other_orders_close_already_and_makes_nothing_of_too_few_lots() -> None:
    desk = holding(2, 2)
    desk.intend("sell", 2, "3010", "close_today")
    (order,) = orders_of(request(split="today_first", volume=2), desk.book, "sim", 7)
    assert order.offset == "close_yesterday"
    assert orders_of(request(split="today_first"), desk.book, "sim", 7) == []


@pytest.mark.parametrize(
    ("policy", "lots", "offset", "there"),
    [
        ("today_first", 2, "close_today", 3),
        ("today_first", 3, "close_yesterday", 3),
        ("yesterday_first", 3, "close_yesterday", 3),
        ("today_first", 4, None, 3),
        ("yesterday_first", 4, None, 3),
        ("lock", 3, "close_yesterday", 3),
        ("lock", 4, None, 3),
    ],
)
def test_all_or_none_is_asked_for_in_one_order_however_a_close_is_split(
    policy: str, lots: int, offset: str | None, there: int
) -> None:
    desk = holding(2, 3)
    asked = request(type="fok", split=policy, volume=lots)
    orders = orders_of(asked, desk.book, "sim", 7)
    assert [(one.client_order_id, one.offset, one.volume) for one in orders] == (
        [("mine", offset, lots)] if offset else []
    )
    assert at_once(asked, desk.book) == there


def test_a_market_order_holds_what_the_day_s_upper_limit_costs() -> None:
    desk = Desk()
    (order,) = orders_of(request(type="market", price=None, offset="open"), desk.book, "sim", 7)
    market = MarketPrice(bid=None, ask=None, last=None, age_s=0, upper_limit=Decimal(3200), trading_day=DAY)
    assert hold_price(order, terms(), market) == 3200
    assert hold_price(order, terms(), replace(market, trading_day="20251127")) == 3300, "of the day before"
    assert hold_price(order, terms(), None) == 3300
    assert hold_price(order, terms(upper_limit_price=None), None) is None
    assert hold_price(order.model_copy(update={"price": Decimal(1)}), terms(), market) == 3200, "as a counter may tell"
    (limit,) = orders_of(request(), desk.book, "sim", 7)
    assert hold_price(limit, terms(), market) == 3000


def test_flattening_closes_what_no_order_closes_yet() -> None:
    desk = holding(2, 1)
    desk.done("sell", 4, instrument=MEAL)
    desk.intend("sell", 1, "3010", "close_today")
    long, short = f"{REBAR}|long|speculation", f"{MEAL}|short|speculation"
    whole = [
        (short, Leg("close", 4), f"{short}|0"),
        (long, Leg("close_yesterday", 1), f"{long}|1"),
        (long, Leg("close_today", 1), f"{long}|0"),
    ]
    assert [*to_flatten(desk.book, lambda _: 5)] == whole
    assert [*to_flatten(desk.book, lambda _: 5, f"{short}|0")] == whole[1:]
    assert [*to_flatten(desk.book, lambda _: 5, f"{long}|1")] == [(long, Leg("close_yesterday", 1), f"{long}|0")]
    assert [*to_flatten(desk.book, lambda _: 5, f"{long}|0")] == []


def test_flattening_in_parts_tries_as_many_lots_as_there_were() -> None:
    """None of what is tried goes through, so that all of it is there again before the next part."""
    desk = holding(0, 0)
    desk.done("sell", 11, instrument=MEAL)
    short, after, tried = f"{MEAL}|short|speculation", "", []
    while part := [*to_flatten(desk.book, lambda _: 2, after)][:2]:
        after = part[-1][2]
        tried += [leg.lots for _, leg, _ in part]
    assert (tried, after) == ([2, 2, 2, 2, 2, 1], f"{short}|0")


@pytest.mark.parametrize(
    "wrong",
    [
        {"account": "a.b"},
        {"client_order_id": "x" * 33},
        {"client_order_id": ""},
        {"strategy_id": "x" * 33},
        {"instrument": "rb2605"},
        {"instrument": "SHFE." + "x" * 81},
        {"volume": 0},
        {"volume": 1_000_001},
        {"price": "NaN"},
        {"price": "1e30"},
        {"price": "0.0000001"},
        {"side": "long"},
        {"type": "market"},
        {"split": "today_first", "offset": "close_today"},
        {"unknown": 1},
    ],
)
def test_what_no_venue_could_take_is_no_request(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**wrong)


def test_a_report_of_a_venue_tells_of_exactly_one_thing() -> None:
    assert VenueReport(session="s", sequence=1, state="ready").order is None
    desk = holding(1, 0)
    trade = desk.trade("o4", 1)
    assert VenueReport(session="s", sequence=1, trade=trade).trade == trade
    for wrong in ({}, {"state": "ready", "trade": trade}):
        with pytest.raises(ValidationError, match="exactly one"):
            VenueReport(session="s", sequence=1, **wrong)  # type: ignore[arg-type]


def test_amounts_travel_as_exact_decimals_and_come_back_the_same() -> None:
    asked = request(instrument="DCE.SP m2505&m2509", price="-3.5")
    assert b'"price":"-3.5"' in asked.model_dump_json().encode()
    assert OrderRequest.model_validate_json(asked.model_dump_json()) == asked
    assert OrderRequest.model_validate_json(asked.model_dump_json().replace('"-3.5"', "-3.5")) == asked
