"""Matching of orders against a market's quotes.

An order that comes takes what the book shows, level by level, at the prices of the levels; what one order took the next
one does not get until the book changes. An order that waits is filled at its own price when the market's other side
reaches it, as far as that side's lots go. Orders of the venue do not meet each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from aegis.contracts.market import Level, Quote
from ctpsim.venue.orders import Order

__all__ = ["Book", "Fill"]


class Fill(NamedTuple):
    order: Order
    price: float
    volume: int


class Book:
    """One instrument: what the market shows, and the orders that wait, oldest first."""

    def __init__(self) -> None:
        self.waiting: list[Order] = []
        self._shown: object = None
        self._bids: list[tuple[float, int]] = []
        self._asks: list[tuple[float, int]] = []

    def show(self, quote: Quote) -> None:
        """The market's book as it is now. Shown again, it has not come back to what it was before orders took of it."""
        shown = (quote.ts_exchange_ns, quote.bids, quote.asks)
        if shown != self._shown:
            self._shown = shown
            self._bids, self._asks = _levels(quote.bids), _levels(quote.asks)

    def enter(self, order: Order) -> list[Fill]:
        """What it trades at once. Nothing where that is less than its minimum."""
        limit, buys = order.asked.limit, order.asked.is_buy
        available = sum(size for price, size in self._other(buys) if _reaches(buys, limit, price))
        if available < order.asked.minimum:
            return []
        return [Fill(order, price, lots) for price, lots in self._take(buys, limit, order.left)]

    def quote(self, quote: Quote) -> Iterator[Fill]:
        """The market moved: what the waiting orders get of it, best price first, then oldest."""
        self.show(quote)
        for order in sorted(self.waiting, key=_priority):
            lots = sum(lots for _, lots in self._take(order.asked.is_buy, order.asked.price, order.left))
            if lots:
                yield Fill(order, order.asked.price, lots)

    def _other(self, buys: bool) -> list[tuple[float, int]]:
        return self._asks if buys else self._bids

    def _take(self, buys: bool, limit: float | None, lots: int) -> Iterator[tuple[float, int]]:
        levels = self._other(buys)
        for index, (price, size) in enumerate(levels):
            if not lots or not _reaches(buys, limit, price):
                return
            taken = min(size, lots)
            levels[index] = (price, size - taken)
            lots -= taken
            if taken:
                yield price, taken


def _levels(levels: tuple[Level, ...]) -> list[tuple[float, int]]:
    return [(level.price, level.size) for level in levels]


def _reaches(buys: bool, limit: float | None, price: float) -> bool:
    return limit is None or (price <= limit if buys else price >= limit)


def _priority(order: Order) -> float:
    """Ascending: the highest bid first, the lowest offer first; sorting keeps the order of their coming."""
    return -order.asked.price if order.asked.is_buy else order.asked.price
