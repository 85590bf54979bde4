"""By which clock a silence is judged: the market's own, as its quotes tell it. Pure; times are UTC nanoseconds.

A market may be a simulated one, days and speeds away from our clock, so ours counts only until quotes have come. What
follows a subscription tells little: a contract that is seldom traded answers with the time of its last trade, which
may be hours ago. Until another quote comes the silence must mean something by both clocks. No quote sets it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from aegis.contracts.market import Quote

__all__ = ["MarketClock"]


class MarketClock:
    """Of one session."""

    def __init__(self) -> None:
        self._latest_ns = 0
        self._snapshot_ns = 0

    def heard(self, quotes: Sequence[Quote]) -> None:
        """At least one, in the order in which they came."""
        latest = quotes[-1]
        if "snapshot" in latest.flags:
            self._snapshot_ns = max(self._snapshot_ns, latest.ts_exchange_ns)
        else:
            self._latest_ns = max(self._latest_ns, latest.ts_exchange_ns)

    def spans(self, silent_ns: int, span_ns: int, now_ns: int) -> list[tuple[int, int]]:
        """The last `span_ns` of a silence of `silent_ns`, by each clock that counts; it is now `now_ns` by ours.

        Not all of it: a silence that began before a break means nothing until so much of it lies behind the break.
        """
        if self._latest_ns:
            ends = [self._latest_ns + silent_ns]
        elif self._snapshot_ns:
            ends = [now_ns, self._snapshot_ns + silent_ns]
        else:
            ends = [now_ns]
        return [(end - span_ns, end) for end in ends]
