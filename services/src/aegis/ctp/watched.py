"""One session as its service sees it: what any says, and what the end or the silence of its process means.

What else it says, those hear who know what it is for: a session of market data, or one that trades.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from aegis.contracts.reasons import Reason
from aegis.ctp.failures import Failure, Kind, Step
from aegis.ctp.session import Session
from aegis_sdk import clock

__all__ = ["Limits", "Watched"]

_log = structlog.get_logger("aegis.ctp")

_LOOK_S: Final = 0.1
_STOOD_STILL_S: Final = 0.5
"""Who has not looked for so long stood still himself: the silence was his."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """All in seconds."""

    answer_s: float = 10.0  # a session that comes up is given up when nothing was answered for so long
    silent_s: float = 5.0  # a process that says nothing for so long, once it has begun to, hangs
    stop_s: float = 3.0  # after so long a session that was told to end is killed


class Watched:
    """Made in the event loop, run once. It reaches `steps` in their order; then it is at `goal`."""

    _process: Session  # of whoever extends this

    def __init__(self, limits: Limits, steps: Sequence[Step], goal: Step) -> None:
        self._limits = limits
        self._steps = steps
        self._goal = goal
        self._failed: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        self._reached: set[Step] = {Step.START}
        self._ready_at: float | None = None
        self._heard_at = self._progress_at = clock.now()
        self._has_begun = self._ending = False

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        return self._ready_at is not None and not self._failed.done()

    @property
    def ready_s(self) -> float:
        """For how long it has been ready."""
        return 0.0 if self._ready_at is None else clock.now() - self._ready_at

    async def run(self, start: msgspec.Struct) -> Failure:
        """Why it has ended; by then its process is gone. Cancel this to end it in order."""
        try:
            await self._process.start(start)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work) for work in self._work()]
                failure = await asyncio.shield(self._failed)  # cancelled, it would pass for a session that has failed
                for task in tasks:
                    task.cancel()
            return failure
        except OSError as error:
            return Failure(step=Step.START, kind=Kind.OTHER, cause=Reason.of_error(error))
        except ExceptionGroup as broken:
            _log.exception("session_unusable")
            [error, *_] = broken.exceptions
            return self._failure(Kind.SETUP, Reason.of_error(error))
        finally:
            await asyncio.shield(self._end())

    def _work(self) -> Sequence[Coroutine[Any, Any, None]]:
        """What is done while it runs."""
        return (self._watch(),)

    async def _end(self) -> None:
        """In order where it is ready, and at once where it is not."""
        self._ending = True
        await (self._process.stop(self._limits.stop_s) if self.is_ready else self._process.kill())

    def fail(self, kind: Kind, cause: Reason) -> None:
        """End it: it is of no use any more."""
        self._fail(self._failure(kind, cause))

    # What it says

    def _note_word(self) -> None:
        """It has said something."""
        self._heard_at = clock.now()
        if not self._has_begun:
            self._has_begun, self._progress_at = True, self._heard_at

    def _note_step(self, step: Step) -> None:
        self._progress_at = self._heard_at
        self._reached.add(step)

    def _break(self, error: Exception) -> None:
        """Whoever hears it is broken: another session would be no better."""
        _log.exception("session_unusable")
        self.fail(Kind.SETUP, Reason.of_error(error))

    # What its silence means

    async def _watch(self) -> None:
        ended = asyncio.create_task(self._process.ended())
        looked_at = clock.now()
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=_LOOK_S)
                before, looked_at = looked_at, clock.now()
                if looked_at - before > _STOOD_STILL_S:
                    self._forgive(looked_at)
                self._look(looked_at)
            await self._heard_out()
            has_begun = len(self._reached) > 1  # else it cannot: another would end in the same way
            self.fail(Kind.NOT_READY if has_begun else Kind.OTHER, ended.result())
        finally:
            ended.cancel()

    async def _heard_out(self) -> None:
        """Return when all was heard that an ended process had said."""

    def _forgive(self, now: float) -> None:
        """A silence up to now that was not its own."""
        self._heard_at = self._progress_at = now

    def _look(self, now: float) -> None:
        limits = self._limits
        if self._has_begun and now - self._heard_at > limits.silent_s:
            self.fail(Kind.NOT_READY, Reason.of("process_silent", seconds=f"{limits.silent_s:g}"))
        elif self._ready_at is None and now - self._progress_at > limits.answer_s:
            self.fail(Kind.NOT_READY, Reason.of("no_answer_for", seconds=f"{limits.answer_s:g}"))

    def _failure(self, kind: Kind, cause: Reason) -> Failure:
        waiting_for = next((step for step in self._steps if step not in self._reached), self._goal)
        return Failure(step=waiting_for, kind=kind, cause=cause)

    def _fail(self, failure: Failure) -> None:
        if not self._failed.done():
            self._failed.set_result(failure)
