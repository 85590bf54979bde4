"""What an order gets of a market that does not know of it.

The model, per account and instrument; docs/paper.md says where it ends:

- An order that comes takes the other side's levels, best first, at their prices, no more than their sizes.
- An order that waits is filled at its own price. It gets what the other side's levels show at that price or better;
  and where the last price went beyond its own, as many lots as were traded since the tick before.
- What was taken of a level is gone, until so many lots were traded since, or the level's price left the book.
- Accounts do not meet each other, nor do the orders of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from aegis.contracts.amounts import Price
from aegis.contracts.orders import Order
from aegis.paper.domain.market import Shown

__all__ = ["Depth", "Share"]

_Levels = tuple[tuple[Price, int], ...]


class Share(NamedTuple):
    """So many lots at a price."""

    price: Price
    lots: int


class Depth:
    """One instrument's book, less what one account has taken of it. Not journaled: a new process begins with all."""

    def __init__(self) -> None:
        self._seen: Shown | None = None
        self._traded = 0  # lots, since the tick before
        self._taken: tuple[dict[Price, int], dict[Price, int]] = ({}, {})  # of the bids, of the asks

    def has_seen(self, now: Shown) -> bool:
        return now is self._seen

    def show(self, now: Shown) -> bool:
        """The market is so now; whether that is news. What is shown again has not come back."""
        before = self._seen
        if self.has_seen(now):
            return False
        self._seen = now
        same_day = before is not None and before.trading_day == now.trading_day
        self._traded = max(now.volume - before.volume, 0) if before is not None and same_day else 0
        bids, asks = self._taken
        self._taken = (_refreshed(bids, now.bids, self._traded), _refreshed(asks, now.asks, self._traded))
        return True

    def arriving(self, order: Order) -> list[Share]:
        """What a new order gets at once. Of an order for all or nothing that cannot have all: nothing."""
        reach = self._reach(order.is_buy, None if order.type == "market" else order.price)
        if order.type == "fok" and sum(lots for _, lots in reach) < order.volume:
            return []
        return self._take(order.is_buy, reach, order.volume)

    def gives(self, bid: Price | None, ask: Price | None) -> bool:
        """Whether the tick shown last may have something for who waits, whose best prices these are."""
        sides = ((True, bid), (False, ask))
        return any(
            price is not None and bool(self._reach(buys, price) or self._went_beyond(buys, price))
            for buys, price in sides
        )

    def waiting(self, orders: Iterable[Order]) -> list[tuple[Order, int]]:
        """What orders that wait get of the tick shown last: the best price first, then the oldest."""
        traded = self._traded
        got: list[tuple[Order, int]] = []
        for order in sorted(orders, key=_priority):
            shares = self._take(order.is_buy, self._reach(order.is_buy, order.price), order.left)
            lots = sum(share.lots for share in shares)
            if self._went_beyond(order.is_buy, order.price) and lots < order.left:
                passed = min(order.left - lots, max(traded - lots, 0))
                traded -= passed
                lots += passed
            if lots:
                got.append((order, lots))
        return got

    def _went_beyond(self, buys: bool, price: Price | None) -> bool:
        last = self._seen.last if self._seen is not None else None
        if last is None or price is None:
            return False
        return last < price if buys else last > price

    def _reach(self, buys: bool, limit: Price | None) -> list[Share]:
        """Levels of the other side that the limit reaches, less what is taken."""
        if self._seen is None:
            return []
        levels, taken = (self._seen.asks, self._taken[1]) if buys else (self._seen.bids, self._taken[0])
        return [
            Share(price, size - taken.get(price, 0))
            for price, size in levels
            if (limit is None or (price <= limit if buys else price >= limit)) and size > taken.get(price, 0)
        ]

    def _take(self, buys: bool, reach: list[Share], lots: int) -> list[Share]:
        taken = self._taken[1] if buys else self._taken[0]
        shares: list[Share] = []
        for price, there in reach:
            if not lots:
                break
            share = Share(price, min(there, lots))
            taken[price] = taken.get(price, 0) + share.lots
            lots -= share.lots
            shares.append(share)
        return shares


def _refreshed(taken: dict[Price, int], levels: _Levels, traded: int) -> dict[Price, int]:
    """What is still taken of the levels: those that left the book, or were traded since, are whole again."""
    there = {price for price, _ in levels}
    return {price: lots - traded for price, lots in taken.items() if price in there and lots > traded}


def _priority(order: Order) -> Price:
    """Ascending: the highest bid first, the lowest offer first; sorting keeps the order of their coming."""
    assert order.price is not None, "what waits has a limit"
    return -order.price if order.is_buy else order.price
