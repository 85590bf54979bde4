"""When a service is ready."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Final

from aegis.operations.plan import ServicePlan
from aegis_sdk.discovery import Directory
from aegis_sdk.instances import InstanceStatus

__all__ = ["serves"]

_POLL_S: Final = 0.05
_READY: Final = (InstanceStatus.ACTIVE, InstanceStatus.STANDBY, InstanceStatus.UNHEALTHY)
"""Unhealthy is who does his work but lacks something outside: a feed behind a front that is closed for the night."""


async def serves(directory: Directory, service: ServicePlan, since: float) -> None:
    """Return when the instance that was started at `since`, in seconds since 1970, or later, says that it serves.

    The time tells it from the one before it, which may be in the table for a second after its end. What is no service
    of ours has written its ready file by then.
    """
    if service.ready_file:
        return await _written(Path(service.ready_file), since)

    def is_ready(table: Directory) -> bool:
        return any(
            one.confirmed
            and one.record.instance == service.instance
            and one.status in _READY
            and one.record.started_at.timestamp() >= since
            for one in table.instances(service.service)
        )

    return await directory.wait_for(is_ready, timeout=math.inf)


async def _written(file: Path, since: float) -> None:
    while not await asyncio.to_thread(_is_newer, file, since):  # noqa: ASYNC110 (whoever writes it tells nobody)
        await asyncio.sleep(_POLL_S)


def _is_newer(file: Path, since: float) -> bool:
    try:
        return file.stat().st_mtime >= since
    except OSError:
        return False
