"""Calling methods: one typed answer within a deadline, or one typed error."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from aegis_sdk import codec, subjects
from aegis_sdk.errors import (
    CodecError,
    ConnectionUnavailable,
    DeadlineExceeded,
    InternalError,
    RpcError,
    Unavailable,
    error_from_wire,
)
from aegis_sdk.messages import ERROR, ERROR_CODE, TIMEOUT_MS, Message
from aegis_sdk.method import Method
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["Client"]

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply", bound=BaseModel)

_BACKOFF_S: Final = (0.02, 0.5)


class Client:
    """Calls services over a transport. Cheap to make; it holds nothing but the transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()

    async def call(
        self, method: Method[Request, Reply], request: Request, *, timeout: float = 5.0, instance: str = ""
    ) -> Reply:
        """Call any instance of the method's service, or the one named.

        Waits for a lost connection within `timeout` seconds. An idempotent method is called again, with a growing
        pause, when an attempt was refused before it began; a business error or a timeout is never repeated.

        Raises RpcError: its class says what happened. DeadlineExceeded and InternalError alone leave open whether the
        call had an effect, unless they say "not sent".
        """
        subject = subjects.direct(method.service, instance, method.name) if instance else method.subject
        payload = codec.encode_model(request)
        deadline = self._loop.time() + timeout
        pause = _BACKOFF_S[0]
        while True:
            try:
                message = await self._attempt(subject, payload, deadline)
                return _reply(method, message)
            except RpcError as error:
                wait = pause * random.uniform(0.5, 1.0)
                if not (method.idempotent and error.retryable and self._loop.time() + wait < deadline):
                    raise
            await asyncio.sleep(wait)
            pause = min(pause * 2, _BACKOFF_S[1])

    async def call_json(self, service: str, method: str, body: Any, *, timeout: float = 5.0, instance: str = "") -> Any:
        """Call without a model: plain data both ways. For tools; never repeated."""
        subject = subjects.direct(service, instance, method) if instance else subjects.rpc(service, method)
        message = await self._attempt(subject, codec.encode_json(body), self._loop.time() + timeout)
        _raise_error(message)
        return codec.decode_json(message.payload)

    async def _attempt(self, subject: str, payload: bytes, deadline: float) -> Message:
        left = deadline - self._loop.time()
        if self._transport.state is not ConnectionState.CONNECTED:
            left = await self._wait_connected(deadline)
        if left <= 0:
            raise DeadlineExceeded(f"not sent: no time was left to ask {subject}")
        try:
            return await self._transport.request(subject, payload, {TIMEOUT_MS: str(math.ceil(left * 1000))}, left)
        except ConnectionUnavailable as error:
            raise Unavailable(str(error)) from error
        except Unavailable as error:
            raise Unavailable(f"nobody serves {subject}") from error

    async def _wait_connected(self, deadline: float) -> float:
        try:
            await self._transport.wait_connected(max(deadline - self._loop.time(), 0))
        except ConnectionUnavailable as error:
            raise Unavailable(f"not sent: {error}") from error
        return deadline - self._loop.time()


def _reply(method: Method[Any, Reply], message: Message) -> Reply:
    _raise_error(message)
    try:
        return method.reply.__pydantic_validator__.validate_json(message.payload or b"{}")
    except ValidationError as error:
        raise InternalError(
            f"{method.service}.{method.name} answered what is not a valid {method.reply.__name__}", problem=str(error)
        ) from error


def _raise_error(message: Message) -> None:
    if ERROR_CODE not in message.headers:
        return
    try:
        body: Any = codec.decode_json(message.payload)
    except CodecError:
        body = None
    if not isinstance(body, dict):
        raise InternalError(message.headers.get(ERROR, "an error without a body"))
    raise error_from_wire(cast("dict[str, Any]", body))
