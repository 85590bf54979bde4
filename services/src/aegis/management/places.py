"""How many may read much at a time."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from aegis.management.problems import Problem

__all__ = ["Places"]

_WAIT_S: Final = 10.0


class Places(asyncio.Semaphore):
    """So many; others wait, and after ten seconds they are told to come later: Problem `unavailable`."""

    async def acquire(self) -> Literal[True]:
        try:
            async with asyncio.timeout(_WAIT_S):
                return await super().acquire()
        except TimeoutError:
            raise Problem("unavailable", "many_at_once", retryable=True) from None
