"""Records of one session as quotes: in the service, or without a gate in the session's process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from aegis.contracts.market import Instrument, InstrumentId, Quote
from aegis.exchanges.products import product_of
from aegis.marketdata.adapters.ctp_fields import DepthConverter, Facts, RecordError

__all__ = ["Quoting"]

Rejected = Callable[[str, str, int, InstrumentId | None], None]


class Quoting:
    """Knows `instruments` by symbol, as the counter tells them. `rejected` is that of a `FeedSink`."""

    def __init__(self, instruments: Mapping[str, Instrument], rejected: Rejected) -> None:
        self._instruments = instruments
        self._rejected = rejected
        self._converter = DepthConverter(self._facts_of)
        self._owed: Counter[str] = Counter()  # left out before records that became no quotes

    def quote(self, received_ns: int, skipped: int, record: Sequence[Any]) -> Quote | None:
        """Nothing that one record holds may stop those behind it. `skipped` were left out right before it."""
        try:
            quote = self._converter.quote(record, received_ns)
        except RecordError as error:
            self._reject(error.reason, str(error), skipped, record)
        except Exception as error:
            self._reject("unforeseen", f"{type(error).__name__}: {error}", skipped, record)
        else:
            if self._owed:
                skipped += self._owed.pop(quote.symbol, 0)
            return replace(quote, skipped=skipped) if skipped else quote
        return None

    def end(self) -> None:
        """No quote comes any more that could count what was left out before records that became none."""
        owed, self._owed = self._owed, Counter()
        for symbol, count in owed.items():
            self._rejected("left_out", f"{symbol}: before records that were no quotes", count, self._id_of(symbol))

    def _reject(self, reason: str, detail: str, skipped: int, record: Sequence[Any]) -> None:
        symbol = record[1] if len(record) > 1 else ""
        if skipped:
            self._owed[symbol] += skipped
        self._rejected(reason, detail, 1, self._id_of(symbol))

    def _id_of(self, symbol: str) -> InstrumentId | None:
        instrument = self._instruments.get(symbol)
        return None if instrument is None else instrument.id

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
