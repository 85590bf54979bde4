"""Contracts as records of an instrument query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ctpsim.front.faults import Faults
from ctpsim.market.universe import Listing

__all__ = ["instrument_values", "matching"]

_BROKEN: bytes = b"\xff\xfe\x81\x20\xd6"
_MOST_LOTS = 500
_FUTURE, _OPTION = "1", "2"
_CALL, _PUT = "1", "2"


def matching(listings: Mapping[str, Listing], asked: Mapping[str, str]) -> list[Listing]:
    """Those that a query asks for: a blank field asks for all."""
    if symbol := asked["InstrumentID"]:
        found = listings.get(symbol)
        return [found] if found else []
    exchange, product = asked["ExchangeID"], asked["ProductID"]
    return [
        each
        for each in listings.values()
        if (not exchange or each.exchange == exchange) and (not product or each.product_id == product)
    ]


def instrument_values(listings: list[Listing], day: str, faults: Faults) -> Iterator[dict[str, Any]]:
    """The values of each record, and what faults do to them."""
    if faults.get("T", "no_contracts"):
        return
    broken = bool(faults.get("T", "broken_text"))
    for listing in listings:
        values = _values(listing, day)
        yield {**values, "InstrumentName": _BROKEN} if broken else values
    if faults.get("T", "unknown_exchange") and listings:
        yield {**_values(listings[0], day), "InstrumentID": "zz2612", "ExchangeID": "XXEX", "ProductID": "zz"}


def _values(listing: Listing, day: str) -> dict[str, Any]:
    instrument, option = listing.instrument, listing.option
    expiry = instrument.expiry_day or ""
    return {
        "InstrumentID": listing.symbol,
        "ExchangeID": listing.exchange,
        "InstrumentName": instrument.name,
        "ExchangeInstID": listing.symbol,
        "ProductID": listing.product_id or listing.symbol,
        "ProductClass": _OPTION if option else _FUTURE,
        "DeliveryYear": int(listing.month[:4]),
        "DeliveryMonth": int(listing.month[4:]),
        "MaxMarketOrderVolume": _MOST_LOTS,
        "MinMarketOrderVolume": 1,
        "MaxLimitOrderVolume": _MOST_LOTS,
        "MinLimitOrderVolume": 1,
        "VolumeMultiple": listing.multiplier,
        "PriceTick": listing.price_tick,
        "CreateDate": listing.open_day,
        "OpenDate": listing.open_day,
        "ExpireDate": expiry,
        "StartDelivDate": expiry,
        "EndDelivDate": expiry,
        "InstLifePhase": "1",
        "IsTrading": int(not expiry or day <= expiry),
        "PositionType": "2",
        "PositionDateType": "1" if listing.exchange in ("SHFE", "INE") else "2",
        "LongMarginRatio": listing.margin_ratio,
        "ShortMarginRatio": listing.margin_ratio,
        "StrikePrice": option.strike if option else 0.0,
        "OptionsType": (_CALL if option.call else _PUT) if option else "",
        "UnderlyingInstrID": option.underlying if option else listing.instrument.product,
        "UnderlyingMultiple": 1.0 if option else 0.0,
        "CombinationType": "0",
    }
