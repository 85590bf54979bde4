"""vnpy_ctp's wrapper of the trader API, unmodified: what it calls back is passed on, number and all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from vnpy_ctp.api import TdApi  # pyright: ignore[reportMissingImports]  # where CTP is not built

from aegis.ctp.api import Data, Listener, TraderLogin, error_of
from aegis.ctp.frames import Login
from aegis.trading.adapters.ctp.fields import REQUESTS

__all__ = ["TraderApi", "TradingListener"]


class TradingListener(Listener, Protocol):
    """Whoever runs the session, and hears what it is for."""

    def on_login(self, data: Data) -> None:
        """Before the event of it."""
        ...

    def on_answer(self, what: str, number: int, data: Data, error: Data, last: bool) -> None: ...
    def on_told(self, what: str, data: Data, error: Data) -> None: ...


class TraderApi(TraderLogin, TdApi):
    def __init__(self, listener: TradingListener, who: Login) -> None:
        TdApi.__init__(self)
        self._listener = listener
        self._who = who
        self._on_login = listener.on_login
        self._on_answer = listener.on_answer
        self._on_told = told = listener.on_told
        for what in REQUESTS:
            setattr(self, f"onRsp{what}", self._passing_on(what))
        self.onRtnOrder = lambda data: told("RtnOrder", data, {})
        self.onRtnTrade = lambda data: told("RtnTrade", data, {})
        self.onRtnInstrumentStatus = lambda data: told("RtnInstrumentStatus", data, {})
        self.onErrRtnOrderInsert = lambda data, error: told("ErrRtnOrderInsert", data, error)
        self.onErrRtnOrderAction = lambda data, error: told("ErrRtnOrderAction", data, error)

    def request(self, what: str, number: int, fields: dict[str, Any]) -> int:
        """0, or why CTP does not take it now. `what` is one of REQUESTS, and the fields fit."""
        return getattr(self, f"req{what}")(fields, number)

    def onRspUserLogin(self, data: Data, error: Data, reqid: int, last: bool) -> None:
        if not error_of(error).code:
            self._on_login(data)
        super().onRspUserLogin(data, error, reqid, last)

    def onRspError(self, error: Data, reqid: int, last: bool) -> None:
        self._on_answer("", reqid, {}, error, last)

    def _passing_on(self, what: str) -> Callable[[Data, Data, int, bool], None]:
        answered = self._on_answer
        return lambda data, error, reqid, last: answered(what, reqid, data, error, last)
