"""What time it is in the market, and how long each group of products has traded by then.

Live, replayed or simulated at any speed: the time of the market is the latest exchange time of its ticks. While none
come it goes on at the speed of our clock, from look to look, so that the silence of everything is noticed too. A time
more than a minute away from it counts only when three ticks in a row say so: a wrong stamp moves nothing, and a market
that skips the night, or starts anew, is followed at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from aegis.exchanges.calendar import CALENDAR, Calendar
from aegis.exchanges.sessions import DAY_S, GRACE_S, Hours, Phase, phase_on, to_shanghai

__all__ = ["OPENING_S", "MarketTime", "TradingTime"]

OPENING_S: Final = 3
"""So long after an opening silence is not counted: the first ticks take their time."""

_SECOND_NS: Final = 1_000_000_000
_FAR_NS: Final = 60 * _SECOND_NS
_AGREED: Final = 3
_LOOK_S: Final = 1.0  # a look that comes later than that was late itself: ticks wait to be heard, and nothing is silent


class TradingTime:
    """For how long a group of products has traded since we began, openings and ends left out."""

    __slots__ = ("_before_s", "hours", "opened_ns", "phase")

    def __init__(self, hours: Hours) -> None:
        self.hours = hours
        self.phase = Phase.CLOSED
        self.opened_ns = 0  # since when silence is counted without a break; 0: it is not
        self._before_s = 0.0

    def seconds(self, now_ns: int) -> float:
        """By the present time of the market."""
        return self._before_s + (now_ns - self.opened_ns) / _SECOND_NS if self.opened_ns else self._before_s

    def look(self, day: str, second: int, before_ns: int, now_ns: int, calendar: Calendar) -> None:
        """Be at a second of a natural day, `now_ns` in UTC; the look before was at `before_ns`."""
        self.phase = phase_on(self.hours, day, second, calendar)
        phases = self.hours.on(day).phases
        counts = self.phase is Phase.TRADING and (
            phases[second - OPENING_S] == phases[(second + GRACE_S) % DAY_S] == Phase.TRADING
        )
        if not counts:
            self.close(before_ns)
        elif not self.opened_ns:
            self.opened_ns = now_ns

    def close(self, now_ns: int) -> None:
        """Count no further than to that time."""
        self._before_s = self.seconds(now_ns)
        self.opened_ns = 0


class MarketTime:
    """`begin_ns` is our best guess before the first tick, UTC nanoseconds; `wall_s` are seconds of our clock."""

    def __init__(self, hours: Iterable[Hours], begin_ns: int, wall_s: float, calendar: Calendar = CALENDAR) -> None:
        self.now_ns = begin_ns
        self._calendar = calendar
        self._groups = {each.name: TradingTime(each) for each in hours}
        self._all = list(self._groups.values())
        self._second = -1
        self._far = 0
        self._base_ns, self._base_s = begin_ns, wall_s
        self._looked_s = wall_s
        self._look(begin_ns)

    def group(self, hours: Hours) -> TradingTime:
        return self._groups[hours.name]

    def tick(self, ts_ns: int, wall_s: float) -> None:
        """A tick of this exchange time has come."""
        ahead_ns = ts_ns - self.now_ns
        if -_FAR_NS <= ahead_ns <= _FAR_NS:
            self._far = 0
            if ahead_ns > 0:
                self._go_to(ts_ns)
                self._base_ns, self._base_s = ts_ns, wall_s
            return
        self._far += 1
        if self._far >= _AGREED:
            self._far = 0
            self._jump_to(ts_ns)
            self._base_ns, self._base_s = ts_ns, wall_s

    def passed(self, wall_s: float) -> None:
        """Look at our clock, several times a second."""
        late_s = wall_s - self._looked_s - _LOOK_S
        if late_s > 0:
            self._base_s += late_s
        self._looked_s = wall_s
        now_ns = self._base_ns + int((wall_s - self._base_s) * _SECOND_NS)
        if now_ns > self.now_ns:
            self._go_to(now_ns)

    def _go_to(self, now_ns: int) -> None:
        """At most a minute further: no break fits between two seconds that count."""
        before_ns, self.now_ns = self.now_ns, now_ns
        if now_ns // _SECOND_NS != self._second:
            self._look(before_ns)

    def _jump_to(self, now_ns: int) -> None:
        """Elsewhere: nobody knows what was traded between."""
        for one in self._all:
            one.close(self.now_ns)
        self.now_ns = now_ns
        self._look(now_ns)

    def _look(self, before_ns: int) -> None:
        self._second = self.now_ns // _SECOND_NS
        day, second, _ = to_shanghai(self.now_ns)
        for one in self._all:
            one.look(day, second, before_ns, self.now_ns, self._calendar)
