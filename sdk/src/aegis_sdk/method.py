"""What can be called: methods with typed requests and replies, declared once for caller and service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel

from aegis_sdk import subjects

__all__ = ["Empty", "Method"]

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply", bound=BaseModel)


class Empty(BaseModel):
    """A request or reply that says nothing."""


@dataclass(frozen=True)
class Method(Generic[Request, Reply]):
    """A method of a service, as its callers see it.

    `idempotent` is the service's promise that a repeated call does no harm; only then does the client repeat it.
    """

    service: str
    name: str
    request: type[Request]
    reply: type[Reply]
    idempotent: bool = False
    subject: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", subjects.rpc(self.service, self.name))
