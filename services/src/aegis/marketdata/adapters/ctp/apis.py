"""vnpy_ctp's two wrappers of the CTP API, unmodified, as the two sides of a session.

Events go to `on_event`, quotes to `on_record`. The wrappers copy strings unchecked: a profile bounds those of its
logins, `process` the symbols.
"""

from __future__ import annotations

from typing import Protocol

from vnpy_ctp.api import MdApi, TdApi  # pyright: ignore[reportMissingImports]  # where CTP is not built

from aegis.ctp import login
from aegis.ctp.api import Api, Data, TraderLogin, error_of
from aegis.ctp.api import Listener as SessionListener
from aegis.ctp.frames import Login
from aegis.ctp.login import Side

__all__ = ["Listener", "MarketApi", "TraderApi"]


class Listener(SessionListener, Protocol):
    """Whoever runs the session, and hears what it is for."""

    def on_record(self, data: Data) -> None: ...
    def on_instrument(self, listing: int, data: Data) -> None: ...
    def on_listed(self, listing: int, error: login.Error) -> None: ...
    def on_answer(self, symbol: str, error: login.Error) -> None: ...


class MarketApi(Api, MdApi):
    side = Side.MARKET

    def __init__(self, listener: Listener, who: Login) -> None:
        MdApi.__init__(self)
        self._listener = listener
        self._who = who
        self._on_answer = listener.on_answer
        self.onRtnDepthMarketData = listener.on_record  # what comes most often takes the shortest way

    def onRspSubMarketData(self, data: Data, error: Data, reqid: int, last: bool) -> None:
        self._on_answer(data.get("InstrumentID", ""), error_of(error))


class TraderApi(TraderLogin, TdApi):
    def __init__(self, listener: Listener, who: Login) -> None:
        TdApi.__init__(self)
        self._listener = listener
        self._who = who
        self._on_instrument = listener.on_instrument
        self._on_listed = listener.on_listed

    def query_instruments(self, listing: int) -> int:
        """The number comes back with each answer, however late."""
        return self.reqQryInstrument({}, listing)

    def onRspQryInstrument(self, data: Data, error: Data, reqid: int, last: bool) -> None:
        failed = error_of(error)
        if data and not failed.code:
            self._on_instrument(reqid, data)
        if last or failed.code:
            self._on_listed(reqid, failed)
