"""What a market data session's process and the service say to each other, beside what any session says."""

from __future__ import annotations

from typing import Final

import msgspec

from aegis.contracts.market import Instrument, Quote
from aegis.ctp.frames import Alive, Ended, FrontAddresses, Login, Reached, Rejected, Stop
from aegis.ctp.login import Error

__all__ = [
    "Answered",
    "FromSession",
    "ListAnew",
    "Listed",
    "Quotes",
    "Ready",
    "Start",
    "Subscribe",
    "ToSession",
    "Universe",
    "Waiting",
    "from_session",
    "to_session",
]


# To the session


class Start(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """The first thing that it hears. `libraries`: a directory of drop-in CTP libraries; empty: the real ones.

    `gated`: let ticks wait in the gate, where it is built; else they come by the wrapper.
    """

    login: Login
    fronts: FrontAddresses
    production: bool
    libraries: str = ""
    gated: bool = True
    ring: int = 32_768
    backlog: int = 2_048
    backlog_ms: int = 60
    most_waiting: int = 64 << 20  # bytes in the wrapper's queue; beyond that it ends itself


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe"):
    """Ask for ticks of these symbols, or for no more of them."""

    symbols: list[str]
    wanted: bool = True


class ListAnew(msgspec.Struct, frozen=True, tag="list"):
    """Query all instruments again: the listing of that number, above that of any before."""

    number: int


ToSession = Start | Subscribe | ListAnew | Stop

# From the session


class Waiting(msgspec.Struct, frozen=True, tag="waiting"):
    """How much waits in the session, said once a second while it is ready."""

    ring: int  # quotes
    queue: int  # bytes, in the gate or the wrapper's queue in front of it; 0 where that cannot be told


class Universe(msgspec.Struct, frozen=True, tag="universe"):
    """Some of the instruments that the counter knows."""

    instruments: list[Instrument]
    listing: int = 0  # its number; 0: the one by which the session has come up


class Listed(msgspec.Struct, frozen=True, tag="listed"):
    """All of a listing were told."""

    listing: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    trading_day: str
    libraries: tuple[str, ...]  # the CTP libraries that are really loaded


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """Symbols that the counter was asked for, with its answers."""

    answers: dict[str, Error]


class Quotes(msgspec.Struct, frozen=True, tag="quotes", gc=False):
    """Where there is no gate: it writes ticks to a socket of their own."""

    quotes: list[Quote]


FromSession = Alive | Waiting | Reached | Universe | Listed | Ready | Answered | Quotes | Rejected | Ended

from_session: Final = msgspec.msgpack.Decoder(FromSession)
to_session: Final = msgspec.msgpack.Decoder(ToSession)
