"""The simulated market's options: a grid of strikes for the months ahead of each product that has options.

What matters of them is how many they are, and how they are named; their prices are no more than plausible.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import floor, log10
from random import Random
from typing import Final

from aegis.contracts.market import Exchange, Instrument
from aegis.exchanges.products import Product, future_of
from aegis.exchanges.sessions import previous_trading_day
from aegis.marketdata.adapters.simulated.contract import Contract, Trend
from aegis.marketdata.adapters.simulated.prices import FIVE_LEVELS, base_price
from aegis.marketdata.domain.instruments import expiry_day, listed_months, symbol_of

__all__ = ["options_of"]

_NONE: Final = frozenset(
    {"IF", "IH", "IC", "IM", "TS", "TF", "T", "TL", "WH", "PM", "RI", "LR", "JR", "RS", "CY", "ZC"}
    | {"bb", "fb", "rr", "wr", "ss", "hc", "bc", "ec", "lu", "fu", "j", "jm", "bz"}
)
_MONTHS: Final = 6
_STRIKES: Final = 20  # on each side of the one at the money
_LIMIT: Final = 0.5
_ACTIVITY: Final = 0.002
_EXPIRES: Final = 5  # trading days before the month of delivery
_DASHED: Final = frozenset({Exchange.DCE, Exchange.GFEX, Exchange.CFFEX})


def options_of(product: Product, day: str, random: Random) -> Iterator[Contract]:
    """The options of a product that can be traded on a day; none where it has none."""
    if product.code in _NONE:
        return
    future = future_of(product)
    trend = Trend(_LIMIT, random)
    price = base_price(future)
    strikes = _strikes(price)
    for month in listed_months(future, day)[:_MONTHS]:
        expiry = _expiry(month) if future is product else expiry_day(product, month)
        if expiry < day:
            continue
        for strike in strikes:
            for right, intrinsic in (("C", price - strike), ("P", strike - price)):
                yield Contract(
                    _option(product, month, right, strike, expiry),
                    product,
                    base_price=max(intrinsic, 0.0) + 0.03 * price,
                    limit=_LIMIT,
                    activity=_ACTIVITY,
                    levels=5 if product.exchange in FIVE_LEVELS else 1,
                    trend=trend,
                    random=random,
                )


def _option(product: Product, month: str, right: str, strike: float, expiry: str) -> Instrument:
    future = symbol_of(product, month)
    symbol = f"{future}-{right}-{strike:g}" if product.exchange in _DASHED else f"{future}{right}{strike:g}"
    return Instrument(
        exchange=product.exchange.value,
        symbol=symbol,
        product=product.code,
        name=f"{product.chinese}{month[2:]}{'购' if right == 'C' else '沽'}{strike:g}",
        multiplier=product.multiplier,
        price_tick=product.price_tick,
        expiry_day=expiry,
    )


def _strikes(price: float) -> list[float]:
    """Round prices around this one, at most a fiftieth of it apart."""
    magnitude = 10.0 ** floor(log10(price / 50))
    step = magnitude * max(digit for digit in (1, 2, 5) if digit * magnitude <= price / 50)
    middle = round(price / step)
    return [round(number * step, 6) for number in range(middle - _STRIKES, middle + _STRIKES + 1)]


def _expiry(month: str) -> str:
    day = f"{month}01"
    for _ in range(_EXPIRES):
        day = previous_trading_day(day)
    return day
