"""What is at work under one epoch: requests, which are finished, and tasks, which end with it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["Work"]


_RETAINED: Final = 1000


class Work:
    """`running` are the calls that are being handled, by idempotency key: who repeats one waits for it."""

    def __init__(self) -> None:
        self.running: dict[str, asyncio.Future[Any]] = {}
        self._rejected: OrderedDict[str, Any] = OrderedDict()
        self.requests = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._bound: set[asyncio.Task[Any]] = set()

    @contextmanager
    def request(self) -> Generator[None]:
        """A request is at work in it, or waits for the key."""
        self.requests += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.requests -= 1
            if not self.requests:
                self._idle.set()

    async def finished(self) -> None:
        """Return when no request is at work."""
        await self._idle.wait()

    def reject(self, idempotency_key: str, outcome: Any) -> None:
        """Remember a rejection that is stored nowhere: while it is on its way, its caller may send the call again."""
        self._rejected[idempotency_key] = outcome
        if len(self._rejected) > _RETAINED:
            self._rejected.popitem(last=False)

    def rejected(self, idempotency_key: str) -> Any:
        """The rejection of a call, None where it was not rejected, or long ago."""
        return self._rejected.get(idempotency_key)

    @contextmanager
    def bound(self) -> Generator[None]:
        """The task that is in it is cancelled when the epoch ends."""
        task = asyncio.current_task()
        assert task is not None
        self._bound.add(task)
        try:
            yield
        finally:
            self._bound.discard(task)

    def cancel_bound(self) -> None:
        for task in self._bound - {asyncio.current_task()}:
            task.cancel()
