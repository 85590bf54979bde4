"""Orders, trades, positions and an account that say little: tests replace what they are about."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from aegis.contracts.orders import Account, Order, Position, Trade

DAY = "20251128"
REBAR = "SHFE.rb2605"


def an_order(name: str = "o1", **other: Any) -> Order:
    facts: dict[str, Any] = {
        "account": "a",
        "env": "paper",
        "client_order_id": name,
        "request_id": name,
        "strategy_id": "s",
        "instrument": REBAR,
        "side": "buy",
        "offset": "open",
        "hedge": "speculation",
        "type": "limit",
        "price": Decimal(3000),
        "volume": 3,
        "status": "accepted",
        "trading_day": DAY,
        "ts_created_ns": 1_764_295_200_123_456_789,  # 10:00:00.123456789 in Shanghai
        "ts_updated_ns": 2,
    }
    return Order(**{**facts, **other})


def a_trade(trade_id: str = "1", order: str = "o1", **other: Any) -> Trade:
    facts: dict[str, Any] = {
        "account": "a",
        "env": "paper",
        "trade_id": trade_id,
        "client_order_id": order,
        "strategy_id": "s",
        "venue_order_id": "v1",
        "instrument": REBAR,
        "side": "buy",
        "offset": "open",
        "hedge": "speculation",
        "price": Decimal(3001),
        "volume": 1,
        "commission": Decimal("0.3"),
        "close_profit": Decimal(0),
        "trading_day": DAY,
        "ts_exchange_ns": 1_764_295_200_000_000_000,
    }
    return Trade(**{**facts, **other})


def a_position(today: int = 2, yesterday: int = 1, **other: Any) -> Position:
    facts: dict[str, Any] = {
        "account": "a",
        "instrument": REBAR,
        "direction": "long",
        "hedge": "speculation",
        "today": today,
        "yesterday": yesterday,
        "frozen_today": 0,
        "frozen_yesterday": 0,
        "position_cost": Decimal((today + yesterday) * 30_000),
        "open_cost": Decimal(90_000),
        "margin": Decimal(9_000),
        "position_profit": Decimal(100),
        "close_profit": Decimal(0),
        "commission": Decimal(1),
    }
    return Position(**{**facts, **other})


def an_account(**other: Any) -> Account:
    facts: dict[str, Any] = {
        "account": "a",
        "env": "paper",
        "trading_day": DAY,
        "mode": "normal",
        "armed": True,
        **dict.fromkeys(("deposit", "withdraw", "close_profit", "position_profit"), Decimal(0)),
        "pre_balance": Decimal(1_000_000),
        "commission": Decimal(1),
        "margin": Decimal(9_000),
        "frozen_margin": Decimal(3_000),
        "frozen_commission": Decimal("0.5"),
        "balance": Decimal(999_999),
        "available": Decimal("987998.5"),
    }
    return Account(**{**facts, **other})
