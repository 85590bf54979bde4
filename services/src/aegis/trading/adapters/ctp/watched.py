"""One session that trades, from its start to its end: what it says, and what its silence means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from aegis.ctp.failures import Failure, Kind, Step
from aegis.ctp.frames import Ended, Reached, Rejected
from aegis.ctp.session import Session
from aegis.trading.adapters.ctp.frames import Answer, FromSession, NotTaken, Ready, Request, Start, Told, from_session
from aegis_sdk import clock

__all__ = ["Limits", "WatchedSession"]

_log = structlog.get_logger("aegis.ctp")

_PROGRAM: Final = "aegis.trading.adapters.ctp.process"
_LOOK_S: Final = 0.1
_ORDER: Final = (Step.START, Step.CONNECT_TRADER, Step.AUTHENTICATE, Step.LOGIN_TRADER)

OnWord = Callable[[Ready | NotTaken | Answer | Told], None]
"""Hears what a session says, in its order, once it is logged in."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """All in seconds."""

    answer_s: float = 10.0  # a session that comes up is given up when nothing was answered for so long
    silent_s: float = 5.0  # a process that says nothing for so long, once it has begun to, hangs
    stop_s: float = 3.0  # after so long a session that was told to end is killed


class WatchedSession:
    """Made in the event loop, run once."""

    def __init__(self, limits: Limits, on_word: OnWord) -> None:
        self._limits = limits
        self._on_word = on_word
        self._process = Session(_PROGRAM, from_session, self._heard)
        self._failed: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        self._reached: set[Step] = {Step.START}
        self._ready_at: float | None = None
        self._heard_at = self._progress_at = clock.now()
        self._has_begun = self._ending = False
        self._number = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Logged in, and not over."""
        return self._ready_at is not None and not self._ending and not self._failed.done()

    @property
    def ready_s(self) -> float:
        """For how long it has been logged in."""
        return 0.0 if self._ready_at is None else clock.now() - self._ready_at

    def ask(self, what: str, fields: dict[str, Any]) -> int:
        """Send a request; its number, by which it is answered. What is asked of one that has ended is lost."""
        self._number += 1
        self._process.tell(Request(self._number, what, fields))
        return self._number

    def next_number(self) -> int:
        """What the next request will have."""
        return self._number + 1

    def fail(self, kind: Kind, message: str) -> None:
        """End it: it is of no use any more."""
        self._fail(Failure(step=self._step(), kind=kind, message=message))

    async def run(self, start: Start) -> Failure:
        """Why it has ended; by then its process is gone. Cancel this to end it in order."""
        watching: asyncio.Task[None] | None = None
        try:
            await self._process.start(start)
            watching = asyncio.create_task(self._watch())
            return await self._failed
        except OSError as error:
            return Failure(step=Step.START, kind=Kind.OTHER, message=str(error))
        finally:
            if watching is not None:
                watching.cancel()
            await asyncio.shield(self._end())

    async def _end(self) -> None:
        """In order where it is logged in, and at once where it is not."""
        is_alive = self.is_alive
        self._ending = True
        await (self._process.stop(self._limits.stop_s) if is_alive else self._process.kill())

    # What it says

    def _heard(self, frame: FromSession) -> None:
        self._heard_at = clock.now()
        if not self._has_begun:
            self._has_begun, self._progress_at = True, self._heard_at
        if self._ending or self._failed.done():
            return
        try:
            self._take(frame)
        except Exception as error:  # another session would be no better
            _log.exception("session_unusable")
            self.fail(Kind.SETUP, f"{type(error).__name__}: {error}")

    def _take(self, frame: FromSession) -> None:
        match frame:
            case Reached(step):
                self._progress_at = self._heard_at
                self._reached.add(step)
            case Ready():
                self._ready_at = self._heard_at
                _log.info("session_logged_in", trading_day=frame.trading_day, libraries=frame.libraries, pid=self.pid)
                self._on_word(frame)
            case Answer() | Told() | NotTaken():
                self._on_word(frame)
            case Rejected(reason, detail):
                _log.warning("ctp_rejected", reason=reason, detail=detail)
            case Ended(failure):
                self._fail(failure or self._failure(Kind.NOT_READY, "its process ended unasked"))
            case _:
                pass

    # What its silence means

    async def _watch(self) -> None:
        ended = asyncio.create_task(self._process.ended())
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=_LOOK_S)
                self._look(clock.now())
            self.fail(Kind.NOT_READY, f"its process ended {ended.result()}")
        finally:
            ended.cancel()

    def _look(self, now: float) -> None:
        limits = self._limits
        if self._has_begun and now - self._heard_at > limits.silent_s:
            self.fail(Kind.NOT_READY, f"its process has said nothing for {limits.silent_s:g} s")
        elif self._ready_at is None and now - self._progress_at > limits.answer_s:
            self.fail(Kind.NOT_READY, f"no answer for {limits.answer_s:g} s")

    def _step(self) -> Step:
        return next((step for step in _ORDER if step not in self._reached), Step.TRADE)

    def _failure(self, kind: Kind, message: str) -> Failure:
        return Failure(step=self._step(), kind=kind, message=message)

    def _fail(self, failure: Failure) -> None:
        if not self._failed.done():
            self._failed.set_result(failure)
