"""Maintenance: an instance goes on running, but takes neither calls that any instance may answer nor keys.

Until it is released: by the same method, or by its end. Who calls it by its name is still answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from pydantic import BaseModel

from aegis_sdk.endpoint import Endpoint
from aegis_sdk.instances import InstanceStatus
from aegis_sdk.method import Method
from aegis_sdk.registry import Registration
from aegis_sdk.service import ServiceHost

__all__ = ["Maintained", "Maintenance", "MaintenanceRequest", "maintenance_of"]


class MaintenanceRequest(BaseModel):
    """Begin or end it. Where it is so already nothing is done."""

    on: bool


class Maintained(BaseModel):
    """What is still at work: calls, and keys that are being given to others."""

    on: bool
    at_work: int
    keys: int


def maintenance_of(service: str) -> Method[MaintenanceRequest, Maintained]:
    """Answered by the instance that is called by its name."""
    return Method(service, "maintenance", MaintenanceRequest, Maintained, idempotent=True)


class HasKeys(Protocol):
    """The host of a single-active service."""

    @property
    def held(self) -> Mapping[str, Any]: ...

    def drain(self) -> None: ...

    def resume(self) -> None: ...


class Maintenance:
    """Of one instance; `active` where its service has keys."""

    def __init__(self, host: ServiceHost, registration: Registration, active: HasKeys | None) -> None:
        self._host: Final = host
        self._registration: Final = registration
        self._active: Final = active
        self._before: InstanceStatus | None = None  # what it said of itself when this began

    async def serve(self) -> None:
        """Answer from now on."""
        method = maintenance_of(self._host.service.name)
        await self._host.serve_directly(Endpoint("maintenance", method, self.set, wants_context=False))

    async def set(self, request: MaintenanceRequest) -> Maintained:
        if request.on and self._before is None:
            await self._begin()
        elif not request.on and self._before is not None:
            await self._end(self._before)
        keys = 0 if self._active is None else len(self._active.held)
        others = self._host.admission.at_work - 1  # this call is one
        return Maintained(on=self._before is not None, at_work=others, keys=keys)

    async def _begin(self) -> None:
        self._before = self._registration.record.status
        await self._host.withdraw()
        self._registration.change(maintenance=True)
        if self._active is None:
            self._registration.set_status(InstanceStatus.DRAINING)
        else:
            self._active.drain()

    async def _end(self, before: InstanceStatus) -> None:
        self._before = None
        await self._host.offer()
        self._registration.change(maintenance=False)
        if self._active is None:
            self._registration.set_status(before)
        else:
            self._active.resume()
