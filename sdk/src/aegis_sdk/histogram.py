"""Durations counted by their size: cheap enough for every request, read when somebody scrapes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

__all__ = ["Histogram", "quantile"]


class Histogram:
    """How many observations were at most each of `bounds`, ascending, and how many were above. Pure."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0  # the sum of all that was observed

    @property
    def count(self) -> int:
        return sum(self._counts)

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def counts(self) -> list[int]:
        """How many were in each interval between bounds; the last is above all of them."""
        return self._counts.copy()

    def buckets(self) -> list[tuple[str, int]]:
        """Each bound as Prometheus writes it, up to +Inf, and how many were at most that."""
        bounds = [*map(repr, map(float, self.bounds)), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True))


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Below which value a share of observations lies, as far as `counts` of a histogram tell; None of none.

    Within an interval they are taken to lie evenly; what is above all bounds counts as the last bound.
    """
    wanted = share * sum(counts)
    if not wanted:
        return None
    below, low = 0, 0.0
    for high, count in zip(bounds, counts, strict=False):
        if below + count >= wanted:
            return min(high, low + (high - low) * (wanted - below) / count)
        below, low = below + count, high
    return low
