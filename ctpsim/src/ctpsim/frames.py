"""The frames of a connection between a library and the front: `native/protocol.hpp` is the library's side of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal, NamedTuple

from aegis_sdk.errors import CodecError

__all__ = [
    "Kind",
    "Limits",
    "Reassembly",
    "Request",
    "Resume",
    "Side",
    "Topics",
    "call",
    "drop",
    "hello",
    "limits",
    "topics",
    "warning",
]

Side = Literal["M", "T"]

HEAD: Final = struct.Struct("<IHBBiI")
_LIMITS: Final = struct.Struct("<IIi")
_TOPICS: Final = struct.Struct("<BB9si")
_MAX_BODY: Final = 1 << 16
_LAST: Final = 1
_PRIVATE: Final = 2
_LOGIN: Final = 4


class Kind(IntEnum):
    CALL = 0
    HELLO = 1
    DROP = 2
    WARN = 3
    LIMITS = 4
    TOPICS = 5


class Resume(IntEnum):
    """From where on a client wants to hear a topic: CTP's THOST_TE_RESUME_TYPE."""

    RESTART = 0
    RESUME = 1
    QUICK = 2
    NONE = 3
    UNASKED = 255


class Request(NamedTuple):
    """What a client sends. `what` is the request's place in the headers."""

    kind: int
    what: int
    request_id: int
    data: bytes


class Topics(NamedTuple):
    """What a client knows of the private stream, and how it wants to hear of it."""

    private: Resume
    trading_day: str
    private_number: int


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the library itself refuses: -3 above these rates, and `answer` to everything where it is not 0."""

    query_interval_ms: int = 1000
    requests_per_s: int = 0  # 0: no limit
    answer: int = 0

    def pack(self) -> bytes:
        return _LIMITS.pack(self.query_interval_ms, self.requests_per_s, self.answer)


def call(
    what: int,
    data: bytes = b"",
    error: bytes = b"",
    *,
    request_id: int = 0,
    last: bool = True,
    private_number: int | None = None,
    login: bool = False,
) -> bytes:
    """A callback. Where it is of the private stream its number there takes the place of a request's."""
    flags = _LAST * last | _LOGIN * login | _PRIVATE * (private_number is not None)
    number = request_id if private_number is None else private_number
    return HEAD.pack(len(data) + len(error), what, Kind.CALL, flags, number, len(data)) + data + error


def hello(side: Side, digest: int, permitted: Limits) -> bytes:
    body = struct.pack("<Qc", digest, side.encode()) + permitted.pack()
    return HEAD.pack(len(body), 0, Kind.HELLO, 0, 0, len(body)) + body


def limits(permitted: Limits) -> bytes:
    body = permitted.pack()
    return HEAD.pack(len(body), 0, Kind.LIMITS, 0, 0, len(body)) + body


def drop(reason: int) -> bytes:
    return HEAD.pack(0, 0, Kind.DROP, 0, reason, 0)


def warning(seconds: int) -> bytes:
    return HEAD.pack(0, 0, Kind.WARN, 0, seconds, 0)


def topics(body: bytes) -> Topics:
    """Raises CodecError."""
    try:
        private, _, day, number = _TOPICS.unpack(body)
        return Topics(Resume(private), day.split(b"\0")[0].decode("ascii"), number)
    except (struct.error, ValueError) as error:
        raise CodecError(f"a client's topics are not understood: {error}") from error


class Reassembly:
    """Takes what a socket gives, and gives whole requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def take(self, data: bytes) -> Iterator[Request]:
        """Raises CodecError for what no library of ours sends."""
        self._buffer += data
        at, have = 0, len(self._buffer)
        while have - at >= HEAD.size:
            body, what, kind, _, request_id, length = HEAD.unpack_from(self._buffer, at)
            if body > _MAX_BODY or length != body or kind not in (Kind.CALL, Kind.TOPICS):
                raise CodecError(f"a frame of kind {kind} with {body} bytes is none of a CTP library's")
            end = at + HEAD.size + body
            if end > have:
                break
            yield Request(kind, what, request_id, bytes(self._buffer[at + HEAD.size : end]))
            at = end
        del self._buffer[:at]
