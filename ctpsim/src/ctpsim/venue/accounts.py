"""Accounts: money, margin, commission and positions, as CTP counts them.

Lots opened today and before are kept apart. SHFE and INE want to be told which of them an order closes; elsewhere the
older ones go first. Margin is the cost of a position, its settlement price's for older lots, times the ratio. Who buys
an option pays its premium, who sells one receives it and puts up margin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from aegis.contracts.market import Exchange
from ctpsim.front.errors import Code
from ctpsim.market.universe import Listing
from ctpsim.venue.orders import NewOrder, Offset, Order

__all__ = ["Account", "Position", "commission_ratios"]

_BY_MONEY: Final = 0.0001
_OPTION_BY_VOLUME: Final = 2.0
_TELLS_DAYS_APART: Final = frozenset({Exchange.SHFE.value, Exchange.INE.value})

LastPrice = Callable[[str], float | None]


def commission_ratios(listing: Listing) -> tuple[float, float]:
    """Of a lot's value, and in yuan a lot."""
    return (0.0, _OPTION_BY_VOLUME) if listing.option else (_BY_MONEY, 0.0)


@dataclass(slots=True)
class Position:
    """One side of a contract. Costs are in yuan: price times lots times multiplier."""

    listing: Listing
    is_long: bool
    today: int = 0
    yesterday: int = 0
    held_before: int = 0  # when the day began, whatever was closed since
    frozen_today: int = 0
    frozen_yesterday: int = 0
    today_cost: float = 0.0
    yesterday_cost: float = 0.0
    open_volume: int = 0
    close_volume: int = 0
    open_cost: float = 0.0
    close_profit: float = 0.0
    commission: float = 0.0
    settled_at: float = 0.0  # the price of the day before; 0: it was not held then

    @property
    def lots(self) -> int:
        return self.today + self.yesterday

    @property
    def cost(self) -> float:
        return self.today_cost + self.yesterday_cost

    @property
    def margin(self) -> float:
        option = self.listing.option
        if option is None:
            return self.cost * self.listing.margin_ratio
        return 0.0 if self.is_long else option.strike * self.lots * self.listing.multiplier * self.listing.margin_ratio

    @property
    def is_of_today(self) -> bool:
        """Whether there was any of it on this trading day; CTP lists it until the day ends, also once it is closed."""
        return bool(self.held_before or self.open_volume)

    def profit(self, price: float | None) -> float:
        """Since it was opened, or settled last."""
        if price is None or self.listing.option:
            return 0.0
        value = price * self.lots * self.listing.multiplier
        return value - self.cost if self.is_long else self.cost - value


