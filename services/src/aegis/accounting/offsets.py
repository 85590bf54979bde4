"""Which lots a close takes, and how one intent becomes the orders that say so.

SHFE and INE keep today's lots and older ones apart (PositionDateType 1): there `close` and `close_yesterday` close only
older lots, `close_today` only today's. Elsewhere `close` takes the oldest first, whatever day they are of. A commission
for closing today's lots may be many times the other, which is what a split policy is for.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from aegis.contracts.orders import Offset
from aegis.contracts.trading import SplitPolicy

__all__ = ["TELLS_DAYS_APART", "Free", "Leg", "exchange_of", "held_back", "split", "split_whole"]

TELLS_DAYS_APART: Final = frozenset(("SHFE", "INE"))


class Free(NamedTuple):
    """Lots of a direction that no order closes yet."""

    today: int
    yesterday: int


class Leg(NamedTuple):
    """An order that a split makes."""

    offset: Offset
    lots: int


def exchange_of(instrument: str) -> str:
    """`SHFE` of `SHFE.rb2505`."""
    return instrument.partition(".")[0]


def held_back(exchange: str, offset: Offset, lots: int, free: Free) -> Free:
    """Which lots an order that closes holds back, so that no other closes them; fewer where there are no more.

    Only SHFE and INE tell `close_today` and `close_yesterday` from `close`.
    """
    today, yesterday = free
    if exchange in TELLS_DAYS_APART:
        today, yesterday = (today, 0) if offset == "close_today" else (0, yesterday)
    older = min(lots, yesterday)
    return Free(min(lots - older, today), older)


def split(exchange: str, policy: SplitPolicy, lots: int, free: Free) -> list[Leg]:
    """The orders of a close by intent, in the order to send them; empty: there are too few lots for it.

    Where the exchange keeps no days apart, an order cannot choose between them: then only `lock` differs.
    """
    if policy == "lock":
        return _locked(exchange, lots, free)
    if lots > free.today + free.yesterday:
        return []
    if exchange not in TELLS_DAYS_APART:
        return [Leg("close", lots)]
    today = min(lots, free.today) if policy == "today_first" else lots - min(lots, free.yesterday)
    legs = [Leg("close_today", today), Leg("close_yesterday", lots - today)]
    if policy == "yesterday_first":
        legs.reverse()
    return [leg for leg in legs if leg.lots]


def split_whole(exchange: str, policy: SplitPolicy, lots: int, free: Free) -> list[Leg]:
    """As `split`, of an order that trades all or nothing: it stays one order, for two are not all or none together.

    It closes the lots of one day then, whichever has enough of them; empty: none has.
    """
    legs = split(exchange, policy, lots, free)
    if len(legs) < 2:
        return legs
    if policy == "lock" or lots > max(free):
        return []
    return [Leg("close_today" if free.today >= lots else "close_yesterday", lots)]


def _locked(exchange: str, lots: int, free: Free) -> list[Leg]:
    """Where `close` cannot tell the days apart, nothing is closed beside today's lots.

    It pays as a close of today's for as many as were opened today, whichever lots it takes.
    """
    is_apart = exchange in TELLS_DAYS_APART
    older = min(lots, free.yesterday) if is_apart or not free.today else 0
    offset: Offset = "close_yesterday" if is_apart else "close"
    return [leg for leg in (Leg(offset, older), Leg("open", lots - older)) if leg.lots]
