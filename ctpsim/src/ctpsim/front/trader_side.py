"""The trader port: authentication, logins, settlement, and who hears what. Queries and orders are elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from ctpsim.frames import Request
from ctpsim.front.answers import Answers
from ctpsim.front.client import Client
from ctpsim.front.counter import Counter
from ctpsim.front.errors import Code
from ctpsim.front.sessions import PrivateStream, TraderSession, authenticate, check_password
from ctpsim.market.clock import FrontState
from ctpsim.market.depth import clock_text
from ctpsim.records import Values

__all__ = ["Handler", "TraderSide"]

_log = structlog.get_logger("ctpsim")

Handler = Callable[[Client, TraderSession, Request, Values], None]


class TraderSide:
    """Sessions and what they may. `add` gives it handlers for requests that need a login."""

    def __init__(self, counter: Counter) -> None:
        self.answers = Answers(counter.layout, "T")
        self.on_login: Callable[[Client], None] = lambda _: None  # behind what it has missed
        self._counter = counter
        self._sessions: dict[Client, TraderSession] = {}
        self._private: dict[str, PrivateStream] = {}
        self._confirmed: dict[str, str] = {}  # the trading day whose settlement each user has confirmed
        self._open: dict[str, Handler] = {"ReqAuthenticate": self._authenticate, "ReqUserLogin": self._log_in}
        self._handlers: dict[str, Handler] = {
            "ReqUserLogout": self._log_out,
            "ReqSettlementInfoConfirm": self._confirm,
        }

    def add(self, handlers: dict[str, Handler]) -> None:
        self._handlers.update(handlers)

    # Clients

    def connected(self, client: Client) -> None:
        if self._counter.welcome(client):
            self._sessions[client] = TraderSession()

    def lost(self, client: Client) -> None:
        self._counter.clients["T"].pop(client, None)
        self._sessions.pop(client, None)

    def requested(self, client: Client, request: Request) -> None:
        session = self._sessions.get(client)
        if session is None or self._counter.is_silent(client):
            return
        name = self.answers.name(request)
        handler = self._open.get(name) or self._handlers.get(name)
        code = Code.UNSUPPORTED if handler is None else Code.NOT_LOGGED_IN
        if handler is None or (session.user is None and name not in self._open):
            client.send(self.answers.frame("OnRspError", code=code, request_id=request.request_id))
            return
        try:
            values = self.answers.read(request)
        except ValueError as error:
            _log.warning("request_not_understood", request=name, problem=str(error))
            client.close()
            return
        handler(client, session, request, values)

    def has_confirmed(self, user_id: str) -> bool:
        """Whether a user has confirmed the settlement of today's trading day."""
        return self._confirmed.get(user_id) == self._counter.market.trading_day()

    # In private

    def tell(self, user_id: str, callback: str, record: bytes) -> None:
        """To all sessions of a user, and to those that log in later today."""
        stream = self._stream(user_id)
        number = stream.add(callback, record)
        frame = self.answers.frame(callback, record, private_number=number)
        for client in self.sessions_of(user_id):
            client.send(frame)

    def sessions_of(self, user_id: str) -> list[Client]:
        return [client for client in self.logged_in() if client.user_id == user_id]

    def logged_in(self) -> list[Client]:
        return [client for client, session in self._sessions.items() if session.user is not None]

    def _stream(self, user_id: str) -> PrivateStream:
        stream = self._private.setdefault(user_id, PrivateStream())
        stream.begin_day(self._counter.market.trading_day())
        return stream

    # Who is there

    def _authenticate(self, client: Client, session: TraderSession, request: Request, values: Values) -> None:
        who = (values["BrokerID"], values["UserID"])
        code = self._counter.fault(client, "auth_error") or authenticate(
            self._counter.users.get(who), values["AppID"], values["AuthCode"]
        )
        session.authenticated = None if code else who
        shown = {name: values[name] for name in ("BrokerID", "UserID", "UserProductInfo", "AppID")}
        client.send(self.answers.frame("OnRspAuthenticate", shown, code=code, request_id=request.request_id))
        _log.info("authentication", user=values["UserID"], error=int(code))

    def _log_in(self, client: Client, session: TraderSession, request: Request, values: Values) -> None:
        if session.user is not None:  # a front lets it drop
            return
        user = self._counter.users.get((values["BrokerID"], values["UserID"]))
        starting = Code.NOT_INITIALISED if self._counter.front_state() is FrontState.STARTING else 0
        code = (
            self._counter.fault(client, "login_error")
            or starting
            or check_password(session, user, values["Password"])
            or (Code.TOO_MANY_SESSIONS if self._is_full(values["UserID"]) else 0)
        )
        if not code:
            session.user = user
            client.session_id = self._counter.next_session()
            client.user_id = values["UserID"]
        client.send(self._login_answer(client, request, values, int(code)))
        _log.info("trader_login", user=values["UserID"], session=client.session_id, error=int(code))
        if not code and not self._counter.faults.get("T", "forget_orders"):
            self._replay(client, values["UserID"])
        if not code:
            self.on_login(client)

    def _is_full(self, user_id: str) -> bool:
        limit = self._counter.faults.get("T", "session_limit")
        return limit > 0 and len(self.sessions_of(user_id)) >= limit

    def _login_answer(self, client: Client, request: Request, values: Values, code: int) -> bytes:
        _, second = self._counter.market.now()
        text = clock_text(second)
        times = dict.fromkeys(("LoginTime", "SHFETime", "DCETime", "CZCETime", "FFEXTime", "INETime", "GFEXTime"), text)
        answer = {
            "TradingDay": "" if code else self._counter.market.trading_day(),
            "BrokerID": values["BrokerID"],
            "UserID": values["UserID"],
            "SystemName": "模拟柜台",
            "FrontID": self._counter.front_id,
            "SessionID": client.session_id,
            "MaxOrderRef": "1",
            **times,
        }
        return self.answers.frame("OnRspUserLogin", answer, code=code, request_id=request.request_id, login=not code)

    def _replay(self, client: Client, user_id: str) -> None:
        for number, callback, record in self._stream(user_id).missed(client.topics):
            client.send(self.answers.frame(callback, record, private_number=number))

    def _log_out(self, client: Client, session: TraderSession, request: Request, values: Values) -> None:
        session.user = session.authenticated = None
        client.send(self.answers.frame("OnRspUserLogout", request.data, code=Code.NONE, request_id=request.request_id))

    def _confirm(self, client: Client, session: TraderSession, request: Request, values: Values) -> None:
        assert session.user is not None
        self._confirmed[session.user.user_id] = self._counter.market.trading_day()
        _, second = self._counter.market.now()
        answer = {
            **values,
            "ConfirmDate": self._counter.market.trading_day(),
            "ConfirmTime": clock_text(second),
        }
        client.send(
            self.answers.frame("OnRspSettlementInfoConfirm", answer, code=Code.NONE, request_id=request.request_id)
        )
