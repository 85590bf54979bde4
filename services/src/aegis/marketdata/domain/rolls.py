"""Which contract of a product is the main one, and when it rolls: pure, and the same for whoever decides it.

At the close of each trading day, for the day after:

- the first main contract known is the one with the most open interest;
- a later contract takes over when its open interest is above 1.1 times that of the main one, or when the main one has
  its last trading day. Of several, the one with the most open interest;
- never an earlier one again;
- equal open interest is decided by the day's volume, equal volume by the nearer delivery month.

This is the customary rule of Chinese data vendors, as RQData states it for `futures.get_dominant` with `rule=0`
(ricequant.com/doc/rqdata/python/futures-mod.html); without its exception for stock index futures, of which it takes
only the two nearest months.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from aegis.contracts.reference import RULE
from aegis.exchanges.calendar import CALENDAR, Calendar
from aegis.exchanges.sessions import next_trading_day

__all__ = ["MOST_ROLLS", "Close", "Roll", "Rolls", "decide"]

_LEAD: Final = 1.1
MOST_ROLLS: Final = 1_000
"""Rolls that a history keeps, the newest: 80 years of a product that rolls each month, some 150 kB."""


@dataclass(frozen=True, kw_only=True)
class Close:
    """One contract at the close of a trading day."""

    symbol: str
    month: str  # of delivery, YYYYMM
    expiry_day: str  # its last trading day
    open_interest: float
    volume: int  # of that day
    price: float | None  # the last one


class Roll(msgspec.Struct, frozen=True, kw_only=True):
    """From `from_day` on `symbol` is the main contract. Prices are those at the close of `decided_day`."""

    from_day: str
    symbol: str
    month: str
    expiry_day: str
    decided_day: str
    old_symbol: str = ""
    old_price: float | None = None
    new_price: float | None = None


class Rolls(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one product after the close of `decided_day`: its rolls, oldest first, at least one."""

    exchange: str
    product: str
    decided_day: str
    second: str  # the symbol of the second contract; empty: none
    rolls: tuple[Roll, ...]
    rule: int = RULE


def decide(
    before: Rolls | None,
    exchange: str,
    product: str,
    day: str,
    closes: Iterable[Close],
    calendar: Calendar = CALENDAR,
) -> Rolls | None:
    """What is known after the close of `day`; `before` itself where that day was decided, or lies before one that was.

    `closes` are the futures of the product that ticked on that day. What did not is not known: a main contract without
    a close stays the main one. None where nothing is known.
    """
    if before is not None and day <= before.decided_day:
        return before
    known = {close.symbol: close for close in closes}
    tradable = [close for close in known.values() if close.expiry_day > day]
    last = before.rolls[-1] if before is not None else None
    new = _successor(last, day, known, tradable)
    rolls = before.rolls if before is not None else ()
    if new is not None:
        old = known.get(last.symbol) if last is not None else None
        roll = Roll(
            from_day=next_trading_day(day, calendar),
            symbol=new.symbol,
            month=new.month,
            expiry_day=new.expiry_day,
            decided_day=day,
            old_symbol=last.symbol if last is not None else "",
            old_price=old.price if old is not None else None,
            new_price=new.price,
        )
        rolls = (*rolls, roll)[-MOST_ROLLS:]
    if not rolls:
        return None
    later = [close for close in tradable if close.month > rolls[-1].month]
    second = max(later, key=_rank, default=None)
    return Rolls(
        exchange=exchange,
        product=product,
        decided_day=day,
        second=second.symbol if second is not None else "",
        rolls=rolls,
    )


def _successor(last: Roll | None, day: str, known: Mapping[str, Close], tradable: Sequence[Close]) -> Close | None:
    """The contract that takes over; None where the main one stays."""
    if last is None:
        return max(tradable, key=_rank, default=None)
    best = max((close for close in tradable if close.month > last.month), key=_rank, default=None)
    if best is None or last.expiry_day <= day:
        return best
    main = known.get(last.symbol)
    return best if main is not None and best.open_interest > _LEAD * main.open_interest else None


def _rank(close: Close) -> tuple[float, int, int]:
    return close.open_interest, close.volume, -int(close.month)
