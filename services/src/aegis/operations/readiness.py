"""When a service is ready."""

from __future__ import annotations

import math
from typing import Final

from aegis.operations.plan import ServicePlan
from aegis_sdk.discovery import Directory
from aegis_sdk.instances import InstanceStatus

__all__ = ["serves"]

_READY: Final = (InstanceStatus.ACTIVE, InstanceStatus.STANDBY)


async def serves(directory: Directory, service: ServicePlan, since: float) -> None:
    """Return when the instance that was started at `since`, in seconds since 1970, or later, says that it serves.

    The time tells it from the one before it, which may be in the table for a second after its end.
    """

    def is_ready(table: Directory) -> bool:
        return any(
            one.confirmed
            and one.record.instance == service.instance
            and one.status in _READY
            and one.record.started_at.timestamp() >= since
            for one in table.instances(service.service)
        )

    await directory.wait_for(is_ready, timeout=math.inf)
