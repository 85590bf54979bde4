"""Hours, flags, trading days and times."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
import recorded_ticks
from hypothesis import given
from hypothesis import strategies as st

from aegis.exchanges import sessions
from aegis.exchanges.products import product_of
from aegis.exchanges.sessions import (
    BOND,
    DAY,
    NIGHT_0100,
    NIGHT_0230,
    NIGHT_2300,
    STOCK_INDEX,
    Hours,
    Phase,
    flags_at,
    has_night_session,
    has_session,
    phase_on,
    to_shanghai,
    to_utc_ns,
    trading_day_of,
)

SHANGHAI = timezone(timedelta(hours=8))


def at(clock: str) -> int:
    hour, minute, second = (int(part) for part in clock.split(":"))
    return hour * 3600 + minute * 60 + second


@pytest.mark.parametrize(
    ("hours", "clock", "phase"),
    [
        (DAY, "08:54:59", Phase.CLOSED),
        (DAY, "08:55:00", Phase.AUCTION),
        (DAY, "08:59:59", Phase.AUCTION),
        (DAY, "09:00:00", Phase.TRADING),
        (DAY, "10:20:00", Phase.BREAK),
        (DAY, "12:00:00", Phase.BREAK),
        (DAY, "13:30:00", Phase.TRADING),
        (DAY, "15:10:00", Phase.CLOSED),
        (DAY, "21:30:00", Phase.CLOSED),
        (NIGHT_2300, "20:55:00", Phase.AUCTION),
        (NIGHT_2300, "22:59:59", Phase.TRADING),
        (NIGHT_2300, "23:30:00", Phase.CLOSED),
        (NIGHT_2300, "08:59:00", Phase.AUCTION),
        (NIGHT_0100, "00:59:59", Phase.TRADING),
        (NIGHT_0100, "01:30:00", Phase.CLOSED),
        (NIGHT_0230, "02:29:59", Phase.TRADING),
        (NIGHT_0230, "02:31:00", Phase.CLOSED),
        (STOCK_INDEX, "09:24:59", Phase.CLOSED),
        (STOCK_INDEX, "09:29:00", Phase.AUCTION),
        (STOCK_INDEX, "10:20:00", Phase.TRADING),
        (STOCK_INDEX, "15:10:00", Phase.CLOSED),
        (BOND, "15:10:00", Phase.TRADING),
    ],
)
def test_a_product_has_a_phase_at_each_second(hours: Hours, clock: str, phase: Phase) -> None:
    assert hours.phases[at(clock)] == phase


def test_the_last_tick_of_a_session_may_be_late_by_less_than_two_seconds() -> None:
    for hours, end in ((NIGHT_2300, "10:15:00"), (DAY, "15:00:00"), (NIGHT_2300, "23:00:00"), (BOND, "15:15:00")):
        assert [flags_at(hours, at(end) + late) for late in (0, 1, 2)] == [(), (), ("out_of_session",)]


def test_a_tick_of_the_call_auction_is_flagged() -> None:
    assert flags_at(NIGHT_2300, at("20:59:00")) == ("auction",)
    assert flags_at(DAY, at("08:59:00")) == ("auction",)
    assert flags_at(STOCK_INDEX, at("09:29:00")) == ("auction",)
    assert flags_at(STOCK_INDEX, at("08:59:00")) == ("out_of_session",)


def test_only_the_last_minute_of_an_auction_matches() -> None:
    matching = [second for second in range(86_400) if NIGHT_0230.is_match(second)]
    assert matching == [*range(at("08:59:00"), at("09:00:00")), *range(at("20:59:00"), at("21:00:00"))]


def test_hours_of_earlier_years_are_known_where_they_differed() -> None:
    assert flags_at(STOCK_INDEX.on("20141225"), at("15:10:00")) == ()
    assert flags_at(STOCK_INDEX.on("20141225"), at("09:14:00")) == ("auction",)
    assert flags_at(STOCK_INDEX.on("20160104"), at("15:10:00")) == ("out_of_session",)
    assert flags_at(BOND.on("20200717"), at("09:15:00")) == ()
    assert flags_at(BOND.on("20200720"), at("09:15:00")) == ("out_of_session",)


@pytest.mark.parametrize(
    ("day", "clock", "trading_day"),
    [
        ("20250102", "10:00:00", "20250102"),
        ("20250102", "15:43:00", "20250102"),
        ("20250102", "19:29:00", "20250103"),
        ("20250102", "23:59:59", "20250103"),
        ("20250103", "01:00:00", "20250103"),
        ("20250103", "21:00:00", "20250106"),  # a Friday's night is Monday's
        ("20250104", "02:29:00", "20250106"),
        ("20250104", "12:00:00", "20250106"),
        ("20250930", "21:00:00", "20251009"),
    ],
)
def test_the_night_belongs_to_the_next_trading_day(day: str, clock: str, trading_day: str) -> None:
    assert trading_day_of(day, at(clock)) == trading_day


def test_there_is_no_night_session_before_a_holiday_but_one_before_a_weekend() -> None:
    assert has_night_session("20250926")
    assert not has_night_session("20250930")
    assert not has_night_session("20251004")
    assert phase_on(NIGHT_0230, "20250930", at("21:30:00")) == Phase.CLOSED
    assert phase_on(NIGHT_0230, "20251001", at("01:30:00")) == Phase.CLOSED
    assert phase_on(NIGHT_0230, "20251001", at("10:00:00")) == Phase.CLOSED
    assert phase_on(NIGHT_0230, "20251009", at("10:00:00")) == Phase.TRADING
    assert phase_on(NIGHT_0230, "20250927", at("01:30:00")) == Phase.TRADING


def test_the_first_night_after_a_holiday_is_that_of_its_first_trading_day() -> None:
    assert has_night_session("20251009")
    assert trading_day_of("20251009", at("21:00:00")) == "20251010"
    assert trading_day_of("20251001", at("01:00:00")) == "20251009"  # no session: the next one counts
    assert trading_day_of("20251003", at("21:00:00")) == "20251009"


def test_a_night_that_no_holiday_explains_can_be_cancelled() -> None:
    assert has_night_session("20200122")
    assert not has_night_session("20200203")
    assert not has_session("20200204", at("01:30:00"))
    assert has_session("20200204", at("09:30:00"))
    assert trading_day_of("20200203", at("21:00:00")) == "20200204"
    assert has_night_session("20200506")


@given(st.datetimes(min_value=datetime(1992, 1, 1), max_value=datetime(2060, 1, 1)))
def test_a_shanghai_time_is_utc_plus_eight(moment: datetime) -> None:
    second = moment.hour * 3600 + moment.minute * 60 + moment.second
    millisecond = moment.microsecond // 1000
    ts_ns = to_utc_ns(f"{moment:%Y%m%d}", second, millisecond)
    expected = moment.replace(microsecond=millisecond * 1000, tzinfo=SHANGHAI)
    assert datetime.fromtimestamp(ts_ns // 1_000_000_000, SHANGHAI) == expected.replace(microsecond=0)
    assert to_shanghai(ts_ns) == (f"{moment:%Y%m%d}", second, millisecond)


def test_a_day_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="day"):
        to_utc_ns("20250230", 0)


def recorded_rows(name: str) -> Iterator[dict[str, str]]:
    path = recorded_ticks.file(name)
    with gzip.open(path, "rt") as lines:
        yield from csv.DictReader(lines)


@pytest.mark.parametrize(
    ("name", "stamps"),
    [
        ("SHFE_ru1901_20181008.ctp.csv.gz", set()),
        ("CZCE_AP010_20200803.ctp.csv.gz", {"19:29:00"}),
        ("CFFEX_IF1501_20141225_L5.csv.gz", {"15:43:32"}),
        ("MARKET_20220218_1120-1130.wt.csv.gz", {f"07:48:{second}" for second in (29, 30, 32, 33)}),
    ],
)
def test_recorded_ticks_are_in_session_but_for_those_of_start_and_settlement(name: str, stamps: set[str]) -> None:
    outside: set[str] = set()
    for row in recorded_rows(name):
        product = product_of(row.get("ExchangeID", ""), row["InstrumentID"])
        assert product is not None, row["InstrumentID"]
        if flags_at(product.hours.on(row["TradingDay"]), at(row["UpdateTime"])) == ("out_of_session",):
            outside.add(row["UpdateTime"])
    assert outside == stamps


def test_every_public_name_exists() -> None:
    assert all(hasattr(sessions, name) for name in sessions.__all__)
