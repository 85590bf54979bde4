"""The counter's time: what it stamps, and what state its front is in at that hour.

`Always` has trading hours only, one after the other, as the simulated market does: the front is always open. `Hours`
lives through whole days, at any speed: nights, breaks, weekends and holidays. Then a front is up from an hour before
the first session until some time after the last one, in the evening and by day; for its first half hour it answers
logins with "not initialised", and at its end it drops everybody.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import Final, Protocol

from aegis.exchanges.calendar import CALENDAR, Calendar
from aegis.exchanges.sessions import (
    has_night_session,
    is_trading_day,
    to_shanghai,
    to_utc_ns,
)
from aegis.marketdata.adapters.simulated.clock import SECOND_NS, Clock, Moment, SessionClock, WallClock

__all__ = ["Always", "CounterClock", "FrontState", "Hours", "front_state"]

_HOUR: Final = 3600
_UP_BY_DAY: Final = (8 * _HOUR, 8 * _HOUR + 1800, 15 * _HOUR + 2700)
_UP_AT_NIGHT: Final = (20 * _HOUR, 20 * _HOUR + 1800)
_NIGHT_ENDS: Final = 3 * _HOUR


class FrontState(Enum):
    """What a front does with who comes."""

    CLOSED = "closed"  # it accepts and closes
    STARTING = "starting"  # it answers logins with error 7
    OPEN = "open"


def front_state(day: str, second: int, calendar: Calendar = CALENDAR) -> FrontState:
    """Of a front at a second of a natural day."""
    if second < _NIGHT_ENDS:
        eve, _, _ = to_shanghai(to_utc_ns(day, 0) - SECOND_NS)
        return FrontState.OPEN if has_night_session(eve, calendar) else FrontState.CLOSED
    if second >= _UP_AT_NIGHT[0]:
        if not has_night_session(day, calendar):
            return FrontState.CLOSED
        return FrontState.OPEN if second >= _UP_AT_NIGHT[1] else FrontState.STARTING
    begins, opens, ends = _UP_BY_DAY
    if not begins <= second < ends or not is_trading_day(day, calendar):
        return FrontState.CLOSED
    return FrontState.OPEN if second >= opens else FrontState.STARTING


class CounterClock(Protocol):
    """The running counter's time."""

    @property
    def market(self) -> Clock:
        """How running time becomes the exchange's."""
        ...

    @property
    def speed(self) -> float: ...

    def running_ns(self) -> int:
        """Running time now, in nanoseconds."""
        ...

    def moment(self) -> Moment: ...

    def front(self) -> FrontState: ...


class Always:
    """Trading time only, from the opening of `start_day` on; `begin_ns` of it are over already."""

    def __init__(self, start_day: str, speed: float = 1.0, calendar: Calendar = CALENDAR, begin_ns: int = 0) -> None:
        self.start_day = start_day
        self.market: Clock = SessionClock(start_day, auctions=False, calendar=calendar)
        self.speed = speed
        self._begin_ns = begin_ns
        self._began_ns = time.monotonic_ns()

    def running_ns(self) -> int:
        return self._begin_ns + int((time.monotonic_ns() - self._began_ns) * self.speed)

    def moment(self) -> Moment:
        return self.market.at(self.running_ns())

    def front(self) -> FrontState:
        return FrontState.OPEN


class Hours:
    """The real hours of `begin_ns` (UTC) and on, `speed` times as fast. Running time is UTC nanoseconds."""

    def __init__(self, begin_ns: int, speed: float = 1.0, calendar: Calendar = CALENDAR) -> None:
        self.market: Clock = WallClock(calendar)
        self.speed = speed
        self._calendar = calendar
        self._begin_ns = begin_ns
        self._began_ns = time.monotonic_ns()

    def running_ns(self) -> int:
        return self._begin_ns + int((time.monotonic_ns() - self._began_ns) * self.speed)

    def jump(self, to_ns: int) -> None:
        """Go on from a later time at once. An earlier one changes nothing."""
        self._begin_ns += max(to_ns - self.running_ns(), 0)

    def moment(self) -> Moment:
        return self.market.at(self.running_ns())

    def front(self) -> FrontState:
        day, second, _ = to_shanghai(self.running_ns())
        return front_state(day, second, self._calendar)
