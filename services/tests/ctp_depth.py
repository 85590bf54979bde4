"""Depth records of CTP, as its fields come, for tests of what becomes of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from aegis.contracts.market import Quote
from aegis.marketdata.adapters.ctp_fields import (
    DEPTH_FIELDS,
    DepthConverter,
    depth_record,
)

DBL_MAX = 1.7976931348623157e308
SHANGHAI = timezone(timedelta(hours=8))
QUIET = dict.fromkeys(DEPTH_FIELDS, DBL_MAX) | {name: 0 for name in DEPTH_FIELDS if "Volume" in name}
REBAR = QUIET | {
    "TradingDay": "20250307",
    "ActionDay": "20250307",
    "InstrumentID": "rb2505",
    "ExchangeID": "SHFE",
    "UpdateTime": "10:00:00",
    "UpdateMillisec": 500,
    "LastPrice": 3301.0,
    "OpenPrice": 3290.0,
    "HighestPrice": 3310.0,
    "LowestPrice": 3288.0,
    "PreClosePrice": 3295.0,
    "PreSettlementPrice": 3294.0,
    "UpperLimitPrice": 3492.0,
    "LowerLimitPrice": 3096.0,
    "Volume": 41000,
    "Turnover": 1.353e9,
    "OpenInterest": 150000.0,
    "PreOpenInterest": 149000.0,
    "BidPrice1": 3300.0,
    "BidVolume1": 12,
    "AskPrice1": 3301.0,
    "AskVolume1": 7,
}
APPLES = REBAR | {"InstrumentID": "AP505", "ExchangeID": "CZCE", "UpdateMillisec": 0}
SPREAD = QUIET | {
    "TradingDay": "20250307",
    "ActionDay": "20250307",
    "InstrumentID": "SP m2505&m2509",
    "ExchangeID": "DCE",
    "UpdateTime": "10:00:00",
    "UpdateMillisec": 0,
    "LastPrice": 0.0,
    "OpenPrice": 0.0,
    "Turnover": 0.0,
    "OpenInterest": 0.0,
}


def quote_of(template: Mapping[str, object], **fields: object) -> Quote:
    return DepthConverter().quote(depth_record({**template, **fields}))


def shanghai(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // 10**9, SHANGHAI):%Y-%m-%d %H:%M:%S}.{ts_ns // 10**6 % 1000:03}"
