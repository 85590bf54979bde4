"""The changes of a directory, as one reader gets them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, Self

from aegis_sdk.instances import Changed, Joined, Left

__all__ = ["Change", "Feed", "Missed"]

_MAX_WAITING: Final = 4096


@dataclass(frozen=True)
class Missed:
    """A reader of changes was so slow that `count` of them were dropped: look at `instances` again."""

    count: int


Change = Joined | Left | Changed | Missed


class Feed:
    """Changes waiting for one reader. When too many wait, all these are dropped, and the reader is told."""

    def __init__(self) -> None:
        self._waiting: deque[Change] = deque()
        self._missed = 0
        self._woken = asyncio.Event()

    def put(self, change: Change) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            self._missed += len(self._waiting)
            self._waiting.clear()
        self._waiting.append(change)
        self._woken.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        while not self._waiting:
            self._woken.clear()
            await self._woken.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return Missed(missed)
        return self._waiting.popleft()
