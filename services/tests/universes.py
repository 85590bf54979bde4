"""Small universes for tests."""

from __future__ import annotations

from aegis.contracts.market import Instrument
from aegis.marketdata.domain.universe import Universe


def instrument(name: str, expiry: str | None = "20250515", product: str = "") -> Instrument:
    exchange, _, symbol = name.partition(".")
    return Instrument(
        exchange=exchange,
        symbol=symbol,
        product=product,
        name=symbol,
        multiplier=10,
        price_tick=1.0,
        expiry_day=expiry,
    )


def universe(*names: str, expiry: str = "20250515") -> Universe:
    return Universe(instrument(name, expiry) for name in names)


NAMES = ("SHFE.rb2505", "SHFE.rb2505C3000", "SHFE.ag2506", "DCE.m2505", "DCE.m2505-P-2800", "DCE.SP m2505&m2509")
MARKET = universe(*NAMES)
