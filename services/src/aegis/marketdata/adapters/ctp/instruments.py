"""CTP's record of an instrument, what it is to us, and how a session tells of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from aegis.contracts.market import Exchange, Instrument
from aegis.marketdata.adapters.ctp.frames import Universe

__all__ = ["Listing", "NotAnInstrument", "instrument_of"]

_CHUNK: Final = 1_000
_MOST_UNITS: Final = 10**9
_MISSING: Final = 1e300


class NotAnInstrument(ValueError):
    """`reason` is a word to count by."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


def instrument_of(data: Mapping[str, Any]) -> Instrument:
    """Raises NotAnInstrument: an exchange that we do not know, say, which is no reason to go without the others."""
    symbol, exchange = data["InstrumentID"], data["ExchangeID"]
    if not symbol:
        raise NotAnInstrument("nameless_instrument", f"an instrument of {exchange!r} has no InstrumentID")
    if exchange not in Exchange.__members__:
        raise NotAnInstrument("unknown_exchange", f"{symbol} is of {exchange!r:.40}")
    multiplier, price_tick = data["VolumeMultiple"], data["PriceTick"]
    return Instrument(
        exchange=exchange,
        symbol=symbol,
        product=data["ProductID"],
        name=data["InstrumentName"] or symbol,
        multiplier=multiplier if 0 < multiplier < _MOST_UNITS else None,
        price_tick=price_tick if 0 < price_tick < _MISSING else None,
        listed_day=data["OpenDate"] or None,
        expiry_day=data["ExpireDate"] or None,
    )


class Listing:
    """The answers to one query of all instruments, told some at a time; those to a query before it count for nothing.

    `known` has all of any listing, by symbol. For whoever has the session's lock.
    """

    def __init__(self, say: Callable[[Universe], None]) -> None:
        self.known: dict[str, Instrument] = {}
        self.number = self.wanted = 0  # of the query that was sent, and of the next one
        self._say = say
        self._untold: list[Instrument] = []
        self.count = 0  # of the query's answers that can be used

    def begin(self) -> int:
        """The number that the answers to a query bear, which is sent now."""
        self.number = self.wanted
        self._untold.clear()
        self.count = 0
        return self.number

    def add(self, number: int, instrument: Instrument) -> None:
        if number != self.number:
            return
        self.count += 1
        self.known[instrument.symbol] = instrument
        self._untold.append(instrument)
        if len(self._untold) >= _CHUNK:
            self.tell()

    def tell(self) -> None:
        untold, self._untold = self._untold, []
        if untold:
            self._say(Universe(untold, self.number))
