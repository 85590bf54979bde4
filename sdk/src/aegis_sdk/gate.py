"""Whether this process has just stood still: stopped, suspended with its machine, or blocked in a handler.

A process that stood still cannot know it from inside, but for the clock: what it does next comes later than it
should. So every handler entry and every heartbeat passes the gate *first*, before it looks at anything else or sends
anything. Whichever of them comes first after a stop notes it, and the note stays: a heartbeat that runs before the
requests which wait in the socket does not hide the stop from them.
"""

from __future__ import annotations

import math

__all__ = ["Gate"]


class Gate:
    """One for each process. Times are of `aegis_sdk.clock.now`, which counts the sleep of a machine."""

    __slots__ = ("_limit_s", "_passed_at", "broken_at", "gap_s")

    def __init__(self, limit_s: float, now: float) -> None:
        self._limit_s = limit_s
        self._passed_at = now
        self.broken_at = -math.inf
        """What was proved by writes sent before this counts for nothing."""
        self.gap_s = 0.0  # the one that broke it last

    def enter(self, now: float) -> bool:
        """Pass the gate; True where nothing had passed it for longer than the limit: it is broken from now on."""
        gap, self._passed_at = now - self._passed_at, now
        if gap <= self._limit_s:
            return False
        self.broken_at, self.gap_s = now, gap
        return True
