"""The contracts that the counter lists on a day: the futures of Aegis's table of products, and options on them.

Options are written as each exchange writes them: `m2605-C-3000` on DCE and GFEX, `SR605C5400` on CZCE, `cu2605C86000`
on SHFE and INE, `IO2605-C-4600` on CFFEX. Which products have some is as of late 2025; their strikes are made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, Literal

from msgspec.structs import replace

from aegis.contracts.market import Exchange, Instrument
from aegis.exchanges.calendar import CALENDAR, Calendar
from aegis.exchanges.products import PRODUCTS, Product, future_of, product_of
from aegis.marketdata.adapters.simulated.prices import base_price, limit_ratio
from aegis.marketdata.domain.instruments import contract_month, expiry_day, instrument_of, listed_months

__all__ = ["Listing", "Option", "Universe", "listed", "listings_of"]

Universe = Literal["futures", "all"]

_OPTIONS: Final = {
    "SHFE": "cu al zn pb ni sn ao ad au ag rb br ru fu bu sp",
    "INE": "sc",
    "DCE": "a b m y p c cs jd lh lg l v pp eb bz eg pg i jm",
    "CZCE": "CF SR OI RM AP CJ PK TA PX PF PR PL MA FG SA SH UR SF SM",
    "CFFEX": "IO HO MO",
    "GFEX": "si lc ps pt pd",
}
_MONTHS: Final = 6
_STRIKES_A_SIDE: Final = 16
_NAME_BYTES: Final = 20  # of CTP's InstrumentName, without its end
_MARGIN: Final = 0.1
_PREMIUM: Final = 0.03  # of the price of what an option is on
_LIFE: Final = timedelta(days=365)
_OPTION: Final = re.compile(r"([A-Za-z]{1,2}\d{3,4})(?:-?MS)?-?([CP])-?(\d+(?:\.\d+)?)")


@dataclass(frozen=True, kw_only=True)
class Option:
    """What an option has beside what every contract has."""

    underlying: str
    strike: float
    call: bool


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A contract as the counter knows it."""

    instrument: Instrument
    month: str  # YYYYMM
    open_day: str
    margin_ratio: float
    base_price: float
    limit_ratio: float
    option: Option | None = None

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    @property
    def exchange(self) -> str:
        return self.instrument.exchange

    @property
    def multiplier(self) -> int:
        return self.instrument.multiplier or 1

    @property
    def price_tick(self) -> float:
        return self.instrument.price_tick or 1.0

    @property
    def product_id(self) -> str:
        """As each exchange calls it: options have one of their own, CZCE's two."""
        product = self.instrument.product
        if self.option is None or self.exchange == Exchange.CFFEX:
            return product
        if self.exchange == Exchange.CZCE:
            return f"{product}{'C' if self.option.call else 'P'}"
        return f"{product}_o"


@lru_cache(maxsize=4)
def listed(day: str, universe: Universe, calendar: Calendar = CALENDAR) -> dict[str, Listing]:
    """By symbol, in the order of the products; some 800 futures, some 25,000 contracts with options."""
    contracts = [
        _future(product, month, calendar)
        for product in PRODUCTS.values()
        for month in listed_months(product, day, calendar)
    ]
    if universe == "all":
        contracts += [
            option
            for exchange, codes in _OPTIONS.items()
            for code in codes.split()
            for option in _options(PRODUCTS[exchange, code], day, calendar)
        ]
    return {contract.symbol: contract for contract in contracts}


def listings_of(instruments: Iterable[Instrument], day: str) -> dict[str, Listing]:
    """The contracts that another source lists on a day, with what their symbols and the table of products tell."""
    return {one.symbol: _listing_of(one, day) for one in instruments}


def _listing_of(instrument: Instrument, day: str) -> Listing:
    product = product_of(instrument.exchange, instrument.symbol)
    price = base_price(future_of(product)) if product else 1000.0
    option = _option_named(instrument.symbol)
    fits = len(instrument.name.encode("gb18030")) <= _NAME_BYTES
    return Listing(
        instrument=instrument if fits else replace(instrument, name=instrument.symbol),
        month=contract_month(option.underlying if option else instrument.symbol, day) or day[:6],
        open_day=_year_before(instrument.expiry_day) if instrument.expiry_day else day,
        margin_ratio=_MARGIN,
        base_price=price * _PREMIUM if option else price,
        limit_ratio=1.0 if option or not product else limit_ratio(product),
        option=option,
    )


def _option_named(symbol: str) -> Option | None:
    named = _OPTION.fullmatch(symbol)
    if named is None:
        return None
    underlying, right, strike = named.groups()
    return Option(underlying=underlying, strike=float(strike), call=right == "C")


def _future(product: Product, month: str, calendar: Calendar) -> Listing:
    instrument = instrument_of(product, month, calendar)
    return Listing(
        instrument=instrument,
        month=month,
        open_day=_year_before(instrument.expiry_day or f"{month}15"),
        margin_ratio=_MARGIN,
        base_price=base_price(product),
        limit_ratio=limit_ratio(product),
    )


def _options(product: Product, day: str, calendar: Calendar) -> Iterator[Listing]:
    underlying = future_of(product)
    price = base_price(underlying)
    step = _step(price * 0.012)
    middle = round(price / step)
    for month in listed_months(underlying, day, calendar)[:_MONTHS]:
        for strike in range(max(middle - _STRIKES_A_SIDE, 1), middle + _STRIKES_A_SIDE + 1):
            for call in (True, False):
                yield _option(product, month, strike * step, call, calendar)


def _option(product: Product, month: str, strike: int, call: bool, calendar: Calendar) -> Listing:
    right = "C" if call else "P"
    digits = month[3:] if product.exchange is Exchange.CZCE else month[2:]
    dash = "-" if product.exchange in (Exchange.DCE, Exchange.GFEX, Exchange.CFFEX) else ""
    future = f"{product.code}{digits}"
    expires = expiry_day(product, month, calendar)
    name = f"{product.chinese}{month[2:]}{'购' if call else '沽'}{strike}"
    if len(name.encode("gb18030")) > _NAME_BYTES:
        name = f"{product.code}{month[2:]}{'购' if call else '沽'}{strike}"
    return Listing(
        instrument=Instrument(
            exchange=product.exchange.value,
            symbol=f"{future}{dash}{right}{dash}{strike}",
            product=product.code,
            name=name,
            multiplier=product.multiplier,
            price_tick=product.price_tick,
            expiry_day=expires,
        ),
        month=month,
        open_day=_year_before(expires),
        margin_ratio=_MARGIN,
        base_price=max(strike * _PREMIUM, product.price_tick),
        limit_ratio=1.0,
        option=Option(underlying=future, strike=float(strike), call=call),
    )


def _step(about: float) -> int:
    """A round whole number near it: 1, 2 or 5, and zeros."""
    power = 1
    while power * 10 <= about:
        power *= 10
    return max((digit * power for digit in (1, 2, 5) if digit * power <= about), default=1)


def _year_before(day: str) -> str:
    return f"{date.fromisoformat(day) - _LIFE:%Y%m%d}"
