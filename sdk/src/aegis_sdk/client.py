"""Calling methods: one typed answer within a deadline, or one typed error."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, RootModel

from aegis_sdk import codec, subjects
from aegis_sdk.active_call import Answer
from aegis_sdk.active_calls import ActiveCalls
from aegis_sdk.balance import Balance
from aegis_sdk.errors import ConfigurationError, ConnectionUnavailable, DeadlineExceeded, RpcError, Unavailable
from aegis_sdk.messages import TIMEOUT_MS, Message
from aegis_sdk.method import Method
from aegis_sdk.replies import decoded, error_in
from aegis_sdk.transport import ConnectionState, Transport

if TYPE_CHECKING:
    from aegis_sdk.discovery import Directory

__all__ = ["Client"]

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply", bound=BaseModel)

_BACKOFF_S: Final = (0.02, 0.5)


class Client:
    """Calls services over a transport. Make one for a connection and keep it: it learns where active instances are.

    `directory` is needed for calls by zone or weight; it must know the services that are called so.
    """

    def __init__(self, transport: Transport, directory: Directory | None = None) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._active: ActiveCalls | None = None
        self._balance: Balance | None = None
        if directory is not None:
            self._balance = balance = Balance(directory.instances)
            directory.on_change(lambda _: balance.changed())

    async def call(
        self,
        method: Method[Request, Reply],
        request: Request,
        *,
        timeout: float = 5.0,
        instance: str = "",
        zone: str = "",
        by_weight: bool = False,
    ) -> Reply:
        """Call any instance of the method's service, or the one named.

        With `zone` the instances of that zone take turns by their weights; where the directory knows no able one
        there, all do, as with `by_weight` alone. An instance of weight 0 gets no such call.

        Waits for a lost connection within `timeout` seconds. An idempotent method is called again, with a growing
        pause, when an attempt was refused before it began, by zone or weight at another instance; a business error or
        a timeout is never repeated.

        Raises RpcError: its class says what happened. DeadlineExceeded and InternalError alone leave open whether the
        call had an effect, unless they say "not sent".
        """
        if zone or by_weight:
            return await self._call_balanced(method, request, timeout, instance, zone)
        subject = subjects.direct(method.service, instance, method.name) if instance else method.subject
        return await self._call(method, request, timeout, lambda: subject)

    async def call_active(
        self,
        method: Method[Request, Reply],
        key: str,
        request: Request,
        *,
        timeout: float = 5.0,
        idempotency_key: str = "",
    ) -> Answer[Reply]:
        """Call the one active instance of a key, whoever that is by the end of the call.

        `idempotency_key`, 1 to 128 visible ASCII characters, names what is to be done: calls that carry the same one
        do it once, and get the same answer. By default it is random, and new for each call.

        Raises NotExecuted where the call for certain had no effect, OutcomeUnknown where that is not known, with the
        idempotency key to ask again with, or the service's own error.
        NotExecuted speaks of this call: of an earlier one with the same key only where this client made that one too.
        """
        if self._active is None:
            self._active = ActiveCalls(self._transport)
        return await self._active.call(method, key, request, timeout=timeout, idempotency_key=idempotency_key)

    async def call_json(self, service: str, method: str, body: Any, *, timeout: float = 5.0, instance: str = "") -> Any:
        """Call without a model: plain data both ways. For tools; never repeated."""
        subject = subjects.direct(service, instance, method) if instance else subjects.rpc(service, method)
        message = await self._attempt(subject, codec.encode_json(body), self._loop.time() + timeout)
        if (error := error_in(message)) is not None:
            raise error
        return codec.decode_json(message.payload)

    async def call_active_json(
        self, service: str, method: str, key: str, body: Any, *, timeout: float = 5.0, idempotency_key: str = ""
    ) -> Answer[Any]:
        """`call_active` without a model: plain data both ways. For tools."""
        plain = Method(service, method, RootModel[Any], RootModel[Any])
        request = RootModel[Any](body)
        answer = await self.call_active(plain, key, request, timeout=timeout, idempotency_key=idempotency_key)
        return Answer[Any](answer.value.root, *answer[1:])

    async def _call_balanced(
        self, method: Method[Request, Reply], request: Request, timeout: float, instance: str, zone: str
    ) -> Reply:
        balance = self._balance
        if balance is None:
            raise ConfigurationError("directory", "calls by zone or weight need a Client with a directory")
        if instance:
            raise ConfigurationError("instance", "is named already: leave out zone and by_weight")
        tried: set[str] = set()

        def subject() -> str:
            chosen = balance.choose(method.service, zone, tried)
            if not chosen:
                raise Unavailable(f"no instance of {method.service} takes calls")
            tried.add(chosen)
            return subjects.direct(method.service, chosen, method.name)

        return await self._call(method, request, timeout, subject)

    async def _call(
        self, method: Method[Request, Reply], request: Request, timeout: float, subject: Callable[[], str]
    ) -> Reply:
        """Call `subject()`, which is asked anew for each attempt."""
        payload = codec.encode_model(request)
        deadline = self._loop.time() + timeout
        pause = _BACKOFF_S[0]
        while True:
            try:
                message = await self._attempt(subject(), payload, deadline)
                if (error := error_in(message)) is not None:
                    raise error
                return decoded(method, message)
            except RpcError as error:
                wait = pause * random.uniform(0.5, 1.0)
                if not (method.idempotent and error.retryable and self._loop.time() + wait < deadline):
                    raise
            await asyncio.sleep(wait)
            pause = min(pause * 2, _BACKOFF_S[1])

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
