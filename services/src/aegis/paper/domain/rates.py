"""What products cost here, and the terms of an instrument that follow.

`rates.toml` has the defaults with their sources and dates; a file of the same form may replace some of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aegis.accounting.offsets import exchange_of
from aegis.contracts.amounts import ZERO, Rate, exact
from aegis.contracts.marketdata import InstrumentView
from aegis.contracts.venue import CommissionRates, InstrumentTerms, MarginRates, Rates
from aegis.exchanges.products import month_digits
from aegis.paper.domain.market import Shown

__all__ = ["ProductRates", "RateTable", "read_rates", "terms_of"]

Fees = tuple[Rate, Rate, Rate]

_LARGER_SIDE: Final = frozenset(("SHFE", "INE", "CFFEX"))
_MOST_LOTS: Final = {"SHFE": 500, "INE": 500, "CFFEX": 20}
"""Of one order; elsewhere 1,000. Exchanges set it by product: a bound of the model, not theirs."""


class ProductRates(BaseModel):
    """Of one product. Margin is a share of the value; fees are for open, close, close of today's lots."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    margin: Annotated[Rate, Field(gt=0, le=1)] | None = None  # None: that of the default
    by_money: Fees = (ZERO, ZERO, ZERO)
    by_volume: Fees = (ZERO, ZERO, ZERO)


class RateTable:
    """Rates by product, `SHFE.rb`; `default` for all others."""

    def __init__(self, rows: Mapping[str, ProductRates]) -> None:
        self._rows = dict(rows)
        self._default = self._rows["default"]

    def of(self, exchange: str, product: str) -> ProductRates:
        row = self._rows.get(f"{exchange}.{product}", self._default)
        return row if row.margin is not None else row.model_copy(update={"margin": self._default.margin})

    def replaced(self, text: str) -> RateTable:
        """With the rows of a file in place of those here. Raises ValueError saying what is wrong with it."""
        return RateTable(self._rows | _rows(text))


def read_rates() -> RateTable:
    """The defaults."""
    return RateTable(_rows((files("aegis.paper.domain") / "rates.toml").read_text("utf-8")))


def _rows(text: str) -> dict[str, ProductRates]:
    try:
        tables: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
        default = {"default": tables.pop("default")} if "default" in tables else {}
        named = {f"{exchange}.{code}": row for exchange, rows in tables.items() for code, row in rows.items()}
        return {name: ProductRates.model_validate(row) for name, row in {**default, **named}.items()}
    except (tomllib.TOMLDecodeError, ValidationError, AttributeError) as error:
        raise ValueError(f"no table of rates: {error}") from error


def terms_of(facts: InstrumentView, now: Shown, table: RateTable) -> InstrumentTerms | None:
    """How an instrument is traded here today; None where what a lot is, is not known."""
    if facts.multiplier is None or facts.price_tick is None:
        return None
    exchange = exchange_of(facts.instrument)
    rates = table.of(exchange, facts.product)
    assert rates.margin is not None, "the default has one"
    side = Rates(by_money=rates.margin)
    opened, closed, closed_today = (
        Rates(by_money=money, by_volume=volume) for money, volume in zip(rates.by_money, rates.by_volume, strict=True)
    )
    most = _MOST_LOTS.get(exchange, 1000)
    return InstrumentTerms(
        instrument=facts.instrument,
        product=facts.product,
        kind=facts.kind,
        multiplier=facts.multiplier,
        price_tick=exact(facts.price_tick),
        max_limit_volume=most,
        max_market_volume=most,
        expiry_day=facts.expiry_day,
        delivery_month=_delivery_month(facts),
        larger_side=exchange in _LARGER_SIDE,
        pre_settlement_price=now.pre_settlement,
        upper_limit_price=now.upper_limit,
        lower_limit_price=now.lower_limit,
        margin={"speculation": MarginRates(long=side, short=side)},
        commission=CommissionRates(open=opened, close=closed, close_today=closed_today),
    )


def _delivery_month(facts: InstrumentView) -> str | None:
    """`YYYYMM`, as its symbol says it; CZCE's has one digit of the year, that of its last day or the next."""
    digits = month_digits(facts.instrument.partition(".")[2])
    if facts.kind != "future" or facts.expiry_day is None or digits is None:
        return None
    if len(digits) == 4:
        return f"20{digits}"
    expires = int(facts.expiry_day[:4])
    return f"{expires + (int(digits[0]) - expires) % 10}{digits[1:]}"
