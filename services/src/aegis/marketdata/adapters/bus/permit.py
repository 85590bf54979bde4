"""Whether a publisher may send at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aegis.marketdata.ports import License
from aegis_sdk.errors import AegisError

__all__ = ["Permit"]

_RETRY_S: Final = 0.05


class Permit:
    """The licence of the present epoch, if there is one. `on_proved` is called when one in doubt has been proved."""

    def __init__(self, on_proved: Callable[[], None]) -> None:
        self._on_proved = on_proved
        self.license: License | None = None
        self._proving: asyncio.Task[None] | None = None

    def may_send(self) -> bool:
        """False where the licence may have been lost unnoticed: then that is seen to."""
        if self.license is None:
            return False
        if self.license.is_trusted:
            return True
        if self._proving is None or self._proving.done():
            self._proving = asyncio.create_task(self._prove(self.license), name="prove the licence")
        return False

    async def _prove(self, license: License) -> None:
        while self.license is license:
            try:
                await license.trusted()
            except AegisError:  # it is lost, which we are told, or nobody knows yet
                await asyncio.sleep(_RETRY_S)
            else:
                self._on_proved()
                return
