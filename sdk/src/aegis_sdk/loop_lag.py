"""How late the event loop is: what is due waits for whatever runs before it."""

from __future__ import annotations

import asyncio
from typing import Final

from aegis_sdk.histogram import Histogram

__all__ = ["LoopLag"]

_INTERVAL_S: Final = 0.1
_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class LoopLag:
    """Looks ten times a second, in the running event loop, until it is closed."""

    def __init__(self) -> None:
        self.histogram = Histogram(_BOUNDS_S)
        self._loop = asyncio.get_running_loop()
        self._look_at(self._loop.time() + _INTERVAL_S)

    def _look_at(self, due: float) -> None:
        self._timer = self._loop.call_at(due, self._look, due)

    def _look(self, due: float) -> None:
        now = self._loop.time()
        self.histogram.observe(max(0.0, now - due))
        self._look_at(now + _INTERVAL_S)

    def close(self) -> None:
        self._timer.cancel()
