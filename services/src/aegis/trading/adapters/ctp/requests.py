"""What CTP is asked with: our commands as its records. Pure."""

from __future__ import annotations

from typing import Any, Final

from aegis.contracts.venue import Submit
from aegis.ctp.frames import Login
from aegis.trading.adapters.ctp.words import HEDGE_LETTERS, OFFSET_LETTERS, SIDE_LETTERS, TYPE_LETTERS

__all__ = ["OrderKey", "cancel_fields", "insert_fields", "split_instrument", "unfit", "who"]

OrderKey = tuple[int, int, str]
"""FrontID, SessionID and OrderRef: unique at a counter, until it is started anew."""

_NO_MARKET_ORDERS: Final = frozenset({"SHFE", "INE"})
_AT_ONCE: Final = "1"
_NOT_FORCED: Final = "0"
_DELETE: Final = "0"


def split_instrument(instrument: str) -> tuple[str, str]:
    """Exchange and symbol of `SHFE.rb2505`."""
    exchange, _, symbol = instrument.partition(".")
    return exchange, symbol


def who(login: Login) -> dict[str, Any]:
    return {"BrokerID": login.broker_id, "InvestorID": login.user_id}


def unfit(order: Submit) -> str:
    """Why an order cannot be written for CTP, as a word; empty: it can. Nothing is converted here."""
    if order.type == "market" and split_instrument(order.instrument)[0] in _NO_MARKET_ORDERS:
        return "order_type"
    return "price_missing" if order.type != "market" and order.price is None else ""


def insert_fields(login: Login, order: Submit, ref: str, memo: str) -> dict[str, Any]:
    exchange, symbol = split_instrument(order.instrument)
    price_type, time, volume = TYPE_LETTERS[order.type]
    return {
        **who(login),
        "UserID": login.user_id,
        "ExchangeID": exchange,
        "InstrumentID": symbol,
        "OrderRef": ref,
        "OrderMemo": memo,
        "Direction": SIDE_LETTERS[order.side],
        "CombOffsetFlag": OFFSET_LETTERS[order.offset],
        "CombHedgeFlag": HEDGE_LETTERS[order.hedge],
        "OrderPriceType": price_type,
        "LimitPrice": 0.0 if order.type == "market" or order.price is None else float(order.price),
        "VolumeTotalOriginal": order.volume,
        "TimeCondition": time,
        "VolumeCondition": volume,
        "MinVolume": 1,
        "ContingentCondition": _AT_ONCE,
        "ForceCloseReason": _NOT_FORCED,
        "IsAutoSuspend": 0,
    }


def cancel_fields(login: Login, instrument: str, number: int, sys_id: str, key: OrderKey | None) -> dict[str, Any]:
    """By the exchange's number, with its padding, where it is known; else by the key."""
    exchange, symbol = split_instrument(instrument)
    front, session, ref = key or (0, 0, "")
    named = {"OrderSysID": sys_id} if sys_id else {"FrontID": front, "SessionID": session, "OrderRef": ref}
    return {
        **who(login),
        **named,
        "UserID": login.user_id,
        "ExchangeID": exchange,
        "InstrumentID": symbol,
        "OrderActionRef": number,
        "ActionFlag": _DELETE,
    }
