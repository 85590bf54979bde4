"""How many requests an instance takes: some at work, some waiting, and beyond that a refusal."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from aegis_sdk.errors import Draining, Overloaded, RpcError

__all__ = ["Admission", "Job"]


class Job(NamedTuple):
    """A request: `run` handles it in a task of its own, `refuse` answers it with an error instead."""

    run: Callable[[], Coroutine[Any, Any, None]]
    refuse: Callable[[RpcError], None]


class Admission:
    """Runs at most `max_concurrent` jobs at a time while at most `max_waiting` wait."""

    def __init__(self, service: str, max_concurrent: int, max_waiting: int) -> None:
        self._service = service
        self._max_concurrent = max_concurrent
        self.max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Job] = deque()
        self._at_work: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def at_work(self) -> int:
        return len(self._at_work)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def admit(self, job: Job) -> None:
        """Begin it, let it wait, or refuse it as Overloaded."""
        if len(self._at_work) < self._max_concurrent:
            self._begin(job)
        elif len(self._waiting) < self.max_waiting:
            self._waiting.append(job)
        else:
            job.refuse(Overloaded(f"{self._service} is at its limit of requests"))

    async def drain(self, timeout: float) -> bool:
        """Wait for all jobs; after `timeout` seconds refuse those that wait, cancel the others and return False."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            while self._waiting:
                self._waiting.popleft().refuse(Draining(f"{self._service} stops; this was not begun"))
            for task in tuple(self._at_work):
                task.cancel()
            await asyncio.gather(*self._at_work, return_exceptions=True)
            return False
        return True

    def _begin(self, job: Job) -> None:
        self._idle.clear()
        task = self._loop.create_task(job.run())
        self._at_work.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._at_work.discard(task)
        if self._waiting:
            self._begin(self._waiting.popleft())
        elif not self._at_work:
            self._idle.set()
