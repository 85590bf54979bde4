"""Working orders by instrument and side, as far as a new order is held against them: sums and prices, kept in order.

An account may have thousands of them, and each new order asks. So they are counted as they come, change and go.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field

from aegis.contracts.amounts import Price
from aegis.contracts.orders import Order, Side

__all__ = ["Resting", "may_meet"]


def may_meet(one: Order, other: Order) -> bool:
    """Whether orders of opposite sides may trade with each other."""
    if "market" in (one.type, other.type) or one.price is None or other.price is None:
        return True
    return one.price >= other.price if one.is_buy else one.price <= other.price


@dataclass(slots=True)
class _Queue:
    """Of one instrument and side."""

    opening: int = 0  # lots
    unpriced: int = 0  # orders that take any price
    prices: list[Price] = field(default_factory=list[Price])  # of all others, ascending


class Resting:
    """What the given orders come to; whoever adds one removes it again as it was. Those of `base` count, too."""

    def __init__(self, orders: Iterable[Order] = ()) -> None:
        self.base: Resting | None = None
        self._queues: dict[tuple[str, Side], _Queue] = {}
        for order in orders:
            self.add(order)

    def add(self, order: Order) -> None:
        where = order.instrument, order.side
        queue = self._queues.get(where) or self._queues.setdefault(where, _Queue())
        queue.opening += _may_open(order)
        if order.price is None or order.type == "market":
            queue.unpriced += 1
        else:
            insort(queue.prices, order.price)

    def remove(self, order: Order) -> None:
        queue = self._queues[order.instrument, order.side]
        queue.opening -= _may_open(order)
        if order.price is None or order.type == "market":
            queue.unpriced -= 1
        else:
            del queue.prices[bisect_left(queue.prices, order.price)]

    def opening(self, instrument: str, side: Side) -> int:
        """Lots that orders of that side may still open."""
        queue = self._queues.get((instrument, side))
        ours = 0 if queue is None else queue.opening
        return ours if self.base is None else ours + self.base.opening(instrument, side)

    def best(self, instrument: str, side: Side) -> Price | None:
        """The best price of that side, without those of `base`: the highest bid, the lowest offer; None: none."""
        queue = self._queues.get((instrument, side))
        if queue is None or not queue.prices:
            return None
        return queue.prices[-1 if side == "buy" else 0]

    def may_meet(self, order: Order) -> bool:
        """Whether any of the other side may trade with it."""
        return self._meets(order) or (self.base is not None and self.base.may_meet(order))

    def _meets(self, order: Order) -> bool:
        queue = self._queues.get((order.instrument, "sell" if order.is_buy else "buy"))
        if queue is None or not (queue.prices or queue.unpriced):
            return False
        if queue.unpriced or order.price is None or order.type == "market":
            return True
        return order.price >= queue.prices[0] if order.is_buy else order.price <= queue.prices[-1]


def _may_open(order: Order) -> int:
    return max(order.volume - order.traded, 0) if order.is_open else 0
