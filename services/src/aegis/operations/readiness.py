"""When a service is loaded, and when it is ready."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Final

from aegis.operations.plan import ServicePlan
from aegis_sdk.discovery import Directory
from aegis_sdk.instances import InstanceStatus

__all__ = ["is_loaded", "serves"]

_POLL_S: Final = 0.05
_READY: Final = (InstanceStatus.ACTIVE, InstanceStatus.STANDBY, InstanceStatus.UNHEALTHY)
"""Unhealthy is who does his work but lacks something outside: a feed behind a front that is closed for the night."""


async def serves(directory: Directory, service: ServicePlan, since: float) -> None:
    """Return when the instance that was started at `since`, in seconds since 1970, or later, says that it serves.

    The time tells it from the one before it, which may be in the table for a second after its end. What is no service
    of ours has written its ready file by then.
    """
    await _seen(directory, service, since, _READY)


async def is_loaded(directory: Directory, service: ServicePlan, since: float) -> None:
    """Return when its program is read, and it has come as far as to register; see `serves`."""
    await _seen(directory, service, since, tuple(InstanceStatus))


async def _seen(directory: Directory, service: ServicePlan, since: float, statuses: tuple[InstanceStatus, ...]) -> None:
    def is_there(table: Directory) -> bool:
        return any(
            one.confirmed
            and one.record.instance == service.instance
            and one.status in statuses
            and one.record.started_at.timestamp() >= since
            for one in table.instances(service.service)
        )

    if service.ready_file:
        await _written(Path(service.ready_file), since)
    else:
        await directory.wait_for(is_there, timeout=math.inf)


async def _written(file: Path, since: float) -> None:
    while not await asyncio.to_thread(_is_newer, file, since):  # noqa: ASYNC110 (whoever writes it tells nobody)
        await asyncio.sleep(_POLL_S)


def _is_newer(file: Path, since: float) -> bool:
    try:
        return file.stat().st_mtime >= since
    except OSError:
        return False
