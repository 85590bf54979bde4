"""What people may ask of one instance of a single-active service, on its `direct.` subjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import BaseModel, Field

from aegis_sdk.endpoint import Endpoint
from aegis_sdk.errors import Rejected
from aegis_sdk.instances import Token
from aegis_sdk.method import Empty, Method

__all__ = ["Drained", "HandedOver", "Handover", "drain_of", "handover_of", "operations"]


class Handover(BaseModel):
    """Give a key to another instance, the best one where `to` is empty."""

    key: Token
    to: str = Field(default="", max_length=128)


class HandedOver(BaseModel):
    """The epoch that has ended. Who holds the key now, its lease tells in a moment."""

    epoch: int


class Drained(BaseModel):
    """How many keys are being handed over. The instance takes none until it is started again."""

    keys: int


def handover_of(service: str) -> Method[Handover, HandedOver]:
    """Answered by the instance that holds the key; Moved by others, Rejected where nobody can take it."""
    return Method(service, "handover", Handover, HandedOver)


def drain_of(service: str) -> Method[Empty, Drained]:
    return Method(service, "drain", Empty, Drained, idempotent=True)


class Operated(Protocol):
    """The host, as its operations see it."""

    @property
    def held(self) -> Mapping[str, Any]: ...

    async def hand_over(self, key: str, successor: str = "") -> int: ...

    def drain(self) -> None: ...


def operations(service: str, host: Operated) -> list[Endpoint]:
    """The operations of an instance, to be served directly."""

    async def handover(request: Handover) -> HandedOver:
        try:
            return HandedOver(epoch=await host.hand_over(request.key, request.to))
        except TimeoutError:
            raise Rejected(f"{request.key} is still at work; it is handed over as soon as it is done") from None

    async def drain(_: Empty) -> Drained:
        keys = len(host.held)
        host.drain()
        return Drained(keys=keys)

    return [
        Endpoint("handover", handover_of(service), handover, wants_context=False),
        Endpoint("drain", drain_of(service), drain, wants_context=False),
    ]
