"""How a service declares what it answers: handlers, and what they may know of a request."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast, get_type_hints, overload

from pydantic import BaseModel

from aegis_sdk.errors import ConfigurationError
from aegis_sdk.messages import Headers
from aegis_sdk.method import Method

__all__ = ["Context", "Rpc", "rpc"]

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler may want to know about the request it answers."""

    headers: Headers
    deadline: float  # of time.monotonic()

    @property
    def time_left(self) -> float:
        """Seconds until nobody waits for the answer any more; not above zero when it is too late."""
        return self.deadline - time.monotonic()


class Rpc(Generic[Request, Reply]):
    """A handler on a service class. On the class it is the `Method` to call, on an instance the handler itself."""

    def __init__(
        self, handler: Callable[..., Awaitable[Reply]], method: Method[Any, Any] | None, idempotent: bool
    ) -> None:
        self.handler = handler
        self.idempotent = method.idempotent if method else idempotent
        self.name = method.name if method else handler.__name__
        self._declared = method
        self._method: Method[Request, Reply] | None = None
        self.wants_context = len(inspect.signature(handler).parameters) == 3
        self.__doc__ = handler.__doc__

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Method[Request, Reply]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> Callable[..., Awaitable[Reply]]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self.method(owner) if instance is None else self.handler.__get__(instance, owner)

    def method(self, owner: type[Any]) -> Method[Request, Reply]:
        """The method as callers see it; its service is that of the class which has the handler."""
        if self._method is None or self._method.service != owner.name:
            request, reply = _models(self.handler)
            made = Method(owner.name, self.name, request, reply, self.idempotent)
            if self._declared is not None and made != self._declared:
                raise ConfigurationError(f"{owner.__name__}.{self.handler.__name__}", f"is not {self._declared}")
            self._method = cast("Method[Request, Reply]", made)
        return self._method


def _models(handler: Callable[..., Any]) -> tuple[type[BaseModel], type[BaseModel]]:
    """The request and reply models that a handler's annotations name."""
    hints = get_type_hints(handler)
    parameters = list(inspect.signature(handler).parameters)[1:]
    request = hints.get(parameters[0]) if parameters else None
    reply = hints.get("return")
    for what, model in (("request", request), ("reply", reply)):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise ConfigurationError(handler.__qualname__, f"its {what} must be annotated with a Pydantic model")
    return cast("type[BaseModel]", request), cast("type[BaseModel]", reply)


@overload
def rpc(handler: Callable[[Any, Request], Awaitable[Reply]], /) -> Rpc[Request, Reply]: ...
@overload
def rpc(handler: Callable[[Any, Request, Context], Awaitable[Reply]], /) -> Rpc[Request, Reply]: ...
@overload
def rpc(
    method: Method[Request, Reply] | None = None, /, *, idempotent: bool = False
) -> Callable[[Callable[..., Awaitable[Reply]]], Rpc[Request, Reply]]: ...
def rpc(target: Any = None, /, *, idempotent: bool = False) -> Any:
    """Declare a handler `async (self, request) -> reply` or `async (self, request, context) -> reply`.

    Used bare, with `idempotent=True`, or with the `Method` of a contract that it serves.
    """
    if callable(target):
        return Rpc[Any, Any](cast("Any", target), None, idempotent)

    def declare(handler: Callable[..., Awaitable[Any]]) -> Rpc[Any, Any]:
        return Rpc(handler, target, idempotent)

    return declare
