"""Ticks as they should not be, for clients that must live with them. It remembers each contract's last ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from aegis.contracts.market import Quote
from aegis.exchanges.sessions import previous_trading_day, to_utc_ns
from ctpsim.front.faults import OF_TICKS, Faults

__all__ = ["Spoiling", "odd_ticks"]

_EARLY_S: Final = (8 * 3600 + 1800, 8 * 3600 + 59 * 60)  # before the opening, and the match of the auction
_LATE_S: Final = 15 * 3600 + 1200
_RESET_EVERY: Final = 10


class Spoiling:
    """Applies the faults of ticks that are on."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._times: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._bases: dict[str, tuple[int, float]] = {}

    def spoiled(self, quotes: Sequence[Quote]) -> Sequence[Quote]:
        if not any(self._faults.get("M", name) for name in OF_TICKS):
            self._times.clear()
            return quotes
        return [spoiled for quote in quotes for spoiled in self._spoil(quote)]

    def _spoil(self, quote: Quote) -> Iterator[Quote]:
        if self._faults.get("M", "missing_prices"):
            quote = without_prices(quote)
        if self._faults.get("M", "volume_reset"):
            quote = self._reset(quote)
        if self._faults.get("M", "repeated_time"):
            ts_ns = self._times.setdefault(quote.symbol, quote.ts_exchange_ns)
            quote = replace(quote, ts_exchange_ns=ts_ns)
        yield quote
        if self._faults.get("M", "repeated_ticks"):
            yield quote

    def _reset(self, quote: Quote) -> Quote:
        count = self._counts[quote.symbol] = self._counts.get(quote.symbol, 0) + 1
        if count % _RESET_EVERY == 0:
            self._bases[quote.symbol] = (quote.volume, quote.turnover)
        volume, turnover = self._bases.get(quote.symbol, (0, 0.0))
        return replace(quote, volume=max(quote.volume - volume, 0), turnover=max(quote.turnover - turnover, 0.0))


def without_prices(quote: Quote) -> Quote:
    """All that can be missing is, but the last price and the limits."""
    return replace(
        quote,
        open_price=None,
        high_price=None,
        low_price=None,
        pre_close_price=None,
        pre_settlement_price=None,
        settlement_price=None,
        bids=(),
        asks=(),
    )


def odd_ticks(quote: Quote, faults: Faults) -> Iterator[Quote]:
    """What follows a subscription: its snapshot, and what faults make of it or add to it."""
    if faults.get("M", "missing_prices"):
        quote = without_prices(quote)
    if faults.get("M", "stale_snapshot"):
        day = previous_trading_day(quote.trading_day)
        yield _stamped(replace(quote, trading_day=day), day, 15 * 3600)
    else:
        yield quote
    day = quote.trading_day
    if faults.get("M", "early_ticks"):
        yield from (_stamped(quote, day, second) for second in _EARLY_S)
    if faults.get("M", "late_ticks"):
        yield _stamped(quote, day, _LATE_S)


def _stamped(quote: Quote, day: str, second: int) -> Quote:
    return replace(quote, action_day=day, ts_exchange_ns=to_utc_ns(day, second))
