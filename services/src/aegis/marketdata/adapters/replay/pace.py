"""When a recorded quote is due."""

from __future__ import annotations

from typing import Final

__all__ = ["Pace"]

_SECOND_NS: Final = 1_000_000_000
_LONGEST_PAUSE_NS: Final = 5 * _SECOND_NS
_DAY_NS: Final = 86_400 * _SECOND_NS


class Pace:
    """Turns recorded times into delays.

    A pause of more than 5 s of the recording counts as 5 s. A row stamped earlier than one before it is due at once,
    with all after it up to the time that was reached; only a step back of more than a day begins another stretch.
    """

    def __init__(self, speed: float) -> None:
        """`speed` is that of the recording, times as fast; 0: without delays."""
        self._speed = speed
        self._reached_ns: int | None = None
        self._due_ns = 0

    def delay_s(self, recorded_ns: int, now_ns: int) -> float:
        """Seconds from `now_ns`, of any steady clock, until the quote is due; 0 or less: now."""
        if not self._speed:
            return 0.0
        if self._reached_ns is None:
            self._reached_ns, self._due_ns = recorded_ns, now_ns
        step = recorded_ns - self._reached_ns
        if step > 0:
            self._due_ns += round(min(step, _LONGEST_PAUSE_NS) / self._speed)
        if step > 0 or step < -_DAY_NS:
            self._reached_ns = recorded_ns
        return (self._due_ns - now_ns) / _SECOND_NS
