"""How a CTP session comes up. One of market data: two fronts, one beside the other, and the query of all instruments.

    trader   CONNECT -> AUTHENTICATE -> LOGIN -> QUERY --+
    market   CONNECT -> LOGIN ---------------------------+--> READY

One that trades (`trading_login`) has the trader front only, and is READY once it is logged in there.

Pure: `step(login, event)` says what to ask next. Any failure ends the session; the next attempt is a new one, in a new
process. Once one of market data is READY only its market data front matters. When a new trading day begins (the
service says so) instruments are queried again, behind another login where the trader front has closed the connection
since; what goes wrong there ends nothing, and is tried again when the service says so again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from aegis.contracts.reasons import Reason
from aegis.ctp.failures import Failure, Kind, Step, answered, disconnected

__all__ = [
    "Action",
    "Authenticated",
    "FrontConnected",
    "FrontDisconnected",
    "InstrumentsRead",
    "InstrumentsWanted",
    "Listed",
    "LoggedIn",
    "Login",
    "Request",
    "Unlisted",
    "step",
    "trading_login",
]


class Side(StrEnum):
    MARKET = "market"
    TRADER = "trader"


class Error(NamedTuple):
    """What CTP answers beside its data; 0: all is well."""

    code: int = 0
    message: str = ""


_NO_ERROR: Final = Error()


class FrontConnected(NamedTuple):
    side: Side


class FrontDisconnected(NamedTuple):
    side: Side
    reason: int


class Authenticated(NamedTuple):
    error: Error = _NO_ERROR


class LoggedIn(NamedTuple):
    side: Side
    error: Error = _NO_ERROR
    trading_day: str = ""


class InstrumentsRead(NamedTuple):
    """The last of them has come, or none will; `known` are those that can be used."""

    error: Error = _NO_ERROR
    known: int = 0


class InstrumentsWanted(NamedTuple):
    """Those of another trading day, of a session that is READY."""


Event = FrontConnected | FrontDisconnected | Authenticated | LoggedIn | InstrumentsRead | InstrumentsWanted


class Request(StrEnum):
    """What is to be asked of CTP."""

    AUTHENTICATE = "authenticate"
    LOGIN_TRADER = "login_trader"
    LOGIN_MARKET = "login_market"
    QUERY_INSTRUMENTS = "query_instruments"
    QUERY_AGAIN = "query_instruments_again"  # after a second: there may be one query in each


class Reached(NamedTuple):
    """A step is done."""

    step: Step


class Ready(NamedTuple):
    trading_day: str


class Listed(NamedTuple):
    """All instruments were read again."""


class Unlisted(NamedTuple):
    """They could not be."""

    failure: Failure


Action = Request | Reached | Ready | Listed | Unlisted | Failure

_CONNECT: Final = {Side.MARKET: Step.CONNECT_MARKET, Side.TRADER: Step.CONNECT_TRADER}
_LOGIN: Final = {Side.MARKET: Step.LOGIN_MARKET, Side.TRADER: Step.LOGIN_TRADER}
_QUERY_TOO_SOON: Final = 90


@dataclass
class Login:
    """Where each side stands: the step that it works on."""

    at: dict[Side, Step] = field(default_factory=lambda: dict(_CONNECT))
    goal: Step = Step.FLOW  # all sides are there once it is ready
    trading_day: str = ""
    ready: bool = False
    failed: bool = False
    wanted: bool = False  # instruments, again


def trading_login() -> Login:
    """Of a session that trades."""
    return Login(at={Side.TRADER: Step.CONNECT_TRADER}, goal=Step.TRADE)


def step(login: Login, event: Event) -> Sequence[Action]:
    """Take one answer of CTP. After a Failure nothing more is done."""
    if login.failed:
        return ()
    was_ready = login.ready
    actions = _take(login, event)
    if was_ready and not isinstance(event, FrontDisconnected):
        return [Unlisted(action) if isinstance(action, Failure) else action for action in actions]
    login.failed = any(isinstance(action, Failure) for action in actions)
    return actions


def _take(login: Login, event: Event) -> Sequence[Action]:
    match event:
        case FrontConnected(side):
            return _connected(login, side)
        case FrontDisconnected(side, reason):
            return _disconnected(login, side, reason)
        case Authenticated(error):
            return _authenticated(login, error)
        case LoggedIn(side, error, trading_day):
            return _logged_in(login, side, error, trading_day)
        case InstrumentsRead(error, known):
            return _read(login, error, known)
        case InstrumentsWanted():
            return _wanted(login)


def _connected(login: Login, side: Side) -> Sequence[Action]:
    if side is Side.TRADER:
        login.at[side] = Step.AUTHENTICATE
        if login.ready:  # CTP makes a lost connection again by itself
            return (Request.AUTHENTICATE,) if login.wanted else ()
        return Reached(Step.CONNECT_TRADER), Request.AUTHENTICATE
    login.at[side] = Step.LOGIN_MARKET
    return Reached(Step.CONNECT_MARKET), Request.LOGIN_MARKET


def _disconnected(login: Login, side: Side, reason: int) -> Sequence[Action]:
    if login.ready and side is Side.TRADER and login.goal is Step.FLOW:
        login.at[side] = Step.CONNECT_TRADER
        return ()
    return (disconnected(login.goal if login.ready else login.at[side], reason),)


def _authenticated(login: Login, error: Error) -> Sequence[Action]:
    if error.code:
        return (answered(Step.AUTHENTICATE, *error),)
    login.at[Side.TRADER] = Step.LOGIN_TRADER
    return Reached(Step.AUTHENTICATE), Request.LOGIN_TRADER


def _logged_in(login: Login, side: Side, error: Error, trading_day: str) -> Sequence[Action]:
    if error.code:
        return (answered(_LOGIN[side], *error),)
    if side is Side.TRADER:
        login.trading_day = trading_day
        if login.goal is Step.FLOW:
            login.at[side] = Step.QUERY_INSTRUMENTS
            return Reached(Step.LOGIN_TRADER), Request.QUERY_INSTRUMENTS
        login.at[side] = Step.TRADE
        return Reached(Step.LOGIN_TRADER), *_ready(login)
    login.at[side] = Step.FLOW
    return Reached(Step.LOGIN_MARKET), *_ready(login)


def _read(login: Login, error: Error, known: int) -> Sequence[Action]:
    if error.code == _QUERY_TOO_SOON:
        return (Request.QUERY_AGAIN,)
    if error.code:
        return (answered(Step.QUERY_INSTRUMENTS, *error),)
    if not known:
        nothing = Reason.of("lists_nothing")
        return (Failure(step=Step.QUERY_INSTRUMENTS, kind=Kind.NOT_READY, cause=nothing),)
    login.at[Side.TRADER] = Step.FLOW
    if login.ready:
        login.wanted = False
        return (Listed(),)
    return Reached(Step.QUERY_INSTRUMENTS), *_ready(login)


def _wanted(login: Login) -> Sequence[Action]:
    login.wanted = login.ready
    if not login.ready or login.at[Side.TRADER] is Step.CONNECT_TRADER:
        return ()
    if login.at[Side.TRADER] in (Step.AUTHENTICATE, Step.LOGIN_TRADER):
        return (Request.AUTHENTICATE,)
    login.at[Side.TRADER] = Step.QUERY_INSTRUMENTS
    return (Request.QUERY_INSTRUMENTS,)


def _ready(login: Login) -> Sequence[Action]:
    if any(at is not login.goal for at in login.at.values()):
        return ()
    login.ready = True
    return (Ready(login.trading_day),)
