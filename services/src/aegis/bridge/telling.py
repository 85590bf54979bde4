"""What vnpy is told of an account: orders, each trade once, positions and money.

vnpy has one position for a contract and direction; the desk has one for each hedge flag of it, so they are added up.
A trade is told once, however often the desk tells it: strategies count their lots by it. An order never goes back,
and is told again only when its status or its fills are others: algorithms of vnpy take each end for that of the order
that they sent last, and send the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Final, NamedTuple

from vnpy.trader.constant import Status  # pyright: ignore[reportMissingImports]  # where CTP is not built
from vnpy.trader.object import (  # pyright: ignore[reportMissingImports]
    AccountData,
    BaseData,
    LogData,
    OrderData,
    PositionData,
    TradeData,
)

from aegis.bridge.doubt import Doubt
from aegis.bridge.words import (
    DIRECTIONS,
    DIRECTIONS_OF_POSITIONS,
    EXCHANGES,
    OFFSETS,
    STATUSES,
    TYPES,
    moment,
    number_of,
    split_instrument,
)
from aegis.contracts.orders import (
    CAME_LATE,
    Account,
    AccountReported,
    Direction,
    Hedge,
    Order,
    OrderReported,
    Position,
    PositionReported,
    Trade,
    TradeReported,
)
from aegis.desk import Change, Snapshot

__all__ = ["ENDED", "ERROR", "WARNING", "Teller"]

ENDED: Final = "it does not work any more, and what it has traded the venue's statement says"
WARNING: Final = 30
ERROR: Final = 40
"""vnpy's levels are those of logging."""
_REFUSED: Final = ("rejected", "not_sent")


class _Side(NamedTuple):
    instrument: str
    direction: Direction


