"""Whether a single-active service says that it is healthy: one that is not gives its keys back, and takes none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from aegis_sdk.single_active.declaration import SingleActive
from aegis_sdk.single_active.hooks import uncancelled

__all__ = ["HealthWatch"]

_log = structlog.get_logger("aegis.active")

_LOOK_S: Final = 1.0


class HealthWatch:
    """Asks the service each second, and when it says that it should be asked; `changed` is called when it changes."""

    def __init__(self, service: SingleActive, changed: Callable[[], None]) -> None:
        self.is_healthy = True
        self._service = service
        self._changed = changed

    async def run(self) -> None:
        asked = asyncio.Event()
        self._service._look_at_health = asked.set  # pyright: ignore[reportPrivateUsage]  # the service's way to ask
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await asked.wait()
            asked.clear()
            await self.look()

    async def look(self) -> None:
        """Ask now. What raises, or has no answer within a second, is not healthy."""
        was, self.is_healthy = self.is_healthy, await self._ask()
        if self.is_healthy is not was:
            _log.warning("health_changed", healthy=self.is_healthy)
            self._changed()

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(_LOOK_S):
                return await uncancelled(self._service.healthy())
        except Exception:
            _log.exception("health_unknown", service=self._service.name)
            return False
