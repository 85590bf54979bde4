"""Records of one session as quotes: in the service, or without a gate in the session's process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from aegis.contracts.market import Instrument, Quote
from aegis.exchanges.products import product_of
from aegis.marketdata.adapters.ctp_fields import DepthConverter, Facts, RecordError

__all__ = ["Quoting"]


class Quoting:
    """Knows `instruments` by symbol, as the counter tells them. `rejected` is called with a reason and a detail."""

    def __init__(self, instruments: Mapping[str, Instrument], rejected: Callable[[str, str], None]) -> None:
        self._instruments = instruments
        self._rejected = rejected
        self._converter = DepthConverter(self._facts_of)
        self._owed: Counter[str] = Counter()  # left out before records that became no quotes

    def quote(self, received_ns: int, skipped: int, record: Sequence[Any]) -> Quote | None:
        """Nothing that one record holds may stop those behind it. `skipped` were left out right before it."""
        try:
            quote = self._converter.quote(record, received_ns)
        except RecordError as error:
            self._rejected(error.reason, str(error))
        except Exception as error:
            self._rejected("unforeseen", f"{type(error).__name__}: {error}")
        else:
            if self._owed:
                skipped += self._owed.pop(quote.symbol, 0)
            return replace(quote, skipped=skipped) if skipped else quote
        if skipped:
            self._owed[record[1]] += skipped
        return None

    def forget(self, symbols: Iterable[str]) -> None:
        """They are about to be subscribed: what comes next of each is its state."""
        for symbol in symbols:
            if symbol in self._instruments:
                self._converter.forget(self._instruments[symbol].exchange, symbol)

    def _facts_of(self, exchange: str, symbol: str) -> Facts | None:
        """From what the counter says of the instrument; its hours from the table of products."""
        instrument = self._instruments.get(symbol)
        if instrument is None or exchange not in ("", instrument.exchange):
            return None
        product = product_of(instrument.exchange, symbol)
        return Facts(instrument.exchange, instrument.multiplier, product.hours if product else None)
