"""What travels: one immutable message, and the names of its headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

CODEC: Final = "Aegis-Codec"
TIMEOUT_MS: Final = "Aegis-Timeout-Ms"
IDEMPOTENCY_KEY: Final = "Aegis-Idempotency-Key"
EPOCH: Final = "Aegis-Epoch"
SEQUENCE: Final = "Aegis-Sequence"
STALE: Final = "Aegis-Stale"
TRACEPARENT: Final = "traceparent"
ERROR_CODE: Final = "Nats-Service-Error-Code"
ERROR: Final = "Nats-Service-Error"
MESSAGE_ID: Final = "Nats-Msg-Id"
STATUS: Final = "Status"
EXPECTED_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_SUBJECT: Final = "Nats-Expected-Last-Subject-Sequence-Subject"
ROLLUP: Final = "Nats-Rollup"

NO_RESPONDERS: Final = "503"

_IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,128}")

Headers = Mapping[str, str]
NO_HEADERS: Final[Headers] = {}


def is_idempotency_key(text: str) -> bool:
    """Whether it is 1 to 128 visible ASCII characters."""
    return _IDEMPOTENCY_KEY.fullmatch(text) is not None


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message as received. `reply` is empty where no reply is asked for."""

    subject: str
    payload: bytes
    headers: Headers = NO_HEADERS
    reply: str = ""


class StoredMessage(NamedTuple):
    """A message as a stream holds it. `sequence` is the stream's, from 1; `timestamp_ns` is UTC."""

    subject: str
    payload: bytes
    headers: Headers
    sequence: int
    timestamp_ns: int
