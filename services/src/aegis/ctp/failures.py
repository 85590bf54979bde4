"""Why a CTP session could not begin or has ended, and whether another attempt makes sense.

Error numbers are those of CTP's own error.xml. What a counter means by them differs little between brokers; what is
not listed here is tried again, a configured number of times.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

__all__ = ["Failure", "Kind", "Step", "failure_of"]


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
    """`code` is CTP's error number or reason of disconnection, 0 where there is none."""

    step: Step
    kind: Kind
    message: str
    code: int = 0

    def __str__(self) -> str:
        code = f" (error {self.code})" if self.code else ""
        return f"could not {self.step}{code}: {self.message}"


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


def failure_of(step: Step, code: int, message: str) -> Failure:
    """What an error that CTP answered means."""
    kind = Kind.CREDENTIALS if code in _CREDENTIALS else Kind.NOT_READY if code in _NOT_READY else Kind.OTHER
    return Failure(step=step, kind=kind, message=message.strip() or "no reason was given", code=code)
