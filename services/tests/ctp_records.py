"""Records as CTP's private stream has them, of the fields that are passed on."""

from __future__ import annotations

from typing import Any

__all__ = ["DAY", "REBAR", "input_record", "order_record", "trade_record"]

DAY, REBAR = "20251128", "SHFE.rb2605"


def input_record(ref: str = "1", memo: str = "", **other: Any) -> dict[str, Any]:
    """An order as it was asked for."""
    return {
        "ExchangeID": "SHFE",
        "InstrumentID": "rb2605",
        "OrderRef": ref,
        "Direction": "0",
        "OrderPriceType": "2",
        "CombOffsetFlag": "0",
        "CombHedgeFlag": "1",
        "LimitPrice": 3081.0,
        "VolumeTotalOriginal": 10,
        "TimeCondition": "3",
        "VolumeCondition": "1",
        "OrderMemo": memo,
        **other,
    }


def order_record(status: str = "3", filled: int = 0, number: int | None = 1, **other: Any) -> dict[str, Any]:
    """`number` is padded as exchanges do."""
    return {
        **input_record(),
        "FrontID": 1,
        "SessionID": 7,
        "OrderSysID": "" if number is None else f"{number:>12}",
        "OrderStatus": status,
        "OrderSubmitStatus": "3",
        "VolumeTraded": filled,
        "TradingDay": DAY,
        "InsertDate": "20251128",
        "InsertTime": "09:30:00",
        "StatusMsg": "",
        **other,
    }


def trade_record(trade: int = 1, volume: int = 10, **other: Any) -> dict[str, Any]:
    return {
        "ExchangeID": "SHFE",
        "InstrumentID": "rb2605",
        "OrderRef": "1",
        "Direction": "0",
        "OrderSysID": f"{1:>12}",
        "TradeID": f"{trade:>12}",
        "OffsetFlag": "0",
        "HedgeFlag": "1",
        "Price": 3081.0,
        "Volume": volume,
        "TradingDay": DAY,
        "TradeDate": "20251128",
        "TradeTime": "09:30:01",
        **other,
    }
