"""Orders, trades, positions and accounts as CTP's records."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from aegis.exchanges.sessions import Phase
from ctpsim.front.errors import Code
from ctpsim.front.users import User
from ctpsim.market.depth import clock_text
from ctpsim.market.universe import Listing
from ctpsim.records import Values
from ctpsim.venue.accounts import Account, LastPrice, Position
from ctpsim.venue.orders import Direction, NewOrder, Offset, Order, OrderKey, PriceType, Trade

__all__ = ["account_values", "asked_order", "order_values", "phase_at", "position_values", "trade_values"]

_IMMEDIATELY, _FOR_THE_DAY = "1", "3"
_ANY_VOLUME, _SOME_VOLUME, _ALL_VOLUME = "1", "2", "3"
_AT_ONCE: Final = "1"
_SPECULATION: Final = "1"
_DISHONEST: Final = 1e300


def asked_order(values: Values, user: User, key: OrderKey, listings: Mapping[str, Listing]) -> NewOrder | Code:
    """What an input order asks for, or what is wrong with it."""
    listing = listings.get(values["InstrumentID"])
    if (values["BrokerID"], values["InvestorID"]) != (user.broker_id, user.user_id):
        return Code.BAD_FIELD
    if listing is None or values["ExchangeID"] not in ("", listing.exchange):
        return Code.UNKNOWN_INSTRUMENT
    if values["OrderPriceType"] not in list(PriceType):
        return Code.PRICE_TYPE
    if not _is_well_formed(values):
        return Code.BAD_FIELD
    volume = values["VolumeTotalOriginal"]
    price_type = PriceType(values["OrderPriceType"])
    minimum = {_SOME_VOLUME: max(values["MinVolume"], 1), _ALL_VOLUME: volume}.get(values["VolumeCondition"], 0)
    return NewOrder(
        account=user.user_id,
        key=key,
        listing=listing,
        direction=Direction(values["Direction"]),
        offset=Offset(values["CombOffsetFlag"]),
        price_type=price_type,
        price=values["LimitPrice"],
        volume=volume,
        immediate=values["TimeCondition"] == _IMMEDIATELY or price_type is PriceType.MARKET,
        minimum=minimum,
        memo=values["OrderMemo"],
    )


def _is_well_formed(values: Values) -> bool:
    price = values["LimitPrice"]
    return (
        values["Direction"] in list(Direction)
        and values["CombOffsetFlag"] in list(Offset)
        and values["TimeCondition"] in (_IMMEDIATELY, _FOR_THE_DAY)
        and values["VolumeCondition"] in (_ANY_VOLUME, _SOME_VOLUME, _ALL_VOLUME)
        and values["ContingentCondition"] in ("", _AT_ONCE)
        and values["VolumeTotalOriginal"] > 0
        and isfinite(price)
        and abs(price) < _DISHONEST
    )


def phase_at(phases: bytes | None, second: int) -> Phase:
    """Of a product whose hours are not known: always open."""
    return Phase.TRADING if phases is None else Phase(phases[second])


def order_values(order: Order, user: User) -> dict[str, Any]:
    asked, listing = order.asked, order.asked.listing
    all_or_none = asked.minimum == asked.volume
    return {
        **_who(user),
        **_what(listing),
        "UserID": user.user_id,
        "OrderRef": asked.key.order_ref,
        "OrderPriceType": asked.price_type,
        "Direction": asked.direction,
        "CombOffsetFlag": asked.offset,
        "CombHedgeFlag": _SPECULATION,
        "LimitPrice": asked.price,
        "VolumeTotalOriginal": asked.volume,
        "TimeCondition": _IMMEDIATELY if asked.immediate else _FOR_THE_DAY,
        "VolumeCondition": _ALL_VOLUME if all_or_none else _SOME_VOLUME if asked.minimum else _ANY_VOLUME,
        "MinVolume": max(asked.minimum, 1),
        "ContingentCondition": _AT_ONCE,
        "ForceCloseReason": "0",
        "OrderLocalID": order.local_id,
        "OrderSubmitStatus": order.submit,
        "TradingDay": order.inserted.trading_day,
        "SettlementID": 1,
        "OrderSysID": order.sys_id,
        "OrderStatus": order.status,
        "OrderType": "0",
        "VolumeTraded": order.traded,
        "VolumeTotal": order.left,
        "InsertDate": order.inserted.day,
        "InsertTime": clock_text(order.inserted.second),
        "CancelTime": "" if order.cancelled_second is None else clock_text(order.cancelled_second),
        "FrontID": asked.key.front_id,
        "SessionID": asked.key.session_id,
        "StatusMsg": order.text,
        "OrderMemo": asked.memo,
    }


def trade_values(trade: Trade, user: User) -> dict[str, Any]:
    order = trade.order
    return {
        **_who(user),
        **_what(order.asked.listing),
        "UserID": user.user_id,
        "OrderRef": order.asked.key.order_ref,
        "TradeID": trade.trade_id,
        "Direction": order.asked.direction,
        "OrderSysID": order.sys_id,
        "OffsetFlag": trade.offset,
        "HedgeFlag": _SPECULATION,
        "Price": trade.price,
        "Volume": trade.volume,
        "TradeDate": trade.at.day,
        "TradeTime": clock_text(trade.at.second),
        "OrderLocalID": order.local_id,
        "TradingDay": trade.at.trading_day,
        "SettlementID": 1,
    }


def account_values(account: Account, user: User, last_price: LastPrice, day: str) -> dict[str, Any]:
    available = account.available(last_price)
    return {
        "BrokerID": user.broker_id,
        "AccountID": user.user_id,
        "PreBalance": account.pre_balance,
        "FrozenMargin": account.frozen_margin,
        "FrozenCommission": account.frozen_commission,
        "CurrMargin": account.margin(),
        "ExchangeMargin": account.margin(),
        "CashIn": account.premium,
        "Commission": account.commission,
        "CloseProfit": account.close_profit,
        "PositionProfit": account.position_profit(last_price),
        "Balance": account.balance(last_price),
        "Available": available,
        "WithdrawQuota": max(available, 0.0),
        "TradingDay": day,
        "SettlementID": 1,
        "CurrencyID": "CNY",
    }


def position_values(position: Position, user: User, last_price: LastPrice, day: str) -> list[dict[str, Any]]:
    """SHFE and INE have a record for today's lots and one for the older ones, the others one for both."""
    if position.listing.exchange not in ("SHFE", "INE"):
        lots, frozen = position.lots, position.frozen_today + position.frozen_yesterday
        return [_position(position, user, last_price, day, "1", lots, frozen, position.cost)]
    records: list[dict[str, Any]] = []
    if position.open_volume:
        lots, frozen, cost = position.today, position.frozen_today, position.today_cost
        records.append({**_position(position, user, last_price, day, "1", lots, frozen, cost), "YdPosition": 0})
    if position.held_before:
        lots, frozen, cost = position.yesterday, position.frozen_yesterday, position.yesterday_cost
        records.append(_position(position, user, last_price, day, "2", lots, frozen, cost))
    return records


