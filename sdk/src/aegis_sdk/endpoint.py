"""A handler at run time: what it takes, what it is, and how it has fared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from pydantic import BaseModel

from aegis_sdk import codec
from aegis_sdk.errors import AegisError, CodecError, InvalidRequest, RpcError
from aegis_sdk.histogram import Histogram
from aegis_sdk.messages import ERROR, ERROR_CODE, NO_HEADERS, TIMEOUT_MS, Headers, Message
from aegis_sdk.method import Method
from aegis_sdk.transport import Transport

__all__ = ["Endpoint", "answer", "error_reply", "time_left"]

_log = structlog.get_logger("aegis.service")

_BOUNDS_S: Final = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0)


class Endpoint:
    """One method of a running instance, with its counters. Times are seconds of the monotonic clock."""

    def __init__(
        self, attribute: str, method: Method[Any, Any], handler: Callable[..., Awaitable[Any]], wants_context: bool
    ) -> None:
        self.attribute = attribute
        self.method = method
        self.name = method.name
        self.subject = method.subject
        self.queue_group = method.service
        self.request: type[BaseModel] = method.request
        self.handler = handler
        self.wants_context = wants_context
        self.requests = 0
        self.errors = 0
        self.latency = Histogram(_BOUNDS_S)  # of those that were begun
        self.codes: Counter[str] = Counter()  # of errors
        self.last_error = ""

    @property
    def seconds(self) -> float:
        """What all requests took together."""
        return self.latency.total

    def succeeded(self, seconds: float) -> None:
        self.requests += 1
        self.latency.observe(seconds)

    def failed(self, error: RpcError, seconds: float) -> None:
        """`seconds` is 0 for a request that was refused before it began."""
        self.requests += 1
        self.errors += 1
        self.codes[error.code] += 1
        if seconds:
            self.latency.observe(seconds)
        self.last_error = f"{error.status}:{error.message}"[:200]


def error_reply(error: RpcError) -> tuple[bytes, dict[str, str]]:
    """Payload and headers of an error as it travels; details that are not JSON are left out."""
    try:
        body = codec.encode_json(error.to_wire())
    except CodecError:
        body = codec.encode_json({**error.to_wire(), "details": {}})
    return body, {ERROR_CODE: str(error.status), ERROR: " ".join(error.message.split())[:200]}


def time_left(message: Message, default_s: float) -> float:
    """Seconds that the caller still waits, as its header says."""
    text = message.headers.get(TIMEOUT_MS)
    if text is None:
        return default_s
    if not text.isdecimal() or len(text) > 9:
        raise InvalidRequest(f"{TIMEOUT_MS} is not a number of milliseconds: {text[:20]!r}")
    return int(text) / 1000


def answer(transport: Transport, message: Message, payload: bytes, headers: Headers = NO_HEADERS) -> None:
    """Send a reply where one is asked for; one that cannot be sent is logged, its caller's deadline ends the wait."""
    if not message.reply:
        return
    try:
        transport.publish(message.reply, payload, headers)
    except AegisError as error:
        _log.warning("reply_not_sent", subject=message.subject, reason=str(error))
