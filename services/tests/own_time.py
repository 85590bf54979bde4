"""A loop whose time is its own, for tests in which nothing but this process takes part.

Time goes on a little with each turn of the loop, and where nothing is left to do, to the next timer at once. So nobody
waits, and what a test says does not depend on how fast it runs, nor on whether the machine stands still meanwhile. It
is for tests that are marked `own_time`, and goes with no socket: whoever is asked there has no time to answer.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from aegis_sdk import clock

__all__ = ["OwnTime", "stand_still"]

_TURN_S: Final = 1e-5


class _Selector(selectors.DefaultSelector):
    """Passes the time that it would wait for, but while a thread works for the loop."""

    def __init__(self, pass_time: Callable[[float], None], is_working: Callable[[], bool]) -> None:
        super().__init__()
        self._pass_time = pass_time
        self._is_working = is_working

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or self._is_working():
            waits = None if timeout is None or timeout > 0 else 0
            ready, timeout = super().select(waits), 0
        else:
            ready = super().select(0)
        self._pass_time(_TURN_S if ready else max(_TURN_S, timeout))
        return ready


class OwnTime(asyncio.SelectorEventLoop):
    """The clocks of the process are its own until it is closed: `time.monotonic`, `time.time_ns`, `clock.now`."""

    def __init__(self) -> None:
        super().__init__(_Selector(self.pass_time, lambda: self._working > 0))
        self._now = 1_000_000.0
        self._working = 0
        self._began_ns = time.time_ns() - int(self._now * 1e9)
        self._clocks = pytest.MonkeyPatch()
        self._clocks.setattr(time, "monotonic", self.time)
        self._clocks.setattr(time, "monotonic_ns", lambda: int(self._now * 1e9))
        self._clocks.setattr(time, "time_ns", lambda: self._began_ns + int(self._now * 1e9))
        self._clocks.setattr(clock, "now", self.time)

    def time(self) -> float:
        return self._now

    def run_in_executor(self, *args: Any) -> Any:
        done = super().run_in_executor(*args)
        self._working += 1
        done.add_done_callback(self._worked)
        return done

    def close(self) -> None:
        self._clocks.undo()
        super().close()

    def _worked(self, _: object) -> None:
        self._working -= 1

    def pass_time(self, seconds: float) -> None:
        self._now += seconds


def stand_still(seconds: float) -> None:
    """As when the machine sleeps: nothing runs meanwhile."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, OwnTime)
    loop.pass_time(seconds)
