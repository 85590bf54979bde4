"""How old ticks are at a subscriber: each when it comes, and the newest of each instrument at any time.

Pure: times are arguments, in seconds of one steady clock.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final, NamedTuple

from aegis.cli.bench.figures import Figures

__all__ = ["Ages", "Newest", "Oldest"]

_STEPS_A_SECOND: Final = 100_000
_LAST: Final = 2 * _STEPS_A_SECOND
"""All that is older than two seconds is counted here."""


class Ages:
    """Counted in steps of 10 us, of however many ticks; and the highest."""

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * (_LAST + 1)))
        self._max = 0.0

    def take(self, age: float) -> None:
        self._counts[min(max(int(age * _STEPS_A_SECOND), 0), _LAST)] += 1
        if age > self._max:
            self._max = age

    def figures(self) -> Figures:
        """p50_us, p99_us and max_us, nothing where none was taken."""
        count = sum(self._counts)
        if not count:
            return {}
        p50, p99 = (self._below(int(count * part)) for part in (0.5, 0.99))
        return {"p50_us": p50 * 1e6, "p99_us": p99 * 1e6, "max_us": self._max * 1e6}

    def _below(self, place: int) -> float:
        """The end of the step of the tick at a place, counted from 0."""
        passed = 0
        for step, count in enumerate(self._counts):
            passed += count
            if passed > place and step < _LAST:
                return min((step + 1) / _STEPS_A_SECOND, self._max)
        return self._max


class Oldest(NamedTuple):
    """The instrument whose newest tick was once the oldest, and how old it was."""

    symbol: str
    age: float


class Newest:
    """How old the newest tick of each instrument became, by its sending, before another came or the end did.

    An instrument of which none comes grows old from the beginning. It is at its oldest just before a tick comes, so
    there is no need to look in between.
    """

    def __init__(self, symbols: Iterable[str], now: float) -> None:
        self._sent = dict.fromkeys(symbols, now)
        self._oldest = Oldest("", 0.0)

    def take(self, symbol: str, sent: float, now: float) -> None:
        before = self._sent.get(symbol, now)
        if now - before > self._oldest.age:
            self._oldest = Oldest(symbol, now - before)
        if sent > before:
            self._sent[symbol] = sent

    def end(self, now: float) -> Oldest:
        """Of all of them, also those that are waited for."""
        for symbol, sent in self._sent.items():
            if now - sent > self._oldest.age:
                self._oldest = Oldest(symbol, now - sent)
        return self._oldest
