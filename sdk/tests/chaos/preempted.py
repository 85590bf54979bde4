"""For how long the machine kept this process from running: by the kernel's own count, for its main thread."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any, Final

from aegis_sdk import clock
from aegis_sdk.gate import Gate
from aegis_sdk.single_active.holding import Holding

from .history import Fault, Recorder

SCHEDSTAT: Final = Path("/proc/self/schedstat")
"""Nanoseconds on a processor, nanoseconds ready for one and without; a kernel may not count them."""


def waited_s() -> float:
    """Seconds since its start in which it could have run and did not; 0 where nobody counts."""
    try:
        return int(os.pread(_opened(), 100, 0).split()[1]) / 1e9
    except OSError:
        return 0.0


@cache
def _opened() -> int:
    return os.open(SCHEDSTAT, os.O_RDONLY)


class Waits:
    """What this process waited for a processor since it last looked whether it is proved, and since it passed its gate.

    Made once, before anything begins. Each look begins with one at the clock, and what is waited behind that counts:
    so the kernel's count is taken right before it. A wait for longer than the gate allows is written down as a fault of
    the machine.
    """

    def __init__(self, instance: str, recorder: Recorder) -> None:
        self._instance = instance
        self._recorder = recorder
        self._before_now = self._checked = self._passed = waited_s()
        read, is_proved, enter = clock.now, Holding.is_proved, Gate.enter
        kinds: tuple[Any, Any] = (Holding, Gate)

        def now() -> float:
            self._before_now = waited_s()
            return read()

        def checked(holding: Holding, now: float) -> bool:
            self._checked = self._before_now
            return is_proved(holding, now)

        def entered(gate: Gate, now: float) -> bool:
            broke, before, self._passed = enter(gate, now), self._passed, self._before_now
            if broke and self._passed - before > gate._limit_s:
                self._recorder.write(Fault("preempted", self._instance, now - gate.gap_s, now, os.getpid()))
            return broke

        clock.now = now
        kinds[0].is_proved, kinds[1].enter = checked, entered

    def since_checked_s(self) -> float:
        return waited_s() - self._checked
