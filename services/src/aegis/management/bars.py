"""Ticks as bars, the candles of a chart. Pure.

What was traded between two ticks is the difference of the day's cumulative volume, whatever was conflated between them,
and their bar reaches as far as the day's high and low moved meanwhile. A day begins with nothing traded; what an
instrument's very first tick brings is not known. Where nothing was traded there is no bar.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict

from aegis.contracts.market import Tick

__all__ = ["PERIODS", "Bar", "Period", "Print", "bars", "print_of"]

Period = Literal["1m", "5m", "15m", "30m", "1h", "1d"]
PERIODS: Final[dict[Period, int]] = {"1m": 60, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "1d": 86_400}
"""In seconds. A bar of `1d` is a trading day, which begins in the evening before; all others begin by the clock."""
_NS: Final = 1_000_000_000


class Print(msgspec.Struct, frozen=True, gc=False):
    """What bars need of a tick. `volume` and `turnover` are those of the day so far, the deltas the tick's own.

    A hundred thousand of them are nothing that the collector, which stops everybody, has to look at.
    """

    trading_day: str
    action_day: str
    ts_exchange_ns: int
    last_price: float | None
    high_price: float | None
    low_price: float | None
    volume: int
    turnover: float
    volume_delta: int
    turnover_delta: float
    open_interest: float
    stale: bool


class Bar(BaseModel):
    """`begin` is of the exchange's clock, in UTC; days are YYYYMMDD. Volume is in lots, turnover in yuan."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "begin": "2026-11-27T01:00:00Z",
                    "trading_day": "20261127",
                    "action_day": "20261127",
                    "open": 3310.0,
                    "high": 3312.0,
                    "low": 3309.0,
                    "close": 3311.0,
                    "volume": 1204,
                    "turnover": 39860000.0,
                    "open_interest": 1810230.0,
                    "ticks": 118,
                }
            ]
        }
    )

    begin: datetime
    trading_day: str
    action_day: str
    open: float
    high: float
    low: float
    close: float
    volume: int
    turnover: float
    open_interest: float  # at its end
    ticks: int


def print_of(tick: Tick) -> Print:
    return Print(
        sys.intern(tick.trading_day),  # of a hundred thousand, one text
        sys.intern(tick.action_day),
        tick.ts_exchange_ns,
        tick.last_price,
        tick.high_price,
        tick.low_price,
        tick.volume,
        tick.turnover,
        tick.volume_delta,
        tick.turnover_delta,
        tick.open_interest,
        "stale" in tick.flags,
    )


def bars(prints: Iterable[Print], period: Period) -> list[Bar]:
    """The bars of ticks of one instrument, in their order."""
    seconds = PERIODS[period]
    found: list[Bar] = []
    before: Print | None = None
    for one in prints:
        if one.stale or one.last_price is None:
            continue
        volume, turnover = _traded(before, one)
        if volume > 0:
            begin = datetime.fromtimestamp(one.ts_exchange_ns // _NS // seconds * seconds, UTC)
            last = found[-1] if found else None
            if last is None or (last.trading_day != one.trading_day if period == "1d" else last.begin < begin):
                if period == "1d":
                    begin = datetime.fromtimestamp(one.ts_exchange_ns // _NS, UTC)
                last = _new(begin, one, one.last_price)
                found.append(last)
            _add(last, one, before, volume, turnover)
        before = one
    return found


def _traded(before: Print | None, one: Print) -> tuple[int, float]:
    if before is None:
        return one.volume_delta, one.turnover_delta
    if one.trading_day != before.trading_day:
        return one.volume, one.turnover
    return one.volume - before.volume, one.turnover - before.turnover


def _new(begin: datetime, one: Print, price: float) -> Bar:
    return Bar(
        begin=begin,
        trading_day=one.trading_day,
        action_day=one.action_day,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=0,
        turnover=0.0,
        open_interest=0.0,
        ticks=0,
    )


def _add(bar: Bar, one: Print, before: Print | None, volume: int, turnover: float) -> None:
    assert one.last_price is not None
    prices = [one.last_price]
    if before is not None and before.trading_day == one.trading_day:
        prices += [new for new, old in _extremes(before, one) if new is not None and old is not None and new != old]
    bar.high, bar.low, bar.close = max(bar.high, *prices), min(bar.low, *prices), one.last_price
    bar.volume += volume
    bar.turnover += turnover
    bar.open_interest = one.open_interest
    bar.ticks += 1


def _extremes(before: Print, one: Print) -> tuple[tuple[float | None, float | None], ...]:
    """The day's high and low, as they are and as they were."""
    return (one.high_price, before.high_price), (one.low_price, before.low_price)
