"""How old ticks are when they are known to be stored: sampled, since a look at each would cost as much as its codec."""

from __future__ import annotations

from collections import deque
from typing import Final

from aegis_sdk.histogram import Histogram

__all__ = ["StoreAges"]

_KEPT: Final = 4_096
_APART_NS: Final = 1_000_000
_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class StoreAges:
    """The age of the first tick of hand-overs, which is the one that waited longest; of a thousand a second at most.

    A tick is known by its position among all that were accepted. Of a long outage the newest samples are kept. One that
    was lost in it counts as if it had been stored at its end.
    """

    def __init__(self) -> None:
        self.histogram = Histogram(_BOUNDS_S)
        self._open: deque[tuple[int, int]] = deque(maxlen=_KEPT)
        self._latest_ns = 0

    def accepted(self, position: int, received_ns: int) -> None:
        if not 0 <= received_ns - self._latest_ns < _APART_NS:
            self._latest_ns = received_ns
            self._open.append((position, received_ns))

    def forget(self) -> None:
        """None of them will be stored by us."""
        self._open.clear()

    def settled(self, position: int, now_ns: int) -> None:
        """All up to this position are known to be stored."""
        while self._open and self._open[0][0] <= position:
            self.histogram.observe(max(0, now_ns - self._open.popleft()[1]) / 1e9)
