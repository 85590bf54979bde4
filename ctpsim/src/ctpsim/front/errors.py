"""The error numbers that CTP answers, with its texts."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["Code", "message"]


class Code(IntEnum):
    """Those of CTP's error.xml that this counter gives."""

    NONE = 0
    INVALID_LOGIN = 3
    NOT_LOGGED_IN = 6
    NOT_INITIALISED = 7
    BAD_FIELD = 15
    UNKNOWN_INSTRUMENT = 16
    NOT_TRADING = 17
    DUPLICATE_ORDER_REF = 22
    BAD_ACTION_FIELD = 23
    ORDER_NOT_FOUND = 25
    ORDER_IS_DONE = 26
    UNSUPPORTED = 27
    OVER_CLOSE = 30
    NO_MONEY = 31
    TOO_MANY_A_SECOND = 41
    SETTLEMENT_NOT_CONFIRMED = 42
    OVER_CLOSE_TODAY = 50
    OVER_CLOSE_YESTERDAY = 51
    TOO_MANY_SESSIONS = 60
    AUTHENTICATION_FAILED = 63
    NOT_AUTHENTICATED = 64
    PRICE_TYPE = 80
    QUERY_NOT_READY = 90


_TEXTS: Final[dict[int, str]] = {
    Code.NONE: "正确",
    Code.INVALID_LOGIN: "CTP:不合法的登录",
    Code.NOT_LOGGED_IN: "CTP:还没有登录",
    Code.NOT_INITIALISED: "CTP:还没有初始化",
    Code.BAD_FIELD: "CTP:报单字段有误",
    Code.UNKNOWN_INSTRUMENT: "CTP:找不到合约",
    Code.NOT_TRADING: "CTP:合约不能交易",
    Code.DUPLICATE_ORDER_REF: "CTP:报单错误：不允许重复报单",
    Code.BAD_ACTION_FIELD: "CTP:错误的报单操作字段",
    Code.ORDER_NOT_FOUND: "CTP:撤单找不到相应报单",
    Code.ORDER_IS_DONE: "CTP:报单已全成交或已撤销，不能再撤",
    Code.UNSUPPORTED: "CTP:不支持的功能",
    Code.OVER_CLOSE: "CTP:平仓量超过持仓量",
    Code.NO_MONEY: "CTP:资金不足",
    Code.TOO_MANY_A_SECOND: "CTP:交易所每秒发送请求数超过许可数",
    Code.SETTLEMENT_NOT_CONFIRMED: "CTP:结算结果未确认",
    Code.OVER_CLOSE_TODAY: "CTP:平今仓位不足",
    Code.OVER_CLOSE_YESTERDAY: "CTP:平昨仓位不足",
    Code.TOO_MANY_SESSIONS: "CTP:用户在线会话超出上限",
    Code.AUTHENTICATION_FAILED: "CTP:客户端认证失败",
    Code.NOT_AUTHENTICATED: "CTP:客户端未认证",
    Code.PRICE_TYPE: "CTP:交易所不支持的价格类型",
    Code.QUERY_NOT_READY: "CTP:查询未就绪，请稍后重试",
}


def message(code: int) -> str:
    """CTP's text for it; of one that is not known, the number."""
    return _TEXTS.get(code, f"CTP:错误 {code}")
