"""`python -m aegis.trading.adapters.ctp.process FD`: one CTP session that trades, from its start to its end.

As one of market data it has a process of its own, which its parent starts, watches and, if need be, kills. It decides
nothing: it logs in, asks CTP what it is told to ask, and passes on what CTP says. It never asks anything twice.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from threading import Lock
from typing import Any, Final

from aegis.ctp import login
from aegis.ctp.api import Data, error_of
from aegis.ctp.failures import Failure, Step, not_requested
from aegis.ctp.frames import Alive, Ended, Reached, Reassembly, Rejected, Stop
from aegis.ctp.libraries import load_libraries, loaded_libraries
from aegis.ctp.process import connected, end_within, first
from aegis.trading.adapters.ctp.fields import REQUESTS, picked, too_long
from aegis.trading.adapters.ctp.frames import Answer, NotTaken, Ready, Request, Start, Told, ToSession, to_session
from aegis.trading.adapters.ctp.outbox import Outbox

_ALIVE_S: Final = 0.5
_DRAIN_S: Final = 0.5
_RELEASE_S: Final = 1.0
_FROM_THE_BEGINNING, _FROM_NOW_ON = 0, 2
_UNFIT: Final = -100
"""In place of CTP's reason: a request that is none of ours, or a text that its field does not hold."""


class Session:
    """Listens to the API in its threads, and to the parent in the main one."""

    def __init__(self, connection: socket.socket, start: Start, outbox: Outbox) -> None:
        self._socket = connection
        self._start = start
        self._outbox = outbox
        self._lock = Lock()
        self._login = login.trading_login()
        self._logged_in: Data = {}

    def run(self) -> None:
        """Returns when it was told to stop, or has failed."""
        from aegis.trading.adapters.ctp.apis import TraderApi

        self._trader = TraderApi(self, self._start.login)
        self._trader.createFtdcTraderApi(b"trader-", self._start.production)
        self._trader.subscribePrivateTopic(_FROM_THE_BEGINNING)  # of the trading day: we know what we know already
        self._trader.subscribePublicTopic(_FROM_NOW_ON)
        for address in self._start.fronts.trader:
            self._trader.registerFront(address)
        self._trader.init()
        self._hear()
        self._end()

    # The parent

    def _hear(self) -> None:
        incoming = Reassembly()
        alive_at = 0.0
        while not self._login.failed:
            now = time.monotonic()
            if now >= alive_at:
                alive_at = now + _ALIVE_S
                self._outbox.say(Alive())
            readable, _, _ = select.select([self._socket], [], [], _ALIVE_S / 5)
            if readable:
                data = self._socket.recv(1 << 16)
                if not data or any(self._told(to_session.decode(body)) for body in incoming.take(data)):
                    return

    def _told(self, frame: ToSession) -> bool:
        """Whether it is to end."""
        if isinstance(frame, Request):
            self._ask(frame)
        return isinstance(frame, Stop)

    def _ask(self, request: Request) -> None:
        unfit = too_long(request.fields) if request.what in REQUESTS else request.what
        if unfit:
            code = _UNFIT
            self._outbox.say(Rejected("unfit_request", f"{request.what}: {unfit}"))
        else:
            code = self._trader.request(request.what, request.number, request.fields)
        if code:
            self._outbox.say(NotTaken(request.number, code))

    # CTP

    def on_login(self, data: Data) -> None:
        self._logged_in = dict(data)

    def on_event(self, event: login.Event) -> None:
        with self._lock:
            for action in login.step(self._login, event):
                self._do(action)

    def _do(self, action: login.Action) -> None:
        match action:
            case login.Reached(step):
                self._outbox.say(Reached(step))
            case login.Ready(trading_day):
                self._outbox.say(self._ready(trading_day))
            case Failure():
                self._outbox.say(Ended(action))
            case login.Request.AUTHENTICATE:
                self._requested(Step.AUTHENTICATE, self._trader.authenticate())
            case login.Request.LOGIN_TRADER:
                self._requested(Step.LOGIN_TRADER, self._trader.log_in())
            case _:
                pass

    def _ready(self, trading_day: str) -> Ready:
        highest: str = self._logged_in["MaxOrderRef"].strip()
        return Ready(
            trading_day=trading_day,
            front_id=self._logged_in["FrontID"],
            session_id=self._logged_in["SessionID"],
            highest_ref=int(highest) if highest.isdecimal() else 0,
            libraries=loaded_libraries(),
        )

    def _requested(self, step: Step, refused: int) -> None:
        if refused:
            self._login.failed = True
            self._outbox.say(Ended(not_requested(step, refused)))

    def on_answer(self, what: str, number: int, data: Data, error: Data, last: bool) -> None:
        failed = error_of(error)
        record: dict[str, Any] = picked(what, data) if what else {}
        self._outbox.say(Answer(number, record, failed.code, failed.message, last))

    def on_told(self, what: str, data: Data, error: Data) -> None:
        failed = error_of(error)
        self._outbox.say(Told(what, picked(what, data), failed.code, failed.message))

    def on_refused(self, reason: str, detail: str) -> None:
        self._outbox.say(Rejected(reason, detail))

    # The end

    def _end(self) -> None:
        if not self._login.failed:
            self._outbox.say(Ended())
        self._outbox.drain(_DRAIN_S)
        end_within(_RELEASE_S)
        self._trader.exit()


def main(descriptor: str) -> None:
    connection = connected(descriptor)
    start = first(connection, to_session, Start)
    outbox = Outbox(connection)
    failed = load_libraries(start.libraries)
    if failed is not None:
        outbox.say(Ended(failed))
        outbox.drain(_DRAIN_S)
        os._exit(1)
    Session(connection, start, outbox).run()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