@dataclass
class Account:
    """One investor's. Balances are in yuan."""

    account_id: str
    pre_balance: float
    close_profit: float = 0.0
    commission: float = 0.0
    premium: float = 0.0
    frozen_margin: float = 0.0
    frozen_commission: float = 0.0
    positions: dict[tuple[str, bool], Position] = field(default_factory=dict[tuple[str, bool], Position])

    def margin(self) -> float:
        return sum(position.margin for position in self.positions.values())

    def position_profit(self, last_price: LastPrice) -> float:
        return sum(position.profit(last_price(position.listing.symbol)) for position in self.positions.values())

    def balance(self, last_price: LastPrice) -> float:
        return self.pre_balance + self.close_profit + self.premium - self.commission + self.position_profit(last_price)

    def available(self, last_price: LastPrice) -> float:
        return self.balance(last_price) - self.margin() - self.frozen_margin - self.frozen_commission

    def position(self, listing: Listing, is_long: bool) -> Position:
        return self.positions.setdefault((listing.symbol, is_long), Position(listing, is_long))

    # What orders hold back

    def freeze(self, order: Order, price: float, last_price: LastPrice) -> Code:
        """Hold back what an order needs, at that price; or say what there is too little of."""
        asked = order.asked
        order.commission_each = _commission(asked.listing, price)
        if asked.offset is not Offset.OPEN:
            return self._freeze_lots(order)
        order.frozen_each = _needed(asked, price)
        needed = (order.frozen_each + order.commission_each) * asked.volume
        if needed > self.available(last_price):
            return Code.NO_MONEY
        self._hold(order, asked.volume)
        return Code.NONE

    def release(self, order: Order) -> None:
        """Give back what an order that ended did not use."""
        if order.asked.offset is Offset.OPEN:
            self._hold(order, -order.left)
            return
        position = self.position(order.asked.listing, not order.asked.is_buy)
        position.frozen_today -= order.frozen_today
        position.frozen_yesterday -= order.frozen_yesterday
        order.frozen_today = order.frozen_yesterday = 0

    def _hold(self, order: Order, lots: int) -> None:
        self.frozen_margin += order.frozen_each * lots
        self.frozen_commission += order.commission_each * lots

    def _freeze_lots(self, order: Order) -> Code:
        asked = order.asked
        position = self.position(asked.listing, not asked.is_buy)
        today, yesterday = position.today - position.frozen_today, position.yesterday - position.frozen_yesterday
        if asked.listing.exchange in _TELLS_DAYS_APART:
            if asked.offset is Offset.CLOSE_TODAY:
                yesterday, lacking = 0, Code.OVER_CLOSE_TODAY
            else:
                today, lacking = 0, Code.OVER_CLOSE_YESTERDAY
        else:
            lacking = Code.OVER_CLOSE
        if asked.volume > today + yesterday:
            return lacking
        order.frozen_yesterday = min(asked.volume, yesterday)
        order.frozen_today = asked.volume - order.frozen_yesterday
        position.frozen_today += order.frozen_today
        position.frozen_yesterday += order.frozen_yesterday
        return Code.NONE

    # What trades do

    def trade(self, order: Order, price: float, lots: int) -> Iterator[tuple[Offset, int]]:
        """Book a fill; gives which lots it opened or closed, since one fill may close lots of both days."""
        asked, listing = order.asked, order.asked.listing
        fee = _commission(listing, price) * lots
        self.commission += fee
        if listing.option:
            self.premium += (-1 if asked.is_buy else 1) * price * lots * listing.multiplier
        if asked.offset is Offset.OPEN:
            self._hold(order, -lots)
            position = self.position(listing, asked.is_buy)
            _open(position, price, lots)
            position.commission += fee
            yield Offset.OPEN, lots
            return
        position = self.position(listing, not asked.is_buy)
        position.commission += fee
        older = min(lots, order.frozen_yesterday)
        apart = listing.exchange in _TELLS_DAYS_APART
        if older:
            order.frozen_yesterday -= older
            position.frozen_yesterday -= older
            self.close_profit += _close(position, price, older, today=False)
            yield Offset.CLOSE_YESTERDAY if apart else Offset.CLOSE, older
        if newer := lots - older:
            order.frozen_today -= newer
            position.frozen_today -= newer
            self.close_profit += _close(position, price, newer, today=True)
            yield Offset.CLOSE_TODAY if apart else Offset.CLOSE, newer

    def settle(self, settlement_price: LastPrice) -> None:
        """End the trading day: profits become balance, today's lots become yesterday's."""
        self.pre_balance = self.balance(settlement_price)
        self.close_profit = self.commission = self.premium = self.frozen_margin = self.frozen_commission = 0.0
        for key, position in list(self.positions.items()):
            if not position.lots:
                del self.positions[key]
                continue
            price = settlement_price(position.listing.symbol)
            cost = (
                position.cost
                if price is None or position.listing.option
                else (price * position.lots * position.listing.multiplier)
            )
            self.positions[key] = Position(
                position.listing,
                position.is_long,
                yesterday=position.lots,
                held_before=position.lots,
                yesterday_cost=cost,
                open_cost=position.open_cost,
                settled_at=price or 0.0,
            )


def _needed(asked: NewOrder, price: float) -> float:
    """For a lot that opens."""
    listing = asked.listing
    if listing.option is None:
        return price * listing.multiplier * listing.margin_ratio
    if asked.is_buy:
        return price * listing.multiplier
    return listing.option.strike * listing.multiplier * listing.margin_ratio


def _commission(listing: Listing, price: float) -> float:
    by_money, by_volume = commission_ratios(listing)
    return price * listing.multiplier * by_money + by_volume


def _open(position: Position, price: float, lots: int) -> None:
    cost = price * lots * position.listing.multiplier
    position.today += lots
    position.today_cost += cost
    position.open_cost += cost
    position.open_volume += lots


def _close(position: Position, price: float, lots: int, *, today: bool) -> float:
    """Take lots away, at their average cost; returns the profit of it. An option's is in its premium."""
    held = position.today if today else position.yesterday
    cost = (position.today_cost if today else position.yesterday_cost) * lots / held
    position.open_cost -= position.open_cost * lots / position.lots
    if today:
        position.today -= lots
        position.today_cost -= cost
    else:
        position.yesterday -= lots
        position.yesterday_cost -= cost
    position.close_volume += lots
    if position.listing.option:
        return 0.0
    value = price * lots * position.listing.multiplier
    profit = value - cost if position.is_long else cost - value
    position.close_profit += profit
    return profit
