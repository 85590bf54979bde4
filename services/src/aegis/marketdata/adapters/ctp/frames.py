"""What a session's process and the service say to each other over one socket: MessagePack, each behind its length."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from aegis.contracts.market import Instrument, Quote
from aegis.marketdata.adapters.ctp.failures import Failure, Step
from aegis_sdk.errors import CodecError

__all__ = [
    "Alive",
    "Ended",
    "FromSession",
    "FrontAddresses",
    "Login",
    "Quotes",
    "Reached",
    "Ready",
    "Reassembly",
    "Rejected",
    "Start",
    "Stop",
    "Subscribe",
    "ToSession",
    "Universe",
    "Waiting",
    "encoded",
    "from_session",
    "to_session",
]

_LENGTH: Final = struct.Struct("<I")
_MAX_BYTES: Final = 16 << 20


class FrontAddresses(msgspec.Struct, frozen=True, kw_only=True):
    market: tuple[str, ...]
    trader: tuple[str, ...]


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Who logs in. Never shown: `repr` leaves the secrets out."""

    broker_id: str
    user_id: str
    password: str
    app_id: str
    auth_code: str

    def __repr__(self) -> str:
        return f"Login({self.broker_id}, {self.user_id})"


# To the session


class Start(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """The first thing that it hears. `libraries`: a directory of drop-in CTP libraries; empty: the real ones."""

    login: Login
    fronts: FrontAddresses
    production: bool
    libraries: str = ""
    ring: int = 32_768
    backlog: int = 2_048
    backlog_ms: int = 60
    most_waiting: int = 64 << 20  # bytes in front of the session; beyond that it ends itself


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe"):
    """Ask for ticks of these symbols, or for no more of them."""

    symbols: list[str]
    wanted: bool = True


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End in order."""


ToSession = Start | Subscribe | Stop

# From the session


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """Said twice a second, by the thread that hears what the session is told."""


class Waiting(msgspec.Struct, frozen=True, tag="waiting"):
    """How much waits in the session, said once a second while it is ready."""

    ring: int  # quotes
    queue: int  # bytes, in the wrapper's queue in front of it; 0 where that cannot be told


class Reached(msgspec.Struct, frozen=True, tag="reached"):
    step: Step


class Universe(msgspec.Struct, frozen=True, tag="universe"):
    """Some of the instruments that the counter knows."""

    instruments: list[Instrument]


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    trading_day: str
    libraries: tuple[str, ...]  # the CTP libraries that are really loaded


class Quotes(msgspec.Struct, frozen=True, tag="quotes", gc=False):
    quotes: list[Quote]


class Rejected(msgspec.Struct, frozen=True, tag="rejected"):
    """What came and was no quote, or a subscription that the front refused."""

    reason: str
    detail: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    failure: Failure | None = None  # None: as it was told to


FromSession = Alive | Waiting | Reached | Universe | Ready | Quotes | Rejected | Ended

_encoder: Final = msgspec.msgpack.Encoder()
from_session: Final = msgspec.msgpack.Decoder(FromSession)
to_session: Final = msgspec.msgpack.Decoder(ToSession)


def encoded(frame: FromSession | ToSession) -> bytes:
    """A frame as it goes over the socket."""
    body = _encoder.encode(frame)
    return _LENGTH.pack(len(body)) + body


class Reassembly:
    """Takes what a socket gives, and gives the bodies of whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def take(self, data: bytes) -> Iterator[bytes]:
        """Raises CodecError for a frame that is longer than any of ours."""
        self._buffer += data
        start, have = 0, len(self._buffer)
        while have - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if length > _MAX_BYTES:
                raise CodecError(f"a frame of {length} bytes is none of a CTP session's")
            end = start + _LENGTH.size + length
            if end > have:
                break
            yield bytes(self._buffer[start + _LENGTH.size : end])
            start = end
        del self._buffer[:start]