class Teller:
    """Pure: it is told what the desk tells, and gives what vnpy is to hear, in this order.

    It knows one account from one connection to the next, each of which has its own `state` first.
    """

    def __init__(self, gateway_name: str) -> None:
        self._gateway_name = gateway_name
        self.multipliers: dict[str, float] = {}  # of the contracts that are known
        self.trading_day = ""
        self.in_doubt: dict[str, Doubt] = {}  # orders that vnpy sent, by their names
        self._orders: dict[str, Order] = {}  # as the desk told last
        self._told: dict[str, tuple[Status, float]] = {}  # status and fills of each order, as vnpy was told last
        self._references: dict[str, str] = {}  # of orders that vnpy sent, as it wrote them
        self._trades: set[str] = set()
        self._positions: dict[_Side, dict[Hedge, Position]] = {}

    def sent(self, client_order_id: str, reference: str) -> None:
        self._references[client_order_id] = reference

    def knows(self, client_order_id: str) -> bool:
        """Whether the desk has told of that order."""
        return client_order_id in self._orders

    def ended(self, order: OrderData, status: Status) -> list[BaseData]:
        """The end of an order that vnpy sent and the desk has not; where the desk has it, that tells its end."""
        if self.knows(order.orderid):
            return []
        after = copy(order)
        after.status = status
        return self._anew(after)

    def state(self, now: Snapshot) -> list[BaseData]:
        """What is new of all there is, and all positions; those that are gone with 0 lots."""
        self._begin(now.account.trading_day)
        found = self._ended(now)
        found += [data for order in now.orders for data in self._order(order)]
        found += [data for trade in now.trades for data in self._trade(trade)]
        gone = self._positions.keys() - {_side(one) for one in now.positions}
        for side in gone:
            self._positions[side] = {
                hedge: one.model_copy(update=dict.fromkeys(_COUNTED, 0)) for hedge, one in self._positions[side].items()
            }
        told = dict.fromkeys([*gone, *(_side(one) for one in now.positions)])
        for side in told.keys() - gone:
            self._positions[side] = {one.hedge: one for one in now.positions if _side(one) == side}
        found += [data for side in told for data in self._position(side)]
        for side in gone:
            del self._positions[side]
        return [*found, self._account(now.account)]

    def changed(self, change: Change) -> list[BaseData]:
        match change:
            case OrderReported(order=order):
                return self._order(order)
            case TradeReported(trade=trade):
                return self._trade(trade)
            case PositionReported(position=position):
                self._positions.setdefault(_side(position), {})[position.hedge] = position
                return self._position(_side(position))
            case AccountReported(state=account):
                self._begin(account.trading_day)
                return [self._account(account)]

    def asked_positions(self, positions: Sequence[Position]) -> list[BaseData]:
        """The answer to a query. Lots that an event has not told yet are left to that: it is on its way."""
        sides: dict[_Side, dict[Hedge, Position]] = {}
        for one in positions:
            sides.setdefault(_side(one), {})[one.hedge] = one
        for side, found in sides.items():
            if _lots(found) == _lots(self._positions.get(side, {})):
                self._positions[side] = found
        return [data for side in sides for data in self._position(side)]

    def asked_account(self, account: Account) -> list[BaseData]:
        return [self._account(account)]

    def _begin(self, day: str) -> None:
        """Forget what is older than the day before: while the day rolls, a state may have orders and trades of that."""
        if day == self.trading_day:
            return
        before, self.trading_day = self.trading_day, day
        self._trades = {name for name in self._trades if name.startswith(f"{before}:")}
        left = {name: one for name, one in self._orders.items() if not one.is_final or one.trading_day == before}
        self._orders = left
        self._told = {name: told for name, told in self._told.items() if name in left}
        self._references = {name: text for name, text in self._references.items() if name in left}

    def _ended(self, now: Snapshot) -> list[BaseData]:
        """Orders that worked when they were told last, and whose day has ended while nothing could be told."""
        there = {order.client_order_id for order in now.orders}
        found: list[BaseData] = []
        for name, order in tuple(self._orders.items()):
            if order.is_final or order.trading_day == now.account.trading_day or name in there:
                continue
            found += self._order(order.model_copy(update={"status": "expired"}))
            text = f"order {name} of {order.instrument} was of {order.trading_day}, which has ended unheard; {ENDED}"
            found.append(LogData(msg=text, level=WARNING, gateway_name=self._gateway_name))
        return found

    def _order(self, order: Order) -> list[BaseData]:
        last = self._orders.get(order.client_order_id)
        if last is not None and (order.filled < last.filled or _is_older(order, last)):
            return []  # read before what was told already
        if not _is_known(order.instrument):
            return []
        self._orders[order.client_order_id] = order
        symbol, exchange = split_instrument(order.instrument)
        found = self._anew(
            OrderData(
                symbol=symbol,
                exchange=exchange,
                orderid=order.client_order_id,
                type=TYPES[order.type],
                direction=DIRECTIONS[order.side],
                offset=OFFSETS[order.offset],
                price=number_of(order.price),
                volume=order.volume,
                traded=order.filled,
                status=STATUSES[order.status],
                datetime=moment(order.ts_created_ns),
                reference=self._references.get(order.client_order_id, order.strategy_id),
                gateway_name=self._gateway_name,
            )
        )
        if order.status in _REFUSED and (last is None or not last.is_final):
            why = " ".join(part for part in (order.reason, order.text) if part) or "no reason was given"
            text = f"order {order.client_order_id} of {order.instrument} is {order.status.replace('_', ' ')}: {why}"
            found.append(LogData(msg=text, level=WARNING, gateway_name=self._gateway_name))
        return found

    def _anew(self, order: OrderData) -> list[BaseData]:
        now = order.status, order.traded
        if self._told.get(order.orderid) == now:
            return []
        self._told[order.orderid] = now
        return [order]

    def _trade(self, trade: Trade) -> list[BaseData]:
        """The desk's trade_id recurs, vnpy's does not."""
        name = f"{trade.trading_day}:{trade.client_order_id}:{trade.trade_id.strip()}"
        if name in self._trades or not _is_known(trade.instrument):
            return []
        self._trades.add(name)
        symbol, exchange = split_instrument(trade.instrument)
        return [
            TradeData(
                symbol=symbol,
                exchange=exchange,
                orderid=trade.client_order_id,
                tradeid=name,
                direction=DIRECTIONS[trade.side],
                offset=OFFSETS[trade.offset],
                price=number_of(trade.price),
                volume=trade.volume,
                datetime=moment(trade.ts_exchange_ns),
                gateway_name=self._gateway_name,
            )
        ]

    def _position(self, side: _Side) -> list[BaseData]:
        """The price is that of its cost, as with CTP: today's lots at their own, older ones at their settlement."""
        parts = self._positions.get(side, {}).values()
        if not parts or not _is_known(side.instrument):
            return []
        symbol, exchange = split_instrument(side.instrument)
        lots = sum(one.lots for one in parts)
        units = lots * self.multipliers.get(side.instrument, 0)
        return [
            PositionData(
                symbol=symbol,
                exchange=exchange,
                direction=DIRECTIONS_OF_POSITIONS[side.direction],
                volume=lots,
                frozen=sum(one.frozen_today + one.frozen_yesterday for one in parts),
                price=float(sum(one.position_cost for one in parts)) / units if units else 0.0,
                pnl=float(sum(one.position_profit for one in parts)),
                yd_volume=sum(one.yesterday for one in parts),
                gateway_name=self._gateway_name,
            )
        ]

    def _account(self, account: Account) -> AccountData:
        """`available` is the desk's, not what is left of the balance: margin of positions is not in `frozen`."""
        data = AccountData(
            accountid=account.account,
            balance=number_of(account.balance),
            frozen=number_of(account.frozen_margin + account.frozen_commission),
            gateway_name=self._gateway_name,
        )
        data.available = number_of(account.available)
        return data


_COUNTED: Final = (
    *("today", "yesterday", "frozen_today", "frozen_yesterday"),
    *("position_cost", "open_cost", "margin", "position_profit"),
)


def _side(position: Position) -> _Side:
    return _Side(position.instrument, position.direction)


def _lots(parts: dict[Hedge, Position]) -> dict[Hedge, tuple[int, ...]]:
    return {hedge: (one.today, one.yesterday, one.frozen_today, one.frozen_yesterday) for hedge, one in parts.items()}


def _is_older(order: Order, last: Order) -> bool:
    """Whether an order's end was told. One that was called not sent, and came late, works behind that."""
    return last.is_final and not order.is_final and (last.status, order.reason) != ("not_sent", CAME_LATE)


def _is_known(instrument: str) -> bool:
    """vnpy has no other exchanges."""
    return instrument.partition(".")[0] in EXCHANGES
