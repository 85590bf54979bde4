"""Why a CTP session could not begin or has ended, and whether another attempt makes sense.

Error numbers are those of CTP's own error.xml. What a counter means by them differs little between brokers; what is
not listed here is tried again, a configured number of times.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from aegis.contracts.reasons import Reason

__all__ = ["Failure", "Kind", "Step", "answered", "disconnected", "not_requested"]


class Step(StrEnum):
    """What a session does, in this order; the last two are of one that trades."""

    START = "start"  # the child process, its locale and libraries
    CONNECT_TRADER = "connect to the trader front"
    AUTHENTICATE = "authenticate"
    LOGIN_TRADER = "log in at the trader front"
    QUERY_INSTRUMENTS = "query the instruments"
    CONNECT_MARKET = "connect to the market data front"
    LOGIN_MARKET = "log in at the market data front"
    FLOW = "receive market data"
    TRADE = "trade"


class Kind(StrEnum):
    """What to do about a failure."""

    CREDENTIALS = "credentials"  # another attempt would end in the same way, and may lock the account: stop
    SETUP = "setup"  # this machine lacks something: stop
    OVERLOAD = "overload"
    """More came than could be taken, and waits in a queue that goes with the session: another at once, and after
    another overload as where the counter is not there."""
    NOT_READY = "not_ready"  # the counter is not there yet: try for as long as the session is wanted
    OTHER = "other"  # try a number of times


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be done, and for what."""

    step: Step
    kind: Kind
    cause: Reason

    @property
    def why(self) -> tuple[Reason, Reason]:
        return Reason(f"could_not_{self.step.name.lower()}"), self.cause

    def __str__(self) -> str:
        return ": ".join(map(str, self.why))


_CREDENTIALS: Final = frozenset(
    {
        3,  # wrong user or password
        4,  # the user is not active
        63,  # authentication failed
        64,  # the terminal is not authenticated
        75,  # too many failed logins: locked for a time
        131,  # the password is too weak, and must be changed
        140,  # the first login must change the password
    }
)
_NOT_READY: Final = frozenset(
    {
        7,  # not initialised: each morning before the opening, and between sessions
        8,  # the front is not active
        60,  # too many sessions of the user: those of a killed process end a while after it
        90,  # a query came too soon after the one before
        0x1001,  # the connection could not be read
        0x1002,  # the connection could not be written
        0x2001,  # no heartbeat from the front
        0x2002,  # no heartbeat to the front
    }
)


def answered(step: Step, code: int, text: str) -> Failure:
    """What an error that CTP answered means; `text` is the counter's own."""
    said = text.strip()
    cause = Reason.of("counter_says", error=code, text=said) if said else Reason.of("counter_error", error=code)
    return Failure(step=step, kind=_kind_of(code), cause=cause)


def disconnected(step: Step, code: int) -> Failure:
    """The front has closed the connection; `code` is its reason."""
    return Failure(step=step, kind=_kind_of(code), cause=Reason.of("front_closed", error=code))


def not_requested(step: Step, code: int) -> Failure:
    """CTP's own library does not take a request."""
    return Failure(step=step, kind=Kind.NOT_READY, cause=Reason.of("request_refused", error=code))


def _kind_of(code: int) -> Kind:
    return Kind.CREDENTIALS if code in _CREDENTIALS else Kind.NOT_READY if code in _NOT_READY else Kind.OTHER
