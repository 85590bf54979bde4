"""How many ticks vnpy may have before it.

The queue of vnpy's event engine has no bound, and no way to ask how long it is. So behind every few ticks a mark is put
into it, which comes back when the engine has got that far. As long as WINDOW ticks are before the engine, the next
ones wait here, of each contract the latest only: at most WINDOW ticks and one of each contract are on their way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from aegis.contracts.market import InstrumentId, Tick

__all__ = ["WINDOW", "Pacer"]

WINDOW: Final = 1_000
_MARK_EVERY: Final = 100


class Pacer:
    """Used in one thread. `hand_over` puts a tick into the engine, `mark` something that leads to `passed`."""

    def __init__(self, hand_over: Callable[[Tick], None], mark: Callable[[], None]) -> None:
        self._hand_over = hand_over
        self._mark = mark
        self._before_engine = 0  # handed over, and no mark behind them has come back
        self._since_mark = 0
        self._waiting: dict[InstrumentId, Tick] = {}
        self.conflated = 0  # ticks that gave way to a later one of their contract

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def offer(self, tick: Tick) -> None:
        if not self._waiting and self._before_engine < WINDOW:
            self._give(tick)
            return
        earlier = self._waiting.pop(tick.instrument_id, None)  # the later one goes to the end
        if earlier is not None:
            self.conflated += 1
            tick = replace(
                tick,
                volume_delta=tick.volume_delta + earlier.volume_delta,
                turnover_delta=tick.turnover_delta + earlier.turnover_delta,
            )
        self._waiting[tick.instrument_id] = tick

    def passed(self) -> None:
        """The engine has come to a mark."""
        self._before_engine -= _MARK_EVERY
        while self._waiting and self._before_engine < WINDOW:
            self._give(self._waiting.pop(next(iter(self._waiting))))

    def _give(self, tick: Tick) -> None:
        self._hand_over(tick)
        self._before_engine += 1
        self._since_mark += 1
        if self._since_mark == _MARK_EVERY:
            self._since_mark = 0
            self._mark()
