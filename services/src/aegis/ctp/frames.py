"""What any session's process and its service say to each other over one socket: MessagePack, each behind its length."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from aegis.contracts.market import InstrumentId
from aegis.ctp.failures import Failure, Step
from aegis_sdk.errors import CodecError

__all__ = ["Alive", "Ended", "FrontAddresses", "Login", "Reached", "Reassembly", "Rejected", "Stop", "encoded"]

_LENGTH: Final = struct.Struct("<I")
_MAX_BYTES: Final = 16 << 20


class FrontAddresses(msgspec.Struct, frozen=True, kw_only=True):
    market: tuple[str, ...]
    trader: tuple[str, ...]


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Who logs in. Its secrets are never shown, nor by whoever shows the variables of a traceback."""

    broker_id: str
    user_id: str
    password: str
    app_id: str
    auth_code: str

    def __repr__(self) -> str:
        return f"Login({self.broker_id}, {self.user_id})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("broker_id", self.broker_id), ("user_id", self.user_id)]


# To the session


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End in order."""


# From the session


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """Said twice a second, by the thread that hears what the session is told."""


class Reached(msgspec.Struct, frozen=True, tag="reached"):
    step: Step


class Rejected(msgspec.Struct, frozen=True, tag="rejected"):
    """What came and could not be used, or a request that the front refused; `count` of them; the instrument, if any."""

    reason: str
    detail: str
    count: int = 1
    instrument: InstrumentId | None = None


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    failure: Failure | None = None  # None: as it was told to


_encoder: Final = msgspec.msgpack.Encoder()


def encoded(frame: msgspec.Struct) -> bytes:
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
