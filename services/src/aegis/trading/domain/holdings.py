"""Lots held in one direction of an instrument: today's and yesterday's, and what they cost.

Lots are kept in *layers*, oldest first. The cost of today's is their price, that of yesterday's the settlement price of
the day before (marked to market daily, so CTP's PositionCost); `open_cost` remembers the price they were opened at
(OpenCost). A close takes the first layer first, as CTP's position details (InvestorPositionDetail) are closed; a venue
that closes at the average of the day has one layer of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, cast

from aegis.contracts.amounts import ZERO, Price, to_grain
from aegis.contracts.orders import Direction, Hedge

__all__ = ["Holding", "Layer", "Taken", "holding_key", "split_key"]


class Taken(NamedTuple):
    """Lots that were taken away, with what they had cost; fewer than asked where there were no more."""

    lots: int
    cost: Decimal
    open_cost: Decimal


@dataclass(slots=True)
class Layer:
    """Lots of one cost. Costs are price times lots times multiplier, of all of them together."""

    lots: int
    cost: Decimal
    open_cost: Decimal


@dataclass(slots=True)
class Holding:
    """One direction of an instrument and hedge flag, and what the day made of it."""

    instrument: str
    direction: Direction
    hedge: Hedge
    today: list[Layer] = field(default_factory=list[Layer])
    yesterday: list[Layer] = field(default_factory=list[Layer])
    close_profit: Decimal = ZERO
    commission: Decimal = ZERO
    opened: int = 0  # lots of the day
    closed: int = 0
    closed_as_today: int = 0  # lots whose close paid the commission of closing today's

    @property
    def key(self) -> str:
        return holding_key(self.instrument, self.direction, self.hedge)

    @property
    def lots_today(self) -> int:
        return sum(layer.lots for layer in self.today)

    @property
    def lots_yesterday(self) -> int:
        return sum(layer.lots for layer in self.yesterday)

    @property
    def lots(self) -> int:
        return self.lots_today + self.lots_yesterday

    @property
    def cost(self) -> Decimal:
        return sum((layer.cost for layer in (*self.yesterday, *self.today)), ZERO)

    @property
    def open_cost(self) -> Decimal:
        return sum((layer.open_cost for layer in (*self.yesterday, *self.today)), ZERO)

    def profit(self, price: Price | None, multiplier: int) -> Decimal:
        """PositionProfit: what the lots are worth at a price, less their cost. 0 where there is no price."""
        if price is None:
            return ZERO
        value = price * self.lots * multiplier
        return value - self.cost if self.direction == "long" else self.cost - value

    def open(self, lots: int, cost: Decimal, averaged: bool) -> None:
        """Add lots of today."""
        self.opened += lots
        if self.today and (averaged or self._is_of_price(self.today[-1], lots, cost)):
            layer = self.today[-1]
            layer.lots += lots
            layer.cost += cost
            layer.open_cost += cost
        else:
            self.today.append(Layer(lots, cost, cost))

    def close(self, lots: int, of_today: bool) -> Taken:
        """Take away lots of one day."""
        taken = _take(self.today if of_today else self.yesterday, lots)
        self.closed += taken.lots
        return taken

    def charged_as_today(self, lots: int) -> int:
        """Of so many lots closed, how many pay as today's: as many as were opened today and have not been counted.

        So CTP counts where `close` does not tell the days apart, whichever lots the close takes.
        """
        count = min(lots, self.opened - self.closed_as_today)
        self.closed_as_today += count
        return count

    @property
    def is_of_today(self) -> bool:
        """Whether there is or was any of it on this day."""
        return bool(self.lots or self.opened or self.closed)

    def roll(self, settlement: Price | None, multiplier: int, averaged: bool) -> None:
        """End the day: all lots become yesterday's, at the settlement price; without one they keep their cost."""
        layers = [*self.yesterday, *self.today]
        if settlement is not None:
            for layer in layers:
                layer.cost = settlement * layer.lots * multiplier
        if averaged and layers:
            layers = [Layer(self.lots, sum((one.cost for one in layers), ZERO), self.open_cost)]
        self.yesterday, self.today = layers, []
        self.close_profit = self.commission = ZERO
        self.opened = self.closed = self.closed_as_today = 0

    @staticmethod
    def _is_of_price(layer: Layer, lots: int, cost: Decimal) -> bool:
        return layer.cost * lots == cost * layer.lots and layer.open_cost == layer.cost


def holding_key(instrument: str, direction: Direction, hedge: Hedge) -> str:
    return f"{instrument}|{direction}|{hedge}"


def split_key(key: str) -> tuple[str, Direction, Hedge]:
    """What `holding_key` was given."""
    instrument, direction, hedge = key.split("|")
    return instrument, cast("Direction", direction), cast("Hedge", hedge)


def _take(layers: list[Layer], lots: int) -> Taken:
    cost = open_cost = ZERO
    missing = lots
    while missing and layers:
        layer = layers[0]
        if layer.lots <= missing:
            layers.pop(0)
            share, opened, count = layer.cost, layer.open_cost, layer.lots
        else:  # what is taken and what is left add up to the last digit
            count = missing
            share = to_grain(layer.cost * count / layer.lots)
            opened = to_grain(layer.open_cost * count / layer.lots)
            layer.lots -= count
            layer.cost -= share
            layer.open_cost -= opened
        cost += share
        open_cost += opened
        missing -= count
    return Taken(lots - missing, cost, open_cost)