def _position(
    position: Position,
    user: User,
    last_price: LastPrice,
    day: str,
    date: str,
    lots: int,
    frozen: int,
    cost: float,
) -> dict[str, Any]:
    share = lots / position.lots if position.lots else 0.0
    frozen_by = "ShortFrozen" if position.is_long else "LongFrozen"  # by the side of the order that closes it
    return {
        **_who(user),
        "InstrumentID": position.listing.symbol,
        "ExchangeID": position.listing.exchange,
        "PosiDirection": "2" if position.is_long else "3",
        "HedgeFlag": _SPECULATION,
        "PositionDate": date,
        "YdPosition": position.held_before,
        "Position": lots,
        "TodayPosition": position.today if date == "1" else 0,
        frozen_by: frozen,
        "OpenVolume": position.open_volume,
        "CloseVolume": position.close_volume,
        "PositionCost": cost,
        "OpenCost": position.open_cost * share,
        "UseMargin": position.margin * share,
        "Commission": position.commission * share,
        "CloseProfit": position.close_profit * share,
        "PositionProfit": position.profit(last_price(position.listing.symbol)) * share,
        "PreSettlementPrice": position.settled_at,
        "TradingDay": day,
        "SettlementID": 1,
    }


def _who(user: User) -> dict[str, Any]:
    return {"BrokerID": user.broker_id, "InvestorID": user.user_id}


def _what(listing: Listing) -> dict[str, Any]:
    return {"ExchangeID": listing.exchange, "InstrumentID": listing.symbol, "ExchangeInstID": listing.symbol}
