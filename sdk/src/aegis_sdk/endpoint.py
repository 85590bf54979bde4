"""A handler at run time: what it takes, what it is, and how it has fared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel

from aegis_sdk import codec
from aegis_sdk.errors import CodecError, RpcError
from aegis_sdk.messages import ERROR, ERROR_CODE
from aegis_sdk.method import Method

__all__ = ["Endpoint", "error_reply"]


class Endpoint:
    """One method of a running instance, with its counters. Times are seconds of the monotonic clock."""

    def __init__(
        self, attribute: str, method: Method[Any, Any], handler: Callable[..., Awaitable[Any]], wants_context: bool
    ) -> None:
        self.attribute = attribute
        self.method = method
        self.name = method.name
        self.request: type[BaseModel] = method.request
        self.handler = handler
        self.wants_context = wants_context
        self.requests = 0
        self.errors = 0
        self.seconds = 0.0
        self.last_error = ""

    def succeeded(self, seconds: float) -> None:
        self.requests += 1
        self.seconds += seconds

    def failed(self, error: RpcError, seconds: float) -> None:
        self.requests += 1
        self.errors += 1
        self.seconds += seconds
        self.last_error = f"{error.status}:{error.message}"[:200]


def error_reply(error: RpcError) -> tuple[bytes, dict[str, str]]:
    """Payload and headers of an error as it travels; details that are not JSON are left out."""
    try:
        body = codec.encode_json(error.to_wire())
    except CodecError:
        body = codec.encode_json({**error.to_wire(), "details": {}})
    return body, {ERROR_CODE: str(error.status), ERROR: " ".join(error.message.split())[:200]}
