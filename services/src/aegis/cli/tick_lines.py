"""A tick as one line of text, aligned with those before it. Made by hand, not by rich: thousands a second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from aegis.contracts.market import Level, Price, Tick

__all__ = ["TickLines"]

_SHANGHAI: Final = timedelta(hours=8)  # it has no summer time
_UP, _DOWN, _PLAIN = "\033[31m", "\033[32m", "\033[0m"  # red rises: the custom of these markets
_NONE: Final = "-"
_ANY_WIDTH: Final = 10_000


class TickLines:
    """Writes lines that are at most `width` characters long, with colours if wanted.

    The column of instruments grows with the longest name seen. What does not fit is cut off at the right.
    """

    def __init__(self, coloured: bool) -> None:
        self._coloured = coloured
        self._name = 14
        self._second = -1
        self._second_text = ""

    def header(self, width: int = _ANY_WIDTH) -> str:
        text = (
            f"{'TIME':<12} {'INSTRUMENT':<{self._name}} {'LAST':>8} {'CHANGE':>8} {'%':>6}  "
            f"{'BID':>8}×{'SIZE':<4} {'ASK':>8}×{'SIZE':<4} {'VOLUME':>8} {'OPEN INT':>8}  FLAGS"
        )
        return text[:width]

    def line(self, tick: Tick, width: int = _ANY_WIDTH) -> str:
        name = f"{tick.exchange}.{tick.symbol}"
        self._name = max(self._name, len(name))
        head = f"{self._time(tick.ts_exchange_ns)} {name:<{self._name}} {_price(tick.last_price):>8} "
        change, colour = self._change(tick.last_price, tick.pre_settlement_price)
        rest = (
            f"  {_level(tick.bids)} {_level(tick.asks)} {tick.volume:>8} {tick.open_interest:>8.0f}"
            f"{'  ' if tick.flags else ''}{' '.join(tick.flags)}"
        )
        left = max(0, width - len(head) - len(change))
        return f"{head}{colour}{change}{_PLAIN if colour else ''}{rest[:left]}"

    def _time(self, ns: int) -> str:
        second, rest = divmod(ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._second_text = (datetime.fromtimestamp(second, UTC) + _SHANGHAI).strftime("%H:%M:%S")
        return f"{self._second_text}.{rest // 1_000_000:03}"

    def _change(self, last: Price, reference: Price) -> tuple[str, str]:
        """The change in yuan and in per cent, and its colour."""
        if last is None or reference is None:
            return f"{_NONE:>8} {_NONE:>6}", ""
        change = last - reference
        amount = f"{'+' if change > 0 else '-'}{_price(abs(change))}" if change else "0"
        percent = f"{100 * change / reference:+.2f}" if reference else _NONE
        colour = "" if not self._coloured or not change else _UP if change > 0 else _DOWN
        return f"{amount:>8} {percent:>6}", colour


def _price(price: Price) -> str:
    return _NONE if price is None else f"{price:.4f}".rstrip("0").rstrip(".")


def _level(side: tuple[Level, ...]) -> str:
    return f"{_price(side[0].price):>8}×{side[0].size:<4}" if side else f"{_NONE:>8}×{_NONE:<4}"
