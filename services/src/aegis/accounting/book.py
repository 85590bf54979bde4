"""One account: its orders, trades, positions and money, as far as all that was committed tells.

Figures only follow from changes, never from a clock or a price feed; what depends on a live price is computed when it
is asked for, with the prices given. Positions and money move with trades, not with what orders say of their fills.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple

from aegis.accounting.charges import commission, margin, order_fees
from aegis.accounting.holdings import Holding, holding_key
from aegis.accounting.holds import HeldBack, Hold, days_of
from aegis.accounting.lifecycle import traded
from aegis.accounting.offsets import TELLS_DAYS_APART, Free, exchange_of, held_back
from aegis.accounting.resting import Resting
from aegis.accounting.rules import Rules
from aegis.contracts.amounts import ZERO, Price, to_grain
from aegis.contracts.orders import Direction, Hedge, Mode, Order, OrderEnv, Trade
from aegis.contracts.venue import InstrumentTerms, VenueTrade

__all__ = ["Book", "Figures", "Prices", "trade_key"]

Prices = Mapping[str, Price]
"""The latest price of each instrument; one without has no position profit."""


class Figures(NamedTuple):
    """Money of an account at some prices.

    `available` is the balance less margin and what orders hold back, and less the profit of open positions where the
    broker does not let it be spent.
    """

    position_profit: Decimal
    margin: Decimal
    frozen_margin: Decimal
    frozen_commission: Decimal
    balance: Decimal
    available: Decimal


_NO_TIMES: Final = {"ts_updated_ns": 0, "ts_accepted_ns": 0}


@dataclass(slots=True)
class Book:
    """Times are UTC nanoseconds, money in yuan. `sequence` counts the events of the account that were told.

    `orders`, `working` and `holds` change by what happens below, and nothing else: `resting` and `total` follow them.
    """

    account: str
    env: OrderEnv
    trading_day: str
    pre_balance: Decimal
    rules: Rules
    armed: bool
    opening: bool = False  # its positions and money are not taken from the venue yet
    mode: Mode = "normal"
    killed: bool = False  # halted by a kill: no order is to work
    deposit: Decimal = ZERO
    withdraw: Decimal = ZERO
    close_profit: Decimal = ZERO
    commission: Decimal = ZERO
    sequence: int = 0
    terms: dict[str, InstrumentTerms] = field(default_factory=dict[str, InstrumentTerms])
    orders: dict[str, Order] = field(default_factory=dict[str, Order])  # of the trading day, by client_order_id
    working: dict[str, None] = field(default_factory=dict[str, None])  # those that are not final, in their order
    trades: dict[str, Trade] = field(default_factory=dict[str, Trade])  # of the trading day, by trade_key
    holdings: dict[str, Holding] = field(default_factory=dict[str, Holding])
    holds: dict[str, Hold] = field(default_factory=dict[str, Hold])  # by client_order_id, while there is anything
    ended: dict[str, Order] = field(default_factory=dict[str, Order])  # that worked when the day before ended
    resting: Resting = field(init=False, repr=False, compare=False)  # of `working`, and `total` of `holds`:
    total: HeldBack = field(init=False, repr=False, compare=False)  # no snapshot has them

    def __post_init__(self) -> None:
        self._count_anew()

    # What is there

    def holding(self, instrument: str, direction: Direction, hedge: Hedge) -> Holding:
        key = holding_key(instrument, direction, hedge)
        return self.holdings.setdefault(key, Holding(instrument, direction, hedge))

    def frozen(self, key: str) -> Free:
        """Lots of a holding that orders hold back; never more than there are."""
        holding = self.holdings.get(key)
        if holding is None:
            return Free(0, 0)
        held = self.total.lots(key)
        return Free(min(held.today, holding.today.lots), min(held.yesterday, holding.yesterday.lots))

    def free(self, key: str) -> Free:
        """Lots of a holding that no order closes yet."""
        holding = self.holdings.get(key)
        if holding is None:
            return Free(0, 0)
        frozen = self.frozen(key)
        return Free(holding.today.lots - frozen.today, holding.yesterday.lots - frozen.yesterday)

    @property
    def held(self) -> set[str]:
        """The instruments that it has lots of."""
        return {holding.instrument for holding in self.holdings.values() if holding.lots}

    @property
    def instruments(self) -> set[str]:
        """What it holds, or has orders of that may still trade."""
        held = {holding.instrument for holding in self.holdings.values()}
        return held | {self.orders[name].instrument for name in self.working}

    def held_past(self, day: str) -> set[str]:
        """What it holds of contracts whose last day lies before that day."""
        known = {name: self.terms[name].expiry_day for name in self.held & self.terms.keys()}
        return {name for name, last in known.items() if last is not None and last < day}

    def working_orders(self, instrument: str = "") -> list[Order]:
        """Orders that may still trade, of one instrument or of all."""
        orders = [self.orders[name] for name in self.working]
        return [order for order in orders if order.instrument == instrument] if instrument else orders

    # Money

    def margin_of(self, holding: Holding) -> Decimal:
        """UseMargin of one direction: yesterday's lots at their settlement price, today's as the rules say."""
        terms = self.terms.get(holding.instrument)
        if terms is None:
            return ZERO
        value = holding.cost
        settled = terms.pre_settlement_price
        if self.rules.today_margin == "pre_settlement" and settled is not None:
            today = holding.today.cost
            value += settled * holding.today.lots * terms.multiplier - today
        return margin(terms, holding.direction, holding.hedge, value, holding.lots)

    def margin(self) -> Decimal:
        """CurrMargin: of products under the larger-side rule only the dearer direction counts.

        CFFEX compares within one hedge flag, each being a trading code of its own; SHFE and INE over all (CTP's FAQ
        on OnRspQryTradingAccount).
        """
        total = ZERO
        sides: dict[tuple[str, str, str], dict[str, Decimal]] = {}
        for holding in self.holdings.values():
            terms = self.terms.get(holding.instrument)
            needed = self.margin_of(holding)
            if terms is None or not terms.larger_side:
                total += needed
                continue
            exchange = exchange_of(holding.instrument)
            group = (exchange, terms.product, holding.hedge if exchange == "CFFEX" else "")
            side = sides.setdefault(group, {"long": ZERO, "short": ZERO})
            side[holding.direction] += needed
        return to_grain(total + sum((max(side.values()) for side in sides.values()), ZERO))

    def position_profit(self, prices: Prices) -> Decimal:
        return sum((self._profit(one, prices.get(one.instrument)) for one in self.holdings.values()), ZERO)

    def balance(self, prices: Prices) -> Decimal:
        return self.settled + self.position_profit(prices)

    def available(self, prices: Prices) -> Decimal:
        return self.figures(prices).available

    @property
    def settled(self) -> Decimal:
        """The balance but for open positions: PreBalance + Deposit - Withdraw + CloseProfit - Commission."""
        return self.pre_balance + self.deposit - self.withdraw + self.close_profit - self.commission

    def figures(self, prices: Prices) -> Figures:
        """What follows from the rest, by CTP's TradingAccount."""
        profit, margin = self.position_profit(prices), self.margin()
        frozen_margin, frozen_commission = self.frozen_margin, self.frozen_commission
        balance = self.settled + profit
        unspent = ZERO if self.rules.gains_available else max(profit, ZERO)
        available = balance - margin - frozen_margin - frozen_commission - unspent
        return Figures(profit, margin, frozen_margin, frozen_commission, balance, available)

    @property
    def frozen_margin(self) -> Decimal:
        return self.total.margin

    @property
    def frozen_commission(self) -> Decimal:
        return self.total.commission

    def _profit(self, holding: Holding, price: Price | None) -> Decimal:
        terms = self.terms.get(holding.instrument)
        return holding.profit(price, terms.multiplier) if terms else ZERO

    # What orders hold back

    def hold_for(self, order: Order, price: Price) -> Hold:
        """What an order would hold back, at that price. One that closes more than is free holds what there is."""
        terms = self.terms[order.instrument]
        if order.is_open:
            at = price
            if self.rules.today_margin == "pre_settlement" and terms.pre_settlement_price is not None:
                at = terms.pre_settlement_price
            needed = to_grain(margin(terms, order.direction, order.hedge, at * terms.multiplier, 1))
            return Hold(needed, commission(terms, "open", price, 1), order.volume)
        key = holding_key(order.instrument, order.direction, order.hedge)
        today, yesterday = held_back(exchange_of(order.instrument), order.offset, order.volume, self.free(key))
        fee = commission(terms, "close", price, 1) if self.rules.close_holds_commission else ZERO
        return Hold(ZERO, fee, order.volume, key, today, yesterday)

    # What happens

    def enter(self, order: Order, price: Price) -> None:
        """A new order, before the venue hears of it, or one that is adopted or came late."""
        self._put(order)
        if order.instrument in self.terms:
            self._hold(order.client_order_id, self.hold_for(order, price))
        self._settle_hold(order)

    def release(self, client_order_id: str) -> None:
        """What is left of an order may not trade, and holds nothing back."""
        if client_order_id in self.working:
            self.resting.remove(self.orders[client_order_id])
            del self.working[client_order_id]
        self._hold(client_order_id, None)

    def forget(self, client_order_id: str) -> None:
        """Take back what `enter` has done, and nothing else was done since."""
        self.release(client_order_id)
        del self.orders[client_order_id]

    def become(self, order: Order) -> bool:
        """The order as it is now; whether that is news, and not only a later time of the same."""
        before = self.orders[order.client_order_id]
        if before.status == "not_sent" != order.status:  # it lives, and holds back again what is left of it
            self.enter(order, order.price or ZERO)
        self._put(order)
        terms = self.terms.get(order.instrument)
        if terms is not None:
            self.commission += order_fees(terms, order) - order_fees(terms, before)
        self._settle_hold(order)
        return {**order.__dict__, **_NO_TIMES} != {**before.__dict__, **_NO_TIMES}

    def book(self, order: Order, report: VenueTrade) -> Trade | None:
        """A fill of an order: positions and money, once for each trade. None where it was booked before."""
        key = trade_key(report)
        terms = self.terms.get(report.instrument)
        if key in self.trades or terms is None:
            return None
        hold = self.holds.get(order.client_order_id)
        if report.offset == "open":
            fee, profit = self._open(terms, order, report), ZERO
            if hold is not None:
                self._hold(order.client_order_id, hold.used(0, report.volume))
        else:
            fee, profit = self._close(terms, order, report, hold)
        trade = Trade(
            account=self.account,
            env=self.env,
            trade_id=report.trade_id,
            client_order_id=order.client_order_id,
            strategy_id=order.strategy_id,
            venue_order_id=report.venue_order_id,
            instrument=report.instrument,
            side=report.side,
            offset=report.offset,
            hedge=report.hedge,
            price=report.price,
            volume=report.volume,
            commission=fee,
            close_profit=profit,
            trading_day=report.trading_day,
            ts_exchange_ns=report.ts_exchange_ns,
        )
        self.trades[key] = trade
        self.become(traded(order, report.volume, report.price, report.ts_exchange_ns, report.venue_order_id))
        return trade

    def _open(self, terms: InstrumentTerms, order: Order, report: VenueTrade) -> Decimal:
        direction: Direction = "long" if report.side == "buy" else "short"
        holding = self.holding(report.instrument, direction, report.hedge)
        cost = report.price * report.volume * terms.multiplier
        holding.open(report.volume, cost, averaged=self.rules.closing == "average")
        fee = commission(terms, "open", report.price, report.volume)
        holding.commission += fee
        self.commission += fee
        return fee

    def _close(
        self, terms: InstrumentTerms, order: Order, report: VenueTrade, hold: Hold | None
    ) -> tuple[Decimal, Decimal]:
        """Commission and profit. Lots that are not there are missing until the venue is compared with."""
        direction: Direction = "short" if report.side == "buy" else "long"
        holding = self.holding(report.instrument, direction, report.hedge)
        older, newer = days_of(report, holding, hold)
        taken = (holding.close(older, of_today=False), holding.close(newer, of_today=True))
        if hold is not None:
            self._hold(order.client_order_id, hold.used(older, newer))
        lots, cost = sum(one.lots for one in taken), sum((one.cost for one in taken), ZERO)
        value = report.price * lots * terms.multiplier
        profit = value - cost if direction == "long" else cost - value
        apart = exchange_of(report.instrument) in TELLS_DAYS_APART
        as_today = newer if apart else holding.charged_as_today(report.volume)
        fee = commission(terms, "close_today", report.price, as_today)
        fee += commission(terms, "close", report.price, report.volume - as_today)
        holding.commission += fee
        holding.close_profit += profit
        self.commission += fee
        self.close_profit += profit
        return fee, profit

    def _settle_hold(self, order: Order) -> None:
        """Hold no more than may still trade: what works, and fills that are known whose trades are under way."""
        hold = self.holds.get(order.client_order_id)
        if hold is None:
            return
        lots = max((order.filled if order.is_final else order.volume) - order.traded, 0)
        if lots < hold.lots:
            self._hold(order.client_order_id, hold.shrunk(lots) if lots else None)

    def _put(self, order: Order) -> None:
        """The order as it is now; one that is final works no more."""
        name = order.client_order_id
        if name in self.working:
            self.resting.remove(self.orders[name])
        self.orders[name] = order
        if order.is_final:
            self.working.pop(name, None)
        else:
            self.working[name] = None
            self.resting.add(order)

    def _hold(self, client_order_id: str, hold: Hold | None) -> None:
        """What an order holds back from now on, in place of what it did."""
        if (before := self.holds.get(client_order_id)) is not None:
            self.total.remove(before)
        if hold is None or not hold.lots:
            self.holds.pop(client_order_id, None)
        else:
            self.holds[client_order_id] = hold
            self.total.add(hold)

    def _count_anew(self) -> None:
        self.resting, self.total = Resting(self.working_orders()), HeldBack(self.holds.values())

    def roll(self, trading_day: str, settlements: Prices) -> None:
        """End the trading day: profits become balance, lots yesterday's, and what the day counted begins anew."""
        self.pre_balance = self.balance(settlements)
        self.deposit = self.withdraw = self.close_profit = self.commission = ZERO
        for key, holding in list(self.holdings.items()):
            terms = self.terms.get(holding.instrument)
            if not holding.lots:
                del self.holdings[key]
                continue
            price = settlements.get(holding.instrument) if terms else None
            holding.roll(price, terms.multiplier if terms else 0, averaged=self.rules.closing == "average")
            if terms is not None and price is not None:
                self.terms[holding.instrument] = terms.model_copy(update={"pre_settlement_price": price})
        self.trading_day = trading_day
        for gone in (self.orders, self.working, self.trades, self.holds):
            gone.clear()
        self._count_anew()

    def end(self, instruments: Collection[str]) -> None:
        """Contracts are no more: what was held of them was settled for the last time."""
        self.holdings = {key: one for key, one in self.holdings.items() if one.instrument not in instruments}
        self.terms = {name: terms for name, terms in self.terms.items() if name not in instruments}


def trade_key(trade: VenueTrade | Trade) -> str:
    """What makes a trade unique: its id recurs daily, and on both sides of one match."""
    return f"{trade.trading_day}|{trade.instrument}|{trade.venue_order_id}|{trade.trade_id}|{trade.side}"
