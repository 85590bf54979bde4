"""The session calendar: its data, what it refuses, when it asks for more, and what others know of the same days."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import recorded_ticks

from aegis.exchanges import calendar
from aegis.exchanges.calendar import CALENDAR, NOTICE_DAYS, WEEKDAYS, parse_calendar
from aegis.exchanges.sessions import is_trading_day
from aegis_sdk.errors import ConfigurationError

GOOD = """
version = "1"
source = "made up"
valid_from = "20250101"
valid_to = "20251231"
cancelled_nights = [{ first = "20250303", last = "20250305", why = "for this test" }]
[closed]
2025 = "0101 0501"
"""


def weekdays(first: str, last: str) -> Iterator[str]:
    day = date.fromisoformat(first)
    while f"{day:%Y%m%d}" <= last:
        if day.weekday() < 5:
            yield f"{day:%Y%m%d}"
        day += timedelta(days=1)


def test_each_year_has_its_holidays() -> None:
    by_year = [sum(day.startswith(str(year)) for day in CALENDAR.holidays) for year in range(2014, 2027)]
    assert min(by_year) >= 16
    assert all(f"{year}1001" in CALENDAR.holidays or date(year, 10, 1).weekday() > 4 for year in range(2014, 2027))
    assert CALENDAR.version
    assert CALENDAR.source


def test_a_file_becomes_a_calendar() -> None:
    made = parse_calendar(GOOD)
    assert made.holidays == {"20250101", "20250501"}
    assert made.cancelled_nights == {"20250303", "20250304", "20250305"}
    assert (made.version, made.valid_to) == ("1", "20251231")


@pytest.mark.parametrize(
    ("written", "wrong", "problem"),
    [
        ("0101 0501", "0101 0503", "20250503 is no weekday"),
        ("0101 0501", "0101 0231", "day"),
        ("0101 0501", "101", "'2025101' is not a day as YYYYMMDD"),
        ('"20251231"', '"20250331"', "20250501 is outside of 20250101 to 20250331"),
        ('version = "1"', "", "version is missing"),
        ("closed", "closed = 1 [", "Expected"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_reason(written: str, wrong: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^calendar: ") as refused:
        parse_calendar(GOOD.replace(written, wrong))
    assert problem in refused.value.problem


def test_it_asks_for_more_sixty_days_before_it_ends() -> None:
    made = parse_calendar(GOOD)
    last = date(2025, 12, 31)
    assert made.complaint(f"{last - timedelta(days=NOTICE_DAYS + 1):%Y%m%d}") == ""
    assert "ends in 60 days (20251231)" in made.complaint(f"{last - timedelta(days=60):%Y%m%d}")
    assert "ends today" in made.complaint("20251231")
    assert "ended 2 days ago" in made.complaint("20260102")


def test_beyond_its_end_only_weekends_are_closed() -> None:
    beyond = "20991001"
    assert beyond > CALENDAR.valid_to
    assert is_trading_day(beyond) == is_trading_day(beyond, WEEKDAYS)


def references() -> Path:
    """Lists that others made, to compare ours with; skips the test where there are none."""
    ticks = recorded_ticks.directory()
    if ticks is None or not (ticks.parent / "reference").is_dir():
        pytest.skip("no reference data beside the recorded ticks")
    return ticks.parent / "reference"


def test_the_days_are_those_on_which_others_saw_trading() -> None:
    """One list of trading days for 2014 to 2025, which lacks 2021-09-30; a second one of holidays confirms that day."""
    traded = set(json.loads((references() / "optionheatmap_tradingDay.json").read_text()))
    closed = set(json.loads((references() / "wondertrader_holidays.json").read_text())["CHINA"])
    assert {day for day in weekdays("20140101", "20251231") if is_trading_day(day) != (day in traded)} == {"20210930"}
    assert {day for day in weekdays("20140101", "20221007") if is_trading_day(day) == (day in closed)} == set()


def test_the_cancelled_nights_are_those_that_others_know() -> None:
    """Products that had none from 2020-02-03 to 2020-04-30, and had them again on 2020-05-06."""
    text = (references() / "javatrader_exchangeContracts.json").read_text()
    assert min(CALENDAR.cancelled_nights) == "20200203"
    assert max(CALENDAR.cancelled_nights) == "20200430"
    assert all(f'"{day}"' in text for day in ("2020-02-03", "2020-04-30", "2020-05-06"))


def test_every_public_name_exists() -> None:
    assert all(hasattr(calendar, name) for name in calendar.__all__)
