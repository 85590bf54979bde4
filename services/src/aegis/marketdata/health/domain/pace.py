"""How often one instrument ticks, learned from its own intervals; and from when on its silence is no chance.

Two things are learned. The *usual interval* is the one that nineteen in twenty do not exceed. It follows slowly, by a
twentieth or less with each tick, so that one pause changes little. The *share of long intervals*, above `LONG_S`, tells
an instrument that comes with every snapshot of its exchange, two a second, from one that leaves some out.

A silence is a stall when chance would hardly ever make it: at nine usual intervals, where intervals without memory
are that long once in 5e11; or, of an instrument that hardly leaves a snapshot out, as soon as five are missing.
"""

from __future__ import annotations

from math import log
from typing import Final

__all__ = ["ENOUGH", "LEAST_S", "Pace"]

ENOUGH: Final = 20
"""Intervals without which an instrument is not judged at all."""
LEAST_S: Final = 2.5
"""No silence is a stall before: five snapshots."""
LONG_S: Final = 0.75

_USUAL_SHARE: Final = 0.95
_STEP: Final = 0.05
_YOUNG_STEP: Final = 0.1
_MEAN_STEP: Final = 0.05
_INTERVALS: Final = 9.0
_YOUNG_INTERVALS: Final = 18.0  # real contracts come in bursts: what was heard for a minute may have been one
_YOUNG_S: Final = 10.0
_LONG_HEARD_S: Final = 300.0
_MANY: Final = 100  # intervals that tell how few are long
_HALVED_AT: Final = 20_000
_FEW: Final = 0.0085  # none of a hundred
_SOME: Final = 0.1
_CHANCE: Final = 23.0  # minus the logarithm of 1e-10


class Pace:
    """Intervals are in seconds in which the instrument trades."""

    __slots__ = ("_counted", "_first", "_heard_s", "_limit_s", "_long", "count", "is_known", "mean_s", "usual_s")

    def __init__(self) -> None:
        self.count = 0
        self.is_known = False
        self.usual_s = 0.0
        self.mean_s = 0.0
        self._first: list[float] | None = []
        self._heard_s = 0.0
        self._counted = 0.0
        self._long = 0.0
        self._limit_s: float | None = None  # unknown since the latest interval: it is asked for more often than learned

    def learn(self, interval_s: float) -> None:
        """Take one more interval into account."""
        self.count += 1
        self.is_known = self.count >= ENOUGH
        self._limit_s = None
        self._heard_s += interval_s
        if self._first is not None:
            self._begin(interval_s, self._first)
            return
        self._counted += 1
        if interval_s > LONG_S:
            self._long += 1
        if self._counted >= _HALVED_AT:
            self._counted, self._long = self._counted / 2, self._long / 2
        self.mean_s += _MEAN_STEP * (interval_s - self.mean_s)
        share = _USUAL_SHARE if interval_s > self.usual_s else _USUAL_SHARE - 1
        self.usual_s *= 1 + (_STEP if self.count > _MANY else _YOUNG_STEP) * share

    def _begin(self, interval_s: float, first: list[float]) -> None:
        """The second longest of the first ones; the longest may be a pause, of which nothing is known yet."""
        first.append(interval_s)
        if len(first) == ENOUGH:
            self.usual_s = max(sorted(first)[-2], 0.001)
            self.mean_s = sum(first) / ENOUGH
            self._first = None

    @property
    def limit_s(self) -> float:
        """The longest silence that may be chance, never below `LEAST_S`. To be asked once `is_known`."""
        if self._limit_s is None:
            self._limit_s = self._limit()
        return self._limit_s

    def _limit(self) -> float:
        slow_s = max(_INTERVALS * self.usual_s, LEAST_S)
        if self._counted < _MANY:
            return slow_s if self._heard_s > _LONG_HEARD_S else max(_YOUNG_INTERVALS * self.usual_s, _YOUNG_S)
        share = (self._long + 1) / (self._counted + 20)
        if share < _FEW:
            return LEAST_S
        if share > _SOME:
            return slow_s
        return min(slow_s, max(LEAST_S, LONG_S * _CHANCE / log(1 / share)))
