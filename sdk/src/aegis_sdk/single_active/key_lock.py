"""The lock of a key, for whoever decides by its state and then commits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

__all__ = ["KeyLock"]


class KeyLock:
    """Held by one at a time, from when `written` returns: when all that was sent before has its answer.

    Who held it before may have gone without: what it has sent may still change the state. That answer is waited for
    until when `patience_ends` said at the start, or those who wait in line would wait one after the other. Raises what
    `written` raises.
    """

    def __init__(self, patience_ends: Callable[[], float], written: Callable[[float], Awaitable[None]]) -> None:
        self._patience_ends = patience_ends
        self._written = written
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        limit = self._patience_ends()
        await self._lock.acquire()
        try:
            await self._written(limit)
        except BaseException:
            self._lock.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
