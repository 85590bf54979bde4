"""When to try again after a session has failed, and when not to. Pure: chance is an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aegis.ctp.failures import Failure, Kind

__all__ = ["Attempts", "Patience"]

_FINAL: Final = frozenset({Kind.CREDENTIALS, Kind.SETUP})
_MOST_DOUBLINGS: Final = 30


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Pauses in seconds: doubled from one attempt to the next, each shortened by chance to between half and all."""

    first_pause_s: float = 0.5
    longest_pause_s: float = 15.0
    attempts: int = 5  # that may fail for a reason that is neither the counter's not being there nor final
    steady_s: float = 30.0  # a session that was ready for so long begins the count anew


class Attempts:
    """Of one feed. `chance` gives numbers from 0 up to 1."""

    def __init__(self, patience: Patience, chance: Callable[[], float]) -> None:
        self._patience = patience
        self._chance = chance
        self._failed = 0
        self._counted = 0

    def pause_after(self, failure: Failure, ready_s: float) -> float | None:
        """Seconds until the next attempt, None: no more. `ready_s`: for how long the session had been ready."""
        if ready_s >= self._patience.steady_s:
            self._failed = self._counted = 0
        if failure.kind in _FINAL:
            return None
        if failure.kind is Kind.OVERLOAD and not self._failed:
            self._failed = 1
            return 0.0
        if failure.kind is Kind.OTHER:
            self._counted += 1
            if self._counted >= self._patience.attempts:
                return None
        doubled = self._patience.first_pause_s * 2 ** min(self._failed, _MOST_DOUBLINGS)
        self._failed += 1
        return min(doubled, self._patience.longest_pause_s) * (1 + self._chance()) / 2
