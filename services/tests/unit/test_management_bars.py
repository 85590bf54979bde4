"""Ticks as candles."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from aegis.management.bars import Print, bars

BEGIN_S = int(datetime(2025, 1, 2, 1, 0, tzinfo=UTC).timestamp())


def a_print(second: float, price: float | None, volume: int, **fields: Any) -> Print:
    usual = Print("20250102", "20250102", 0, price, None, None, volume, volume * 10.0, 0, 0.0, 7.0, stale=False)
    return msgspec.structs.replace(usual, ts_exchange_ns=int((BEGIN_S + second) * 1e9), **fields)


def test_a_bar_has_what_was_traded_since_the_tick_before() -> None:
    day = [
        a_print(0, 100.0, 50),  # the first one: what it brings is not known
        a_print(10, 102.0, 53),
        a_print(59.5, 99.0, 60),
        a_print(60, 101.0, 61, open_interest=8.0),
        a_print(200, 101.0, 61),  # nothing traded: no bar
    ]
    first, second = bars(day, "1m")
    assert (first.open, first.high, first.low, first.close) == (102.0, 102.0, 99.0, 99.0)
    assert (first.volume, first.turnover, first.ticks, first.open_interest) == (10, 100.0, 2, 7.0)
    assert (second.begin, second.volume, second.open_interest) == (datetime(2025, 1, 2, 1, 1, tzinfo=UTC), 1, 8.0)


def test_a_conflated_tick_shows_by_the_highs_and_lows_of_the_day() -> None:
    day = [
        a_print(0, 100.0, 50, high_price=105.0, low_price=95.0),
        a_print(1, 101.0, 55, high_price=107.0, low_price=94.0),
        a_print(61, 102.0, 56, high_price=107.0, low_price=94.0),
    ]
    first, second = bars(day, "1m")
    assert (first.high, first.low) == (107.0, 94.0)
    assert (second.high, second.low) == (102.0, 102.0)


def test_a_trading_day_begins_with_nothing_traded_and_is_one_daily_bar_with_its_night() -> None:
    night = {"trading_day": "20250103", "action_day": "20250102"}
    ticks = [
        a_print(0, 100.0, 900, volume_delta=4, turnover_delta=40.0),
        a_print(43_200, 103.0, 20, **night),
        a_print(43_260, 104.0, 25, **night),
        a_print(90_000, 102.0, 30, trading_day="20250103", action_day="20250103"),
    ]
    daily = bars(ticks, "1d")
    assert [(one.trading_day, one.volume, one.close) for one in daily] == [
        ("20250102", 4, 100.0),
        ("20250103", 30, 102.0),
    ]
    assert daily[1].action_day == "20250102"
    hours = bars(ticks, "1h")
    assert [(one.action_day, one.volume) for one in hours] == [("20250102", 4), ("20250102", 25), ("20250103", 5)]


def test_stale_ticks_and_resets_add_nothing() -> None:
    ticks = [a_print(0, 100.0, 50), a_print(1, 90.0, 40, stale=True), a_print(2, 95.0, 45), a_print(3, 101.0, 47)]
    (only,) = bars(ticks, "1m")
    assert (only.low, only.volume) == (101.0, 2)


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 20)), min_size=2, max_size=60),
    st.sampled_from(["1m", "5m", "1h", "1d"]),
)
def test_bars_of_every_period_add_up_to_what_was_traded(steps: list[tuple[int, int]], period: Any) -> None:
    second, volume, ticks = 0, 100, list[Print]()
    for seconds, lots in steps:
        second, volume = second + seconds, volume + lots
        ticks.append(a_print(second, 100.0 + lots, volume))
    made = bars(ticks, period)
    assert sum(one.volume for one in made) == volume - ticks[0].volume
    assert [one.begin for one in made] == sorted({one.begin for one in made})
    assert all(one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high for one in made)
