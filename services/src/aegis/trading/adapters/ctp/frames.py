"""What a trading session's process and the service say to each other, beside what any session says."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from aegis.ctp.frames import Alive, Ended, FrontAddresses, Login, Reached, Rejected, Stop

__all__ = [
    "Answer",
    "FromSession",
    "NotTaken",
    "Ready",
    "Record",
    "Request",
    "Start",
    "ToSession",
    "Told",
    "from_session",
    "to_session",
]

Record = dict[str, Any]
"""A record of CTP by the names of its fields: texts, numbers, and letters as texts of one character or none."""


# To the session


class Start(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """The first thing that it hears. `libraries`: a directory of drop-in CTP libraries; empty: the real ones."""

    login: Login
    fronts: FrontAddresses
    production: bool
    libraries: str = ""


class Request(msgspec.Struct, frozen=True, tag="request"):
    """Ask CTP for `what`, the name of one of its requests without `Req`; its answers carry the number."""

    number: int
    what: str
    fields: Record


ToSession = Start | Request | Stop

# From the session


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """Logged in; the private stream follows, from the beginning of the trading day."""

    trading_day: str
    front_id: int
    session_id: int
    highest_ref: int  # references of orders must be above it
    libraries: tuple[str, ...]  # the CTP libraries that are really loaded


class NotTaken(msgspec.Struct, frozen=True, tag="not_taken"):
    """A request that never left, and CTP's reason: -1 no connection, -2 too many wait, -3 too many in a second."""

    number: int
    code: int


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """One record of what CTP answers to a request; an error has a code."""

    number: int
    record: Record
    code: int = 0
    text: str = ""
    last: bool = True


class Told(msgspec.Struct, frozen=True, tag="told"):
    """One record of the private stream, or an exchange's word to all, by the name of its callback without `On`."""

    what: str
    record: Record
    code: int = 0
    text: str = ""


FromSession = Alive | Reached | Ready | NotTaken | Answer | Told | Rejected | Ended

from_session: Final = msgspec.msgpack.Decoder(FromSession)
to_session: Final = msgspec.msgpack.Decoder(ToSession)
