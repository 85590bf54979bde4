"""Turns quotes back into CTP's depth records, with the habits of each exchange.

At night DCE gives the trading day as ActionDay, and CZCE the natural day as TradingDay. CZCE has no milliseconds,
leaves the multiplier out of its turnover, and writes 0 where the others write DBL_MAX. The exchange is left blank, as
fronts leave it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from aegis.contracts.market import Exchange, Level, Price, Quote
from aegis.exchanges.sessions import to_shanghai
from ctpsim.frames import HEAD, Kind
from ctpsim.headers import Layout
from ctpsim.records import MISSING, Records

__all__ = ["DEPTH_BYTES", "Depth", "clock_text", "number_of"]

_LEVELS: Final = 5
_ORDER: Final = (
    *("TradingDay", "reserve1", "ExchangeID", "reserve2"),
    *("LastPrice", "PreSettlementPrice", "PreClosePrice", "PreOpenInterest"),
    *("OpenPrice", "HighestPrice", "LowestPrice", "Volume", "Turnover", "OpenInterest", "ClosePrice"),
    *("SettlementPrice", "UpperLimitPrice", "LowerLimitPrice", "PreDelta", "CurrDelta", "UpdateTime", "UpdateMillisec"),
    *(f"{side}{what}{level}" for level in range(1, 6) for side in ("Bid", "Ask") for what in ("Price", "Volume")),
    *("AveragePrice", "ActionDay", "InstrumentID", "ExchangeInstID", "BandingUpperPrice", "BandingLowerPrice"),
)
DEPTH_BYTES: Final = 584


class _Habit(NamedTuple):
    symbol: bytes
    exchange: str
    missing: float
    turnover_divisor: float
    average_divisor: float


class Depth:
    """Packs the frames of OnRtnDepthMarketData. `multiplier_of` gives the lots' size by exchange and symbol."""

    def __init__(self, layout: Layout, multiplier_of: Callable[[str, str], float]) -> None:
        records = Records(layout)
        self._struct = records.struct_of("DepthMarketData")
        assert records.names("DepthMarketData") == _ORDER, "CTP's depth record has other fields than it had"
        what = number_of(layout, "M", "OnRtnDepthMarketData")
        self._head = HEAD.pack(self._struct.size, what, Kind.CALL, 1, 0, self._struct.size)
        self._multiplier_of = multiplier_of
        self._habits: dict[str, _Habit] = {}

    def frame(self, quote: Quote) -> bytes:
        """A whole frame; its exchange's habits in it."""
        return self._head + self.record(quote)

    def record(self, quote: Quote) -> bytes:
        habit = self._habits.get(quote.symbol) or self._habit_of(quote)
        exchange, missing = habit.exchange, habit.missing
        trading_day, action_day = quote.trading_day, quote.action_day
        _, second, millisecond = to_shanghai(quote.ts_exchange_ns)
        if exchange == "CZCE":
            trading_day, millisecond = action_day, 0
        elif exchange == "DCE":
            action_day = trading_day
        if 6 * 3600 <= second < 18 * 3600:
            trading_day, action_day = quote.trading_day, quote.action_day
        turnover = quote.turnover / habit.turnover_divisor
        volume = quote.volume
        return self._struct.pack(
            *(trading_day.encode(), b"", b"", b""),
            *(_or(quote.last_price, missing), _or(quote.pre_settlement_price, missing)),
            *(_or(quote.pre_close_price, missing), _or(quote.pre_open_interest, 0.0)),
            *(_or(quote.open_price, missing), _or(quote.high_price, missing), _or(quote.low_price, missing)),
            *(volume, turnover, quote.open_interest, missing),
            *(_or(quote.settlement_price, missing), _or(quote.upper_limit_price, missing)),
            *(_or(quote.lower_limit_price, missing), missing, missing, clock_text(second), millisecond),
            *_book(quote.bids, quote.asks, missing),
            *(quote.turnover / volume / habit.average_divisor if volume else 0.0, action_day.encode(), habit.symbol),
            *(b"", 0.0, 0.0),
        )

    def _habit_of(self, quote: Quote) -> _Habit:
        czce = quote.exchange == Exchange.CZCE
        multiplier = self._multiplier_of(quote.exchange, quote.symbol)
        habit = _Habit(
            symbol=quote.symbol.encode("gb18030"),
            exchange=quote.exchange,
            missing=0.0 if czce else MISSING,
            turnover_divisor=multiplier if czce else 1.0,
            average_divisor=multiplier if czce else 1.0,
        )
        self._habits[quote.symbol] = habit
        return habit


def number_of(layout: Layout, side: str, callback: str) -> int:
    """A callback's number on the wire."""
    return next(number for number, call in enumerate(layout.callbacks[side]) if call.name == callback)


@lru_cache(maxsize=4096)
def clock_text(second: int) -> bytes:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}".encode()


def _or(price: Price, missing: float) -> float:
    return missing if price is None else price


def _book(bids: tuple[Level, ...], asks: tuple[Level, ...], missing: float) -> list[float]:
    values: list[float] = []
    for level in range(_LEVELS):
        for side in (bids, asks):
            if level < len(side):
                values += (side[level].price, side[level].size)
            else:
                values += (missing, 0)
    return values
