"""vnpy_ctp's two wrappers of the CTP API, unmodified, as the two sides of a session.

Their callbacks come in threads of the wrappers. They only translate: events go to `on_event`, quotes to `on_record`.
The wrappers copy strings into CTP's fields unchecked: a profile bounds those of its logins, `process` the symbols.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from vnpy_ctp.api import MdApi, TdApi  # pyright: ignore[reportMissingImports]  # where CTP is not built

from aegis.marketdata.adapters.ctp import login
from aegis.marketdata.adapters.ctp.frames import Login
from aegis.marketdata.adapters.ctp.login import Error, Side

__all__ = ["Listener", "MarketApi", "TraderApi"]

Data = Mapping[str, Any]


class Listener(Protocol):
    """Whoever runs the session; called in the wrappers' threads. What it raises is its own defect."""

    def on_event(self, event: login.Event) -> None: ...
    def on_record(self, data: Data) -> None: ...
    def on_instrument(self, data: Data) -> None: ...
    def on_refused(self, reason: str, detail: str) -> None: ...


def _keep_thread_state() -> None:
    """Make the calling thread's Python state last: else the wrapper makes one anew for each callback."""
    ctypes.pythonapi.PyGILState_Ensure()


def _error(error: Data) -> Error:
    return Error(error.get("ErrorID", 0), error.get("ErrorMsg", "")) if error else Error()


class _Api:
    """What both wrappers are asked and say in the same words; comes before the wrapper among the bases of a class."""

    side: ClassVar[Side]
    _listener: Listener
    _who: Login
    _requests = 0
    _pinned = False

    reqUserLogin: Callable[[Data, int], int]  # the wrapper's

    def log_in(self) -> int:
        who = self._who
        wanted = {"BrokerID": who.broker_id, "UserID": who.user_id, "Password": who.password}
        return self.reqUserLogin(wanted, self._next())

    def _next(self) -> int:
        self._requests += 1
        return self._requests

    def onFrontConnected(self) -> None:
        if not self._pinned:
            self._pinned = True
            _keep_thread_state()
        self._listener.on_event(login.FrontConnected(self.side))

    def onFrontDisconnected(self, reason: int) -> None:
        self._listener.on_event(login.FrontDisconnected(self.side, reason))

    def onRspUserLogin(self, data: Data, error: Data, reqid: int, last: bool) -> None:
        self._listener.on_event(login.LoggedIn(self.side, _error(error), data.get("TradingDay", "")))

    def onRspError(self, error: Data, reqid: int, last: bool) -> None:
        self._listener.on_refused("request_refused", str(_error(error)))


class MarketApi(_Api, MdApi):
    side = Side.MARKET

    def __init__(self, listener: Listener, who: Login) -> None:
        MdApi.__init__(self)
        self._listener = listener
        self._who = who
        self.onRtnDepthMarketData = listener.on_record  # what comes most often takes the shortest way

    def onRspSubMarketData(self, data: Data, error: Data, reqid: int, last: bool) -> None:
        failed = _error(error)
        if failed.code:
            self._listener.on_refused("subscription_refused", f"{data.get('InstrumentID', '')}: {failed.message}")


class TraderApi(_Api, TdApi):
    side = Side.TRADER

    def __init__(self, listener: Listener, who: Login) -> None:
        TdApi.__init__(self)
        self._listener = listener
        self._who = who

    def authenticate(self) -> int:
        who = self._who
        return self.reqAuthenticate(
            {"BrokerID": who.broker_id, "UserID": who.user_id, "AppID": who.app_id, "AuthCode": who.auth_code},
            self._next(),
        )

    def query_instruments(self) -> int:
        return self.reqQryInstrument({}, self._next())

    def onRspAuthenticate(self, data: Data, error: Data, reqid: int, last: bool) -> None:
        self._listener.on_event(login.Authenticated(_error(error)))

    def onRspQryInstrument(self, data: Data, error: Data, reqid: int, last: bool) -> None:
        failed = _error(error)
        if data and not failed.code:
            self._listener.on_instrument(data)
        if last or failed.code:
            self._listener.on_event(login.InstrumentsRead(failed))
