"""The lock of a key, for whoever decides by its state and then commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Any

__all__ = ["KeyLock"]


class KeyLock:
    """Held by one at a time, from when all that was sent before has its answer.

    Who held it before may have gone without: what it has sent may still change the state.
    """

    def __init__(self, under_way: Callable[[], Collection[asyncio.Future[Any]]]) -> None:
        self._under_way = under_way
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        try:
            if sent := self._under_way():
                await asyncio.wait(sent)
        except BaseException:
            self._lock.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
