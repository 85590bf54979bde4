"""The lock of a key, for whoever decides by its state and then commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

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
        self._turn: _Turn | None = None  # that who comes now may still join

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

    @asynccontextmanager
    async def together(self) -> AsyncGenerator[list[Any]]:
        """Hold it with all others who waited for it in this way meanwhile; their writes share an entry.

        They decide one after the other, each without a pause between its look at the state and its write. What each is
        about to change it puts into the list, and minds what the others have put there, for the state does not show
        that yet. Raises what `written` raises.
        """
        turn = self._turn
        if turn is None:
            turn = self._turn = _Turn()
            turn.holder = asyncio.create_task(self._hold(turn), name="key turn")
        turn.members += 1
        try:
            await turn.begin()
            yield turn.decided
        finally:
            turn.members -= 1
            if not turn.members:
                turn.left.set()

    async def _hold(self, turn: _Turn) -> None:
        """The lock is a task's, for each of a turn's members may be cancelled."""
        try:
            async with self:
                self._turn = None
                turn.begun.set_result(None)
                while turn.members:
                    turn.left.clear()
                    await turn.left.wait()
        except Exception as error:
            self._turn = None
            turn.begun.set_exception(error)
            turn.begun.exception()  # whether or not anybody still waits


class _Turn:
    """One hold of the lock by several."""

    def __init__(self) -> None:
        self.decided: list[Any] = []
        self.members = 0
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.left = asyncio.Event()
        self.holder: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Return when it has begun; who stops waiting for that stops nobody else."""
        await asyncio.shield(self.begun)
