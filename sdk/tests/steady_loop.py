"""An event loop for tests: its clock does not count what a busy machine takes away.

By itself the clock goes on as a real one does, but a turn of the loop counts `MOST_S` at most, and so does the time
that the loop is woken too late: a test that did not get the processor has not stood still. Where nothing outside of
the process takes part, neither a server nor a thread, the test may let the clock `leap`: nobody waits any more, it is
at once as late as what is due next, and only that.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import Final

MOST_S: Final = 0.05
TURN_S: Final = 20e-6
"""A turn of the loop takes so long where the clock leaps: who asks again and again comes to an end."""


class SteadyLoop(asyncio.SelectorEventLoop):
    """What is timed by the loop, and by `aegis_sdk.clock` where the fixture `steady_clock` is used, is timed so."""

    def __init__(self) -> None:
        self._clock = _Clock()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now()

    def leap(self) -> None:
        self._clock.leap()


class _Clock(selectors.DefaultSelector):
    """The loop waits here, so that it is known what each turn and each wait took."""

    def __init__(self) -> None:
        super().__init__()
        self._leaps = False
        self._turned_at = time.monotonic()
        self._told = self._turned_at  # when this turn began

    def now(self) -> float:
        return self._told if self._leaps else self._told + min(time.monotonic() - self._turned_at, MOST_S)

    def leap(self) -> None:
        self._told, self._leaps = self.now(), True

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._leaps and timeout is not None:
            ready = super().select(0)
            self._told += TURN_S if ready else max(timeout, TURN_S)
            return ready
        told, began = self.now(), time.monotonic()
        ready = super().select(timeout)
        self._turned_at = time.monotonic()
        waited_s = self._turned_at - began
        self._told = told + (waited_s if timeout is None else min(waited_s, timeout + MOST_S))
        return ready
