"""The times at which the simulated market lives, as functions of a running time in nanoseconds.

`SessionClock` has no breaks: the hours in which every product trades follow one another, whatever the real hour. Its
day is the auction of the commodities at 08:59, that of the financial futures at 09:29, then 09:30 to 10:15, 10:30 to
11:30 and 13:30 to 15:00; the next trading day follows at once. Night sessions pass unseen. `WallClock` is the real
time, nights included, with nothing left out.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Final, NamedTuple, Protocol

from aegis.exchanges.calendar import CALENDAR, Calendar
from aegis.exchanges.sessions import (
    Hours,
    Phase,
    next_trading_day,
    phase_on,
    to_shanghai,
    to_utc_ns,
    trading_day_of,
)

SECOND_NS: Final = 1_000_000_000
_NOON: Final = 12 * 3600
_AUCTIONS: Final = ((8 * 3600 + 59 * 60, 2), (9 * 3600 + 29 * 60, 2))
_SESSIONS: Final = ((9 * 3600 + 30 * 60, 45 * 60), (10 * 3600 + 30 * 60, 60 * 60), (13 * 3600 + 30 * 60, 90 * 60))


class Moment(NamedTuple):
    """A time as the exchange stamps it."""

    ts_ns: int  # UTC
    trading_day: str
    action_day: str
    second: int  # of the action day


class Clock(Protocol):
    def at(self, running_ns: int) -> Moment:
        """The moment after that much running time; never earlier than for less of it."""
        ...

    def phase(self, hours: Hours, moment: Moment) -> Phase: ...


class SessionClock:
    """Trading time only, from the opening of `start_day` on, or of the first trading day after it.

    An auction lasts two seconds of running time; without `auctions` there is none.
    """

    def __init__(self, start_day: str, *, auctions: bool = True, calendar: Calendar = CALENDAR) -> None:
        spans = _AUCTIONS + _SESSIONS if auctions else _SESSIONS
        self.day_ns = sum(length for _, length in spans) * SECOND_NS
        self._openings = [opening for opening, _ in spans]
        self._begins = [0, *accumulate(length * SECOND_NS for _, length in spans[:-1])]
        self._calendar = calendar
        self._days = [trading_day_of(start_day, _NOON, calendar)]

    def at(self, running_ns: int) -> Moment:
        number, rest = divmod(running_ns, self.day_ns)
        span = bisect_right(self._begins, rest) - 1
        opening, since_ns = self._openings[span], rest - self._begins[span]
        day = self._day(number)
        return Moment(to_utc_ns(day, opening) + since_ns, day, day, opening + since_ns // SECOND_NS)

    def phase(self, hours: Hours, moment: Moment) -> Phase:
        return Phase(hours.phases[moment.second])

    def _day(self, number: int) -> str:
        while len(self._days) <= number:
            self._days.append(next_trading_day(self._days[-1], self._calendar))
        return self._days[number]


class WallClock:
    """The real time: running time is UTC nanoseconds since 1970."""

    def __init__(self, calendar: Calendar = CALENDAR) -> None:
        self._calendar = calendar

    def at(self, running_ns: int) -> Moment:
        day, second, _ = to_shanghai(running_ns)
        return Moment(running_ns, trading_day_of(day, second, self._calendar), day, second)

    def phase(self, hours: Hours, moment: Moment) -> Phase:
        return phase_on(hours, moment.action_day, moment.second, self._calendar)
