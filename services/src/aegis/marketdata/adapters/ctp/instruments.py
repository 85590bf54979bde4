"""CTP's record of an instrument, and what it is to us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aegis.contracts.market import Exchange, Instrument

__all__ = ["NotAnInstrument", "instrument_of"]

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
