"""Lots held in one direction of an instrument: today's and yesterday's, and what they cost.

Lots are kept in *layers*, oldest first. The cost of today's is their price, that of yesterday's the settlement price of
the day before (marked to market daily, so CTP's PositionCost); `open_cost` remembers the price they were opened at
(OpenCost). A close takes the first layer first, as CTP's position details (InvestorPositionDetail) are closed; a venue
that closes at the average of the day has one layer of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple, cast

from aegis.contracts.amounts import ZERO, Price, to_grain
from aegis.contracts.orders import Direction, Hedge

__all__ = ["Holding", "Layer", "Pile", "Taken", "holding_key", "split_key"]


class Taken(NamedTuple):
    """Lots that were taken away, with what they had cost; fewer than asked where there were no more."""

    lots: int
    cost: Decimal
    open_cost: Decimal


@dataclass(frozen=True, slots=True)
class Layer:
    """Lots of one cost. Costs are price times lots times multiplier, of all of them together."""

    lots: int
    cost: Decimal
    open_cost: Decimal


@dataclass(slots=True)
class Pile:
    """Lots of one kind of day, in layers, oldest first, and what they are together."""

    layers: list[Layer] = field(default_factory=list[Layer])
    lots: int = 0
    cost: Decimal = ZERO
    open_cost: Decimal = ZERO

    def put(self, lots: int, cost: Decimal, open_cost: Decimal, merged: bool = False) -> None:
        """Add lots on top; `merged` with those there already, as are lots of the same cost."""
        if not lots:
            return
        top = self.layers[-1] if self.layers else None
        if top is not None and (merged or _is_alike(top, lots, cost, open_cost)):
            self.layers[-1] = Layer(top.lots + lots, top.cost + cost, top.open_cost + open_cost)
        else:
            self.layers.append(Layer(lots, cost, open_cost))
        self.lots += lots
        self.cost += cost
        self.open_cost += open_cost

    def take(self, lots: int) -> Taken:
        """Take lots away from below. What is taken and what is left add up to the last digit."""
        cost = open_cost = ZERO
        missing = lots
        while missing and self.layers:
            layer = self.layers[0]
            count = min(layer.lots, missing)
            if count == layer.lots:
                self.layers.pop(0)
                share, opened = layer.cost, layer.open_cost
            else:
                share = to_grain(layer.cost * count / layer.lots)
                opened = to_grain(layer.open_cost * count / layer.lots)
                self.layers[0] = Layer(layer.lots - count, layer.cost - share, layer.open_cost - opened)
            cost += share
            open_cost += opened
            missing -= count
        self.lots -= lots - missing
        self.cost -= cost
        self.open_cost -= open_cost
        return Taken(lots - missing, cost, open_cost)

    def copy(self) -> Pile:
        """Another of the same layers."""
        return replace(self, layers=[*self.layers])


@dataclass(slots=True)
class Holding:
    """One direction of an instrument and hedge flag, and what the day made of it."""

    instrument: str
    direction: Direction
    hedge: Hedge
    today: Pile = field(default_factory=Pile)
    yesterday: Pile = field(default_factory=Pile)
    close_profit: Decimal = ZERO
    commission: Decimal = ZERO
    opened: int = 0  # lots of the day
    closed: int = 0
    closed_as_today: int = 0  # lots whose close paid the commission of closing today's

    def copy(self) -> Holding:
        """Another one, which goes its own way from here."""
        return replace(self, today=self.today.copy(), yesterday=self.yesterday.copy())

    @property
    def key(self) -> str:
        return holding_key(self.instrument, self.direction, self.hedge)

    @property
    def lots(self) -> int:
        return self.today.lots + self.yesterday.lots

    @property
    def cost(self) -> Decimal:
        return self.today.cost + self.yesterday.cost

    @property
    def open_cost(self) -> Decimal:
        return self.today.open_cost + self.yesterday.open_cost

    @property
    def is_of_today(self) -> bool:
        """Whether there is or was any of it on this day."""
        return bool(self.lots or self.opened or self.closed)

    def profit(self, price: Price | None, multiplier: int) -> Decimal:
        """PositionProfit: what the lots are worth at a price, less their cost. 0 where there is no price."""
        if price is None:
            return ZERO
        value = price * self.lots * multiplier
        return value - self.cost if self.direction == "long" else self.cost - value

    def open(self, lots: int, cost: Decimal, averaged: bool) -> None:
        """Add lots of today."""
        self.opened += lots
        self.today.put(lots, cost, cost, merged=averaged)

    def close(self, lots: int, of_today: bool) -> Taken:
        """Take away lots of one day."""
        taken = (self.today if of_today else self.yesterday).take(lots)
        self.closed += taken.lots
        return taken

    def charged_as_today(self, lots: int) -> int:
        """Of so many lots closed, how many pay as today's: as many as were opened today and have not been counted.

        So CTP counts where `close` does not tell the days apart, whichever lots the close takes.
        """
        count = min(lots, self.opened - self.closed_as_today)
        self.closed_as_today += count
        return count

    def roll(self, settlement: Price | None, multiplier: int, averaged: bool) -> None:
        """End the day: all lots become yesterday's, at the settlement price; without one they keep their cost."""
        settled = Pile()
        for layer in (*self.yesterday.layers, *self.today.layers):
            cost = layer.cost if settlement is None else settlement * layer.lots * multiplier
            settled.put(layer.lots, cost, layer.open_cost, merged=averaged)
        self.yesterday, self.today = settled, Pile()
        self.close_profit = self.commission = ZERO
        self.opened = self.closed = self.closed_as_today = 0


def holding_key(instrument: str, direction: Direction, hedge: Hedge) -> str:
    return f"{instrument}|{direction}|{hedge}"


def split_key(key: str) -> tuple[str, Direction, Hedge]:
    """What `holding_key` was given."""
    instrument, direction, hedge = key.split("|")
    return instrument, cast("Direction", direction), cast("Hedge", hedge)


def _is_alike(layer: Layer, lots: int, cost: Decimal, open_cost: Decimal) -> bool:
    return layer.cost * lots == cost * layer.lots and layer.open_cost * lots == open_cost * layer.lots
