"""A tick as one line of text, aligned with those before it. Made by hand, not by rich: thousands a second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from aegis.contracts.market import Level, Price, Tick

__all__ = ["HEADER", "TickLines"]

_SHANGHAI: Final = timedelta(hours=8)  # it has no summer time
_DIM, _UP, _DOWN, _PLAIN = "\033[2m", "\033[31m", "\033[32m", "\033[0m"  # red rises: the custom of these markets
_NONE: Final = "-"
HEADER: Final = (
    f"{'TIME':<12} {'INSTRUMENT':<14} {'LAST':>9} {'CHANGE':>9} {'%':>7}  "
    f"{'BID':>9} x {'SIZE':<5} | {'ASK':>9} x {'SIZE':<5} {'VOLUME':>9} {'OPEN INT':>9}  FLAGS"
)


class TickLines:
    """Writes lines, with colours if wanted. The column of instruments grows with the longest name seen."""

    def __init__(self, coloured: bool) -> None:
        self._coloured = coloured
        self._width = 14
        self._second = -1
        self._second_text = ""

    def line(self, tick: Tick) -> str:
        name = f"{tick.exchange}.{tick.symbol}"
        self._width = max(self._width, len(name))
        change, percent, colour = self._change(tick.last_price, tick.pre_settlement_price)
        return (
            f"{self._time(tick.ts_exchange_ns)} {name:<{self._width}} {_price(tick.last_price):>9} "
            f"{colour}{change:>9} {percent:>7}{_PLAIN if colour else ''}  "
            f"{_level(tick.bids)} | {_level(tick.asks)} {tick.volume:>9} {tick.open_interest:>9.0f}"
            f"{self._flags(tick)}"
        )

    def _time(self, ns: int) -> str:
        second, rest = divmod(ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._second_text = (datetime.fromtimestamp(second, UTC) + _SHANGHAI).strftime("%H:%M:%S")
        return f"{self._second_text}.{rest // 1_000_000:03}"

    def _change(self, last: Price, reference: Price) -> tuple[str, str, str]:
        if last is None or reference is None:
            return _NONE, _NONE, ""
        change = last - reference
        colour = "" if not self._coloured or not change else _UP if change > 0 else _DOWN
        percent = f"{100 * change / reference:+.2f}" if reference else _NONE
        return ("0" if not change else f"{'+' if change > 0 else '-'}{_price(abs(change))}"), percent, colour

    def _flags(self, tick: Tick) -> str:
        if not tick.flags:
            return ""
        text = " ".join(tick.flags)
        return f"  {_DIM}{text}{_PLAIN}" if self._coloured else f"  {text}"


def _price(price: Price) -> str:
    return _NONE if price is None else f"{price:.4f}".rstrip("0").rstrip(".")


def _level(side: tuple[Level, ...]) -> str:
    return f"{_price(side[0].price):>9} x {side[0].size:<5}" if side else f"{_NONE:>9} x {_NONE:<5}"
