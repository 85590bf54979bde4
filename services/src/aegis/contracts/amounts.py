"""Prices, money and rates: decimal numbers, exact to the last digit, on the wire as JSON strings.

A price is in yuan for the quoted unit of the good, money in yuan. Venues count in binary floating point: what they
send becomes a decimal by `exact`, at the edge and nowhere else. Amounts are not rounded to cents while a day lasts, as
CTP does not: each is kept to the 8th decimal, and compared to the cent.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Final

from pydantic import Field

__all__ = [
    "CENT",
    "ZERO",
    "Money",
    "Price",
    "Rate",
    "exact",
    "exact_rate",
    "is_same_money",
    "quoted",
    "to_grain",
    "to_price",
]

Price = Annotated[Decimal, Field(max_digits=16, decimal_places=6, allow_inf_nan=False)]
"""May be zero or negative: a combination's is."""
Money = Annotated[Decimal, Field(max_digits=24, decimal_places=8, allow_inf_nan=False)]
Rate = Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=10, allow_inf_nan=False)]
"""A share of a lot's value, or yuan a lot."""

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")
_GRAIN: Final = Decimal("1e-8")
_OF_PRICES, _OF_RATES = Decimal("1e-6"), Decimal("1e-10")
_GREATEST: Final = 1e15
_DEAREST: Final = 1e9


def exact(number: float) -> Decimal:
    """What a venue's double stands for, to the 8th decimal: 0.1 + 0.2 is 0.3. Raises ValueError for no amount.

    CTP's DBL_MAX, for a missing figure, is none; nor is what 15 digits cannot hold.
    """
    return to_grain(_decimal(number))


def exact_rate(number: float) -> Decimal:
    """As `exact`, to the 10th decimal: a broker's share of an exchange's rate, as 1.005 times 0.000023, needs nine."""
    return _decimal(number).quantize(_OF_RATES, ROUND_HALF_UP).normalize() + ZERO


def quoted(price: float | None) -> Decimal | None:
    """A price of the market; None where there is none, or it is none that anything has: money would not hold it."""
    return None if price is None or not abs(price) < _DEAREST else to_price(_decimal(price))


def to_price(amount: Decimal) -> Decimal:
    """To the 6th decimal, as prices are; what a division made."""
    return amount.quantize(_OF_PRICES, ROUND_HALF_UP).normalize() + ZERO


def _decimal(number: float) -> Decimal:
    if not abs(number) <= _GREATEST:
        raise ValueError(f"{number} is no amount")
    return Decimal(repr(number))


def to_grain(amount: Decimal) -> Decimal:
    """To the 8th decimal; what a rate and a price made, or a division."""
    return amount.quantize(_GRAIN, ROUND_HALF_UP).normalize() + ZERO


def is_same_money(ours: Decimal, theirs: Decimal) -> bool:
    """Whether both are the same to the cent: less than half a cent apart, however either rounds."""
    return abs(ours - theirs) * 2 < CENT
