"""The session calendar: on which weekdays the exchanges are closed, and which evenings had no session.

It is data that the project owns, `calendar.toml` beside this module. Days are `YYYYMMDD`. Outside of the time for which
it is valid only weekends are known to be closed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import Any, Final

from aegis_sdk.errors import ConfigurationError

__all__ = ["CALENDAR", "NOTICE_DAYS", "WEEKDAYS", "Calendar", "parse_calendar"]

NOTICE_DAYS: Final = 60
"""So many days before its data ends a calendar asks for more."""

_NO_DAYS: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, kw_only=True, eq=False)
class Calendar:
    """What deviates from "every weekday has a session, and so has its evening"."""

    version: str
    source: str
    valid_from: str
    valid_to: str
    holidays: frozenset[str] = _NO_DAYS  # weekdays
    cancelled_nights: frozenset[str] = _NO_DAYS  # evenings without a session that no holiday explains

    def days_left(self, today: str) -> int:
        """For how many days after `today` it is valid; below 0 once it has ended."""
        return (date.fromisoformat(self.valid_to) - date.fromisoformat(today)).days

    def complaint(self, today: str) -> str:
        """What is wrong with it from `NOTICE_DAYS` before its end on; empty before."""
        left = self.days_left(today)
        if left > NOTICE_DAYS:
            return ""
        ends = f"ends in {left} days" if left > 0 else "ends today" if left == 0 else f"ended {-left} days ago"
        return f"the session calendar {self.version} {ends} ({self.valid_to}): later holidays are not known"


WEEKDAYS: Final = Calendar(version="", source="", valid_from="", valid_to="99991231")
"""No holidays at all: every weekday has its session, and its night."""


def parse_calendar(text: str) -> Calendar:
    """The calendar of a file such as ours. Raises ConfigurationError naming the entry that is wrong."""
    try:
        return _calendar(tomllib.loads(text))
    except KeyError as error:
        raise ConfigurationError("calendar", f"{error.args[0]} is missing") from None
    except (ValueError, AttributeError, TypeError) as error:
        raise ConfigurationError("calendar", str(error)) from None


def _calendar(content: Mapping[str, Any]) -> Calendar:
    calendar = Calendar(
        version=content["version"],
        source=content["source"].strip(),
        valid_from=_day(content["valid_from"]),
        valid_to=_day(content["valid_to"]),
        holidays=frozenset(_closed(content["closed"])),
        cancelled_nights=frozenset(
            day for span in content["cancelled_nights"] for day in _span(_day(span["first"]), _day(span["last"]))
        ),
    )
    for day in calendar.holidays | calendar.cancelled_nights:
        if not calendar.valid_from <= day <= calendar.valid_to:
            raise ValueError(f"{day} is outside of {calendar.valid_from} to {calendar.valid_to}")
    return calendar


def _closed(years: Mapping[str, str]) -> Iterator[str]:
    for year, days in years.items():
        for month_day in days.split():
            day = _day(f"{year}{month_day}")
            if date.fromisoformat(day).weekday() >= 5:
                raise ValueError(f"{day} is no weekday")
            yield day


def _span(first: str, last: str) -> Iterator[str]:
    day, end = date.fromisoformat(first), date.fromisoformat(last)
    while day <= end:
        yield f"{day:%Y%m%d}"
        day += timedelta(days=1)


def _day(text: str) -> str:
    if len(text) != 8 or not text.isdecimal():
        raise ValueError(f"{text!r} is not a day as YYYYMMDD")
    return f"{date.fromisoformat(text):%Y%m%d}"


CALENDAR: Final = parse_calendar(files("aegis.exchanges").joinpath("calendar.toml").read_text("utf-8"))
"""The calendar of the six futures exchanges."""
