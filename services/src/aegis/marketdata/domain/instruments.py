"""Which contracts exist on a day: delivery months, last trading days and symbols.

Days are `YYYYMMDD`, delivery months `YYYYMM`. Beyond the end of the calendar, where holidays are not known yet, a last
trading day may come out a few days early or late.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from aegis.contracts.market import Exchange, Instrument
from aegis.exchanges.calendar import CALENDAR, Calendar
from aegis.exchanges.products import PRODUCTS, Product, month_digits
from aegis.exchanges.sessions import is_trading_day, next_trading_day, previous_trading_day

__all__ = ["contract_month", "expiry_day", "instrument_of", "listed_instruments", "listed_months", "symbol_of"]


@lru_cache(maxsize=65_536)
def contract_month(symbol: str, reference_day: str) -> str | None:
    """The delivery month of a contract, None where the symbol names none.

    CZCE writes one digit of the year (`SR501`). Of the months that it can mean it is the one nearest to
    `reference_day`, any day of the contract's life.
    """
    digits = month_digits(symbol)
    if digits is None or not 1 <= int(digits[-2:]) <= 12:
        return None
    if len(digits) == 4:
        return f"20{digits}"
    reference = _months(reference_day[:6])
    decade = int(reference_day[:3])
    candidates = (f"{decade + shift}{digits}" for shift in (1, 0, -1))
    return min(candidates, key=lambda month: abs(_months(month) - reference))


def symbol_of(product: Product, month: str) -> str:
    """The future's symbol: `rb2505`, `SR505` on CZCE."""
    return f"{product.code}{month[3:] if product.exchange is Exchange.CZCE else month[2:]}"


def expiry_day(product: Product, month: str, calendar: Calendar = CALENDAR) -> str:
    """The last trading day of the future of a delivery month."""
    first = f"{month}01"
    match product.expiry:
        case "15th":
            return _trading_day_from(f"{month}15", calendar)
        case "10th_trading":
            return _trading_days(month, calendar)[9]
        case "4th_last_trading":
            return _trading_days(month, calendar)[-4]
        case "month_before":
            return previous_trading_day(first, calendar)
        case "2nd_friday":
            return _trading_day_from(_weekdays(month, 4)[1], calendar)
        case "3rd_friday":
            return _trading_day_from(_weekdays(month, 4)[2], calendar)
        case "last_monday":
            return [day for day in _weekdays(month, 0) if is_trading_day(day, calendar)][-1]


def listed_months(product: Product, day: str, calendar: Calendar = CALENDAR) -> list[str]:
    """The delivery months that can be traded on a day, nearest first."""
    months = _months_from(day[:6])
    alive = next(month for month in months if expiry_day(product, month, calendar) >= day)
    listing = product.listing
    following = _months_from(alive)
    listed = [next(following) for _ in range(listing.serial)]
    while len(listed) < listing.serial + listing.more:
        month = next(following)
        if int(month[4:]) in listing.cycle:
            listed.append(month)
    return listed


def instrument_of(product: Product, month: str, calendar: Calendar = CALENDAR) -> Instrument:
    """The future of a delivery month."""
    return Instrument(
        exchange=product.exchange.value,
        symbol=symbol_of(product, month),
        product=product.code,
        name=f"{product.chinese}{month[2:]}",
        multiplier=product.multiplier,
        price_tick=product.price_tick,
        expiry_day=expiry_day(product, month, calendar),
    )


def listed_instruments(day: str, calendar: Calendar = CALENDAR) -> list[Instrument]:
    """All futures that can be traded on a day, by exchange, product and delivery month."""
    return [
        instrument_of(product, month, calendar)
        for product in PRODUCTS.values()
        for month in listed_months(product, day, calendar)
    ]


def _months(month: str) -> int:
    return int(month[:4]) * 12 + int(month[4:])


def _months_from(month: str) -> Iterator[str]:
    year, number = int(month[:4]), int(month[4:])
    while True:
        yield f"{year}{number:02}"
        year, number = (year + 1, 1) if number == 12 else (year, number + 1)


def _trading_day_from(day: str, calendar: Calendar) -> str:
    return day if is_trading_day(day, calendar) else next_trading_day(day, calendar)


def _trading_days(month: str, calendar: Calendar) -> list[str]:
    days = [_trading_day_from(f"{month}01", calendar)]
    while (following := next_trading_day(days[-1], calendar)).startswith(month):
        days.append(following)
    return days


def _weekdays(month: str, weekday: int) -> list[str]:
    """The days of a month on that day of the week, 0 = Monday."""
    return [day for number in range(1, _length(month) + 1) if _weekday(day := f"{month}{number:02}") == weekday]


def _length(month: str) -> int:
    return monthrange(int(month[:4]), int(month[4:]))[1]


def _weekday(day: str) -> int:
    return date.fromisoformat(day).weekday()
