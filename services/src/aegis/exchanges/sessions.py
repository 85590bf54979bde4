"""When products trade: hours, phases, trading days and times.

All clock times are Shanghai's, UTC+8 without daylight saving since 1991. A *second* is one of the natural day, 0 to
86,399; a day is `YYYYMMDD`. The *trading day* begins with the night session of the evening before it: Monday's
begins on Friday at 21:00.

A call auction takes the five minutes before the day's first session, orders for four and the match in the last one.
Products with a night session hold it at 20:55, and at 08:55 after an evening on which there was none. Since 26 May
2023 SHFE, INE and DCE hold one at 08:55 after a night, too; at CZCE orders of the night can only be taken back then.
The first tick of a session is the match's, stamped 20:59:00, 08:59:00 or 09:29:00. The last one is up to 1.5 s late,
hence `GRACE_S`: recordings have 11:30:01.500 on SHFE, INE and DCE, 11:30:00.500 on CZCE and CFFEX.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Final

from aegis.contracts.market import Flag
from aegis.exchanges.calendar import CALENDAR, WEEKDAYS, Calendar

__all__ = [
    "BOND",
    "DAY",
    "DAY_S",
    "GRACE_S",
    "NIGHT_0100",
    "NIGHT_0230",
    "NIGHT_2300",
    "STOCK_INDEX",
    "Hours",
    "Phase",
    "flags_at",
    "has_night_session",
    "has_session",
    "is_trading_day",
    "next_trading_day",
    "phase_on",
    "previous_trading_day",
    "to_shanghai",
    "to_utc_ns",
    "trading_day_of",
]

DAY_S: Final = 86_400
GRACE_S: Final = 2
"""A tick stamped less than that after the end of a session still belongs to it."""

_UTC_OFFSET_S: Final = 8 * 3600
_AUCTION_S: Final = 5 * 60
_EVENING: Final = 18 * 3600  # from here on a second belongs to the next trading day
_MORNING: Final = 6 * 3600  # until here to the night session of the evening before
_EPOCH: Final = date(1970, 1, 1).toordinal()


class Phase(IntEnum):
    """What a product does at a second of the day."""

    CLOSED = 0
    BREAK = 1  # between two sessions of the same day
    AUCTION = 2
    TRADING = 3


_FLAGS: Final[tuple[tuple[Flag, ...], ...]] = (("out_of_session",), ("out_of_session",), ("auction",), ())


@dataclass(frozen=True, kw_only=True, eq=False)
class Hours:
    """The hours of a group of products, the same on every trading day.

    `spans` are the sessions in the order of the trading day, in seconds; a night session that runs past midnight ends
    above 86,400. `phases` has a Phase for each second. Until the day `changed` (exclusive) `former` held instead.
    """

    name: str
    spans: tuple[tuple[int, int], ...]
    phases: bytes
    changed: str = ""
    former: Hours | None = None

    def on(self, day: str) -> Hours:
        """The hours that held on a trading day."""
        return self if self.former is None or day >= self.changed else self.former

    @property
    def has_night(self) -> bool:
        return self.spans[0][0] >= _EVENING

    def is_match(self, second: int) -> bool:
        """Whether the auction is matched at that second: in the last minute before a session with an auction."""
        return self.phases[second] == Phase.AUCTION and self.phases[(second + 60) % DAY_S] == Phase.TRADING


def _hours(name: str, sessions: str, former: Hours | None = None, changed: str = "") -> Hours:
    spans = tuple(_span(session) for session in sessions.split())
    day = [span for span in spans if span[0] < _EVENING]
    seconds = bytearray(DAY_S)
    _fill(seconds, day[0][0], day[-1][1], Phase.BREAK)
    for opening in {spans[0][0], day[0][0]}:
        _fill(seconds, opening - _AUCTION_S, opening, Phase.AUCTION)
    for start, end in spans:
        _fill(seconds, start, min(end + GRACE_S, DAY_S), Phase.TRADING)
        _fill(seconds, 0, max(end + GRACE_S - DAY_S, 0), Phase.TRADING)  # past midnight
    return Hours(name=name, spans=spans, phases=bytes(seconds), changed=changed, former=former)


def _fill(seconds: bytearray, start: int, end: int, phase: Phase) -> None:
    seconds[start:end] = bytes([phase]) * (end - start)


def _span(session: str) -> tuple[int, int]:
    start, end = (int(clock[:2]) * 3600 + int(clock[3:]) * 60 for clock in session.split("-"))
    return start, end if end > start else end + DAY_S


_COMMODITY_DAY: Final = "09:00-10:15 10:30-11:30 13:30-15:00"
_FINANCIAL_2015: Final = _hours("financial_2015", "09:15-11:30 13:00-15:15")

DAY: Final = _hours("day", _COMMODITY_DAY)
NIGHT_2300: Final = _hours("night_2300", f"21:00-23:00 {_COMMODITY_DAY}")
NIGHT_0100: Final = _hours("night_0100", f"21:00-01:00 {_COMMODITY_DAY}")
NIGHT_0230: Final = _hours("night_0230", f"21:00-02:30 {_COMMODITY_DAY}")
STOCK_INDEX: Final = _hours("stock_index", "09:30-11:30 13:00-15:00", _FINANCIAL_2015, "20160101")
BOND: Final = _hours("bond", "09:30-11:30 13:00-15:15", _FINANCIAL_2015, "20200720")


def flags_at(hours: Hours, second: int) -> tuple[Flag, ...]:
    """The flags of a tick stamped at `second`: ("auction",), ("out_of_session",) or none.

    It does not look at the date; that a day has a session at all is `phase_on`'s to tell.
    """
    return _FLAGS[hours.phases[second]]


def phase_on(hours: Hours, day: str, second: int, calendar: Calendar = CALENDAR) -> Phase:
    """The phase at a second of a natural day, CLOSED where that day, or that night, has no session."""
    return Phase(hours.on(day).phases[second]) if has_session(day, second, calendar) else Phase.CLOSED


def has_session(day: str, second: int, calendar: Calendar = CALENDAR) -> bool:
    """Whether a natural day, or at night that night, has a session at all: no weekend, holiday or cancelled night."""
    if second >= _EVENING:
        return has_night_session(day, calendar)
    if second < _MORNING:
        return has_night_session(_shifted(day, -1), calendar)
    return is_trading_day(day, calendar)


@lru_cache(maxsize=4096)
def is_trading_day(day: str, calendar: Calendar = CALENDAR) -> bool:
    """Whether the exchanges open."""
    return date.fromisoformat(day).weekday() < 5 and day not in calendar.holidays


@lru_cache(maxsize=4096)
def next_trading_day(day: str, calendar: Calendar = CALENDAR) -> str:
    """The first trading day after `day`."""
    following = _shifted(day, 1)
    while not is_trading_day(following, calendar):
        following = _shifted(following, 1)
    return following


@lru_cache(maxsize=4096)
def previous_trading_day(day: str, calendar: Calendar = CALENDAR) -> str:
    """The last trading day before `day`."""
    earlier = _shifted(day, -1)
    while not is_trading_day(earlier, calendar):
        earlier = _shifted(earlier, -1)
    return earlier


@lru_cache(maxsize=4096)
def has_night_session(day: str, calendar: Calendar = CALENDAR) -> bool:
    """Whether the evening of `day` has a session: of a trading day, unless a holiday follows or it was cancelled."""
    return (
        is_trading_day(day, calendar)
        and day not in calendar.cancelled_nights
        and next_trading_day(day, calendar) == next_trading_day(day, WEEKDAYS)
    )


def trading_day_of(day: str, second: int, calendar: Calendar = CALENDAR) -> str:
    """The trading day of a second of a natural day; of a moment between two sessions, that of the next one.

    The hours after the close, to 18:00, still count to the day that ends.
    """
    if second >= _EVENING:
        return next_trading_day(day, calendar)
    if second < _MORNING:
        return next_trading_day(_shifted(day, -1), calendar)
    return day if is_trading_day(day, calendar) else next_trading_day(day, calendar)


def to_utc_ns(action_day: str, second: int, millisecond: int = 0) -> int:
    """A Shanghai time as UTC nanoseconds since 1970. Raises ValueError where `action_day` is no day."""
    return _midnight_ns(action_day) + (second * 1000 + millisecond) * 1_000_000


def to_shanghai(ts_ns: int) -> tuple[str, int, int]:
    """UTC nanoseconds as a Shanghai time: (day, second, millisecond)."""
    milliseconds = ts_ns // 1_000_000 + _UTC_OFFSET_S * 1000
    days, rest = divmod(milliseconds, DAY_S * 1000)
    return _day_text(days), rest // 1000, rest % 1000


@lru_cache(maxsize=256)
def _midnight_ns(day: str) -> int:
    return ((date.fromisoformat(day).toordinal() - _EPOCH) * DAY_S - _UTC_OFFSET_S) * 1_000_000_000


@lru_cache(maxsize=256)
def _day_text(days_since_epoch: int) -> str:
    return f"{datetime.fromtimestamp(days_since_epoch * DAY_S, UTC):%Y%m%d}"


@lru_cache(maxsize=4096)
def _shifted(day: str, days: int) -> str:
    return f"{date.fromisoformat(day) + timedelta(days=days):%Y%m%d}"
