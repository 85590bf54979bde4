"""What both of vnpy_ctp's wrappers are asked and say in the same words, and how a trader's session logs in.

Their callbacks come in threads of the wrappers, and only translate. The wrappers copy strings into CTP's fields
unchecked: whoever asks them bounds what it gives.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from aegis.ctp import login
from aegis.ctp.frames import Login
from aegis.ctp.login import Error, Side

__all__ = ["Api", "Data", "Listener", "TraderLogin", "error_of"]

Data = Mapping[str, Any]


class Listener(Protocol):
    """Whoever runs the session; called in the wrappers' threads. What it raises is its own defect."""

    def on_event(self, event: login.Event) -> None: ...
    def on_refused(self, reason: str, detail: str) -> None: ...


def _keep_thread_state() -> None:
    """Make the calling thread's Python state last: else the wrapper makes one anew for each callback."""
    ctypes.pythonapi.PyGILState_Ensure()


def error_of(error: Data) -> Error:
    return Error(error.get("ErrorID", 0), error.get("ErrorMsg", "")) if error else Error()


class Api:
    """Comes before the wrapper among the bases of a class."""

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
        self._listener.on_event(login.LoggedIn(self.side, error_of(error), data.get("TradingDay", "")))

    def onRspError(self, error: Data, reqid: int, last: bool) -> None:
        self._listener.on_refused("request_refused", str(error_of(error)))


class TraderLogin(Api):
    """The trader's wrapper authenticates before it logs in."""

    side = Side.TRADER

    reqAuthenticate: Callable[[Data, int], int]  # the wrapper's

    def authenticate(self) -> int:
        who = self._who
        return self.reqAuthenticate(
            {"BrokerID": who.broker_id, "UserID": who.user_id, "AppID": who.app_id, "AuthCode": who.auth_code},
            self._next(),
        )

    def onRspAuthenticate(self, data: Data, error: Data, reqid: int, last: bool) -> None:
        self._listener.on_event(login.Authenticated(error_of(error)))
