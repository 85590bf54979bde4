"""Which fields of CTP's records are passed on, and how many bytes those hold that are asked for.

The wrappers copy strings into CTP's records without looking at their length, so whatever is asked is measured first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["REQUESTS", "picked", "too_long"]

REQUESTS: Final = frozenset(
    {
        "OrderAction",
        "OrderInsert",
        "QryBrokerTradingParams",
        "QryInstrument",
        "QryInstrumentCommissionRate",
        "QryInstrumentMarginRate",
        "QryInstrumentOrderCommRate",
        "QryInvestorPosition",
        "QryOrder",
        "QrySettlementInfo",
        "QryTrade",
        "QryTradingAccount",
        "SettlementInfoConfirm",
    }
)

_BYTES: Final = {  # without the closing zero; ThostFtdcUserApiDataType.h of API 6.7.11
    "ActionFlag": 1,
    "BrokerID": 10,
    "CombHedgeFlag": 4,
    "CombOffsetFlag": 4,
    "ContingentCondition": 1,
    "Direction": 1,
    "ExchangeID": 8,
    "ForceCloseReason": 1,
    "HedgeFlag": 1,
    "InstrumentID": 80,
    "InvestorID": 12,
    "OrderMemo": 12,
    "OrderPriceType": 1,
    "OrderRef": 12,
    "OrderSysID": 20,
    "ProductID": 80,
    "TimeCondition": 1,
    "TradingDay": 8,
    "UserID": 15,
    "VolumeCondition": 1,
}
_WHICH: Final = ("ExchangeID", "InstrumentID", "OrderRef", "Direction")
_INPUT: Final = (
    *_WHICH,
    "OrderPriceType",
    "CombOffsetFlag",
    "CombHedgeFlag",
    "LimitPrice",
    "VolumeTotalOriginal",
    "TimeCondition",
    "VolumeCondition",
    "OrderMemo",
)
_ORDER: Final = (
    *_INPUT,
    "FrontID",
    "SessionID",
    "OrderSysID",
    "OrderStatus",
    "OrderSubmitStatus",
    "VolumeTraded",
    "TradingDay",
    "InsertDate",
    "InsertTime",
    "StatusMsg",
)
_TRADE: Final = (
    *_WHICH,
    "OrderSysID",
    "TradeID",
    "OffsetFlag",
    "HedgeFlag",
    "Price",
    "Volume",
    "TradingDay",
    "TradeDate",
    "TradeTime",
)
_ACTION: Final = ("OrderActionRef", "ExchangeID", "OrderSysID", "FrontID", "SessionID", "OrderRef")
_INSTRUMENT: Final = (
    "ExchangeID",
    "InstrumentID",
    "ProductID",
    "ProductClass",
    "DeliveryYear",
    "DeliveryMonth",
    "VolumeMultiple",
    "PriceTick",
    "MinLimitOrderVolume",
    "MaxLimitOrderVolume",
    "MinMarketOrderVolume",
    "MaxMarketOrderVolume",
    "IsTrading",
    "ExpireDate",
    "MaxMarginSideAlgorithm",
)
_MARGIN: Final = (
    "InstrumentID",
    "HedgeFlag",
    "IsRelative",
    "LongMarginRatioByMoney",
    "LongMarginRatioByVolume",
    "ShortMarginRatioByMoney",
    "ShortMarginRatioByVolume",
)
_COMMISSION: Final = (
    "InstrumentID",
    *(f"{kind}Ratio{by}" for kind in ("Open", "Close", "CloseToday") for by in ("ByMoney", "ByVolume")),
)
_FEES: Final = (
    "InstrumentID",
    "HedgeFlag",
    *(f"{kind}Comm{by}" for kind in ("Order", "OrderAction") for by in ("ByTrade", "ByVolume")),
)
_POSITION: Final = (
    "ExchangeID",
    "InstrumentID",
    "PosiDirection",
    "HedgeFlag",
    "Position",
    "TodayPosition",
    "PositionCost",
    "OpenCost",
    "UseMargin",
    "PreSettlementPrice",
)
_ACCOUNT: Final = (
    "TradingDay",
    "PreBalance",
    "Deposit",
    "Withdraw",
    "CloseProfit",
    "PositionProfit",
    "Commission",
    "CurrMargin",
    "FrozenMargin",
    "FrozenCommission",
    "Balance",
    "Available",
)
_PICKED: Final[Mapping[str, tuple[str, ...]]] = {
    "ErrRtnOrderAction": _ACTION,
    "ErrRtnOrderInsert": _INPUT,
    "OrderAction": _ACTION,
    "OrderInsert": _INPUT,
    "QryBrokerTradingParams": ("MarginPriceType", "Algorithm"),
    "QryInstrument": _INSTRUMENT,
    "QryInstrumentCommissionRate": _COMMISSION,
    "QryInstrumentMarginRate": _MARGIN,
    "QryInstrumentOrderCommRate": _FEES,
    "QryInvestorPosition": _POSITION,
    "QryOrder": _ORDER,
    "QrySettlementInfo": ("TradingDay", "Content"),
    "QryTrade": _TRADE,
    "QryTradingAccount": _ACCOUNT,
    "RtnInstrumentStatus": ("ExchangeID", "InstrumentID", "InstrumentStatus"),
    "RtnOrder": _ORDER,
    "RtnTrade": _TRADE,
    "SettlementInfoConfirm": ("ConfirmDate",),
}


def picked(what: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What is passed on of a record; empty where CTP gave none. A letter that is not set is an empty text."""
    return {name: _clean(data[name]) for name in _PICKED[what]} if data else {}


def too_long(fields: Mapping[str, Any]) -> str:
    """The name of a text that CTP's field does not hold, or that is none of those we ask with; empty: all fit."""
    return next((name for name, value in fields.items() if isinstance(value, str) and _exceeds(name, value)), "")


def _exceeds(name: str, value: str) -> bool:
    return len(value.encode("gb18030")) > _BYTES.get(name, -1)


def _clean(value: Any) -> Any:
    return value.rstrip("\0") if isinstance(value, str) else value
