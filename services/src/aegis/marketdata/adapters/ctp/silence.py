"""Which silence of a session is none of its market's: one that its own pace does not explain, while the market is open.

A contract may tick twice a second or twice a day. So a session that ticks less than once a second is not expected to
tick at all, and another one not before a silence is three times as long as any that it has had while it traded; unless
its last sixty ticks came in half of what a stall takes: whatever it had before, that is no pace at which it rests. What
is not asked here is the health agent's to tell, who judges each contract by its own rate.

The market's clock is that of its ticks: a market may be a simulated one, days and speeds away from ours. What follows a
subscription is none: it is stamped with the last trade, which may be hours ago; nor is what comes in an auction or out
of session. No tick sets the clock back.

Pure; times are UTC nanoseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

from aegis.contracts.market import Quote
from aegis.exchanges.sessions import next_trading_day, to_shanghai

__all__ = ["IsExpected", "Pace", "latest_day"]

IsExpected = Callable[[Collection[Quote], int, int], bool]
"""Whether the contracts of these quotes all trade from one moment of the market's clock to another."""

_TICKS: Final = 60
_WITHIN_NS: Final = 60 * 10**9
_TIMES: Final = 3
_DAYS: Final = 3
_BREAK_NS: Final = 600 * 10**9
"""Less than any break between two sessions of a day: so long a silence tells nothing of a pace."""


def latest_day(known: str, now_ns: int) -> str:
    """The last trading day that ticks may be of, behind the one that is known, or today's: a market may be days behind.

    One beyond that is an error of its record's, which is no reason to believe that all days before are over.
    """
    day = max(known, to_shanghai(now_ns)[0])
    for _ in range(_DAYS):
        day = next_trading_day(day)
    return day


class Pace:
    """Of one session, and of what it is subscribed to: `forget` it when that becomes less."""

    def __init__(self, is_expected: IsExpected) -> None:
        self._is_expected = is_expected
        self._latest: deque[Quote] = deque(maxlen=_TICKS)
        self._longest_ns = 0  # of the silences while it traded
        self._clock_ns = 0

    def heard(self, quotes: Sequence[Quote]) -> None:
        """In the order in which they came."""
        ticks = [quote for quote in quotes if not quote.flags]
        if not ticks:
            return
        if self._latest:
            self._note_silence(self._latest[-1], ticks[0])
        self._latest.extend(ticks)
        self._clock_ns = max(self._clock_ns, ticks[-1].ts_exchange_ns)

    def forget(self) -> None:
        self._latest.clear()
        self._longest_ns = 0

    def is_stall(self, silent_ns: int, stall_ns: int) -> bool:
        """Whether a silence of `silent_ns` up to now is a stall, which none is before `stall_ns`.

        What lies before a break does not count: all that it takes must lie in the hours of the contracts that ticked.
        """
        latest = self._latest
        if silent_ns < stall_ns or len(latest) < _TICKS:
            return False
        took_ns = latest[-1].ts_received_ns - latest[0].ts_received_ns
        is_busy = took_ns <= stall_ns / 2
        must_be_ns = stall_ns if is_busy else max(stall_ns, _TIMES * self._longest_ns)
        if took_ns > _WITHIN_NS or silent_ns < must_be_ns:
            return False
        end_ns = self._clock_ns + silent_ns
        return self._is_expected(latest, end_ns - must_be_ns, end_ns)

    def _note_silence(self, before: Quote, behind: Quote) -> None:
        silent_ns = behind.ts_received_ns - before.ts_received_ns
        if silent_ns <= self._longest_ns or behind.ts_exchange_ns - before.ts_exchange_ns > _BREAK_NS:
            return
        if self._is_expected((before, behind), before.ts_exchange_ns, behind.ts_exchange_ns):
            self._longest_ns = silent_ns
