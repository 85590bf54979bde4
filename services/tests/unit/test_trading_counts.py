"""The counts of a trading day, and checks of cancels."""

from __future__ import annotations

from decimal import Decimal

import pytest
from order_situations import reason, situation
from trading_desk import MEAL, REBAR, Desk

from aegis.trading.domain.checking import check_cancel, warnings
from aegis.trading.domain.risk import DayLimits, RiskSettings
from aegis.trading.domain.situation import Pace
from aegis.trading.domain.tallies import EXCHANGE_LIMITS, Tally

# Counts of the day


@pytest.mark.parametrize(("count", "limit"), [("cancels", 500), ("large_cancels", 50), ("self_trades", 5)])
def test_openings_end_before_the_exchange_s_limit_and_a_warning_comes_before(count: str, limit: int) -> None:
    desk = Desk()
    desk.done("buy", 1)
    tally = desk.group.tallies[REBAR] = Tally()
    stop = min(limit * 95 // 100, limit - 1)
    for value, expected in ((stop - 1, None), (stop, f"{count}_used")):
        setattr(tally, count, value)
        assert reason(situation(desk)) == expected
    assert reason(situation(desk, side="sell", offset="close_today")) is None
    assert reason(situation(desk, instrument=MEAL)) is None
    assert [(one.instrument, one.counted) for one in warnings(desk.group, RiskSettings())] == [(REBAR, count)]
    setattr(tally, count, limit * 8 // 10 - 1)
    assert warnings(desk.group, RiskSettings()) == []


def test_a_day_s_limits_may_be_set_and_orders_have_one_only_if_set() -> None:
    desk = Desk()
    desk.group.tallies[REBAR] = Tally(orders=99, cancels=99)
    assert reason(situation(desk)) is None
    limits = {"SHFE": DayLimits(orders=100)}
    assert reason(situation(desk, {"day_limits": limits})) == "orders_used"
    assert reason(situation(desk, {"day_limits": {"SHFE": DayLimits(cancels=100)}})) == "cancels_used"
    every = RiskSettings(stop_share=Decimal(1))
    assert [every.stop_at(limit) for limit in (1, 5, 500)] == [0, 4, 499]
    assert RiskSettings().limits("CFFEX") == {"cancels": 400, "large_cancels": 100, "self_trades": 5}


def test_what_counts_is_orders_at_the_exchange_and_cancels_of_those_that_waited() -> None:
    desk = Desk()
    refused = desk.intend("buy", 1)
    desk.report(refused, "rejected")
    for volume, other in ((1, {}), (300, {}), (299, {}), (300, {"type": "fak"}), (300, {"hedge": "hedge"})):
        name = desk.intend("buy", volume, **other)
        desk.report(name, "accepted")
        desk.report(name, "cancelled")
        desk.report(name, "cancelled")
    filled = desk.intend("buy", 300)
    desk.fill(filled, 1)
    desk.report(filled, "cancelled", filled=1)
    desk.report(filled, "cancelled", filled=2)
    desk.fill(filled, 1)  # its trade comes late
    assert desk.group.tallies[REBAR] == Tally(orders=6, cancels=5, large_cancels=2)


def test_a_large_cancel_is_one_of_many_lots_or_of_a_share_of_the_largest_order() -> None:
    assert [EXCHANGE_LIMITS["CZCE"].is_large(lots, 1000) for lots in (799, 800)] == [False, True]
    assert [EXCHANGE_LIMITS["CFFEX"].is_large(lots, 20) for lots in (15, 16)] == [False, True]


def test_a_trade_on_both_sides_of_one_match_is_a_self_trade() -> None:
    desk = Desk()
    buy, sell = desk.intend("buy", 1), desk.intend("sell", 1)
    assert desk.fill(buy, 1, trade_id="m1").notes == []
    assert desk.fill(sell, 1, trade_id="m1").notes == ["self_trade"]
    assert desk.fill(desk.intend("sell", 1), 1, trade_id="m2").notes == []
    assert desk.group.tallies[REBAR].self_trades == 1
    desk.roll()
    assert desk.group.tallies == {}


# Cancels


def test_a_cancel_passes_in_every_mode_but_not_in_the_match_minute_nor_too_often() -> None:
    settings = RiskSettings(cancels_per_s=3)
    assert check_cancel(settings, "auction", 2) is None
    assert check_cancel(settings, "closed", 0) is None
    refused = check_cancel(settings, "match", 0), check_cancel(settings, "trading", 3)
    assert [one and one.reason for one in refused] == ["match_minute", "cancel_rate"]


def test_a_pace_forgets_what_is_a_second_old() -> None:
    pace = Pace()
    for now in (10.0, 10.5, 10.9):
        pace.happened(now)
    assert [pace.last_second(now) for now in (10.9, 11.0, 11.6, 12.0)] == [3, 2, 1, 0]
