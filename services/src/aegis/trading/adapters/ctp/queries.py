"""Questions to a counter, one after the other: CTP takes one a second of a session, and answers one at a time.

What waits is bounded and has its turn by its urgency. What CTP does not take now (-2, -3), or answers with "not ready"
(90), is asked again a number of times. Orders and cancels do not wait here, and are never asked twice.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from typing import Any, Final

import structlog

from aegis.contracts.reasons import Reason
from aegis.trading.adapters.ctp.frames import Answer, Record
from aegis_sdk import clock
from aegis_sdk.errors import DeadlineExceeded, Overloaded, RpcError, Unavailable

__all__ = ["Pace", "Queries", "Urgency"]

_log = structlog.get_logger("aegis.ctp")

_NOT_READY: Final = 90
_TRY_AGAIN: Final = frozenset({-2, -3, _NOT_READY})

Send = Callable[[str, Record], int]
"""Sends a request, by its name and fields; returns its number."""


class Urgency(IntEnum):
    """Whose turn it is first."""

    STATE = 0  # positions and money: what a takeover waits for
    DAY = 1  # orders, trades, the settlement statement
    TERMS = 2  # what a first order waits for
    REFRESH = 3  # what is asked to be sure


@dataclass(frozen=True, kw_only=True)
class Pace:
    interval_s: float = 1.05  # between two queries; CTP takes one a second
    answer_s: float = 10.0  # a query without the end of its answer for so long is given up, and its session with it
    attempts: int = 10
    most_waiting: int = 64


@dataclass(order=True, slots=True)
class _Query:
    urgency: Urgency
    turn: int
    what: str = field(compare=False)
    fields: Record = field(compare=False)
    answered: asyncio.Future[list[Record]] = field(compare=False)
    records: list[Record] = field(compare=False, default_factory=list[Record])


class Queries:
    """Of one session. `dead` is called when a query is not answered at all."""

    def __init__(self, send: Send, pace: Pace, dead: Callable[[Reason], None]) -> None:
        self._send = send
        self._pace = pace
        self._dead = dead
        self._turns = count()
        self._waiting: list[_Query] = []
        self._there = asyncio.Event()
        self._running: _Query | None = None
        self._number = 0
        self._step: asyncio.Future[int] | None = None  # CTP's code of the running query
        self._task = asyncio.create_task(self._keep_asking())

    async def ask(self, what: str, fields: Record, urgency: Urgency) -> list[Record]:
        """All records of the answer. Raises Unavailable, DeadlineExceeded, and Overloaded where too many wait."""
        if self._task.done():
            raise Unavailable("the session has ended")
        if len(self._waiting) >= self._pace.most_waiting:
            raise Overloaded(f"{len(self._waiting)} queries wait for their turn")
        answered: asyncio.Future[list[Record]] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, _Query(urgency, next(self._turns), what, fields, answered))
        self._there.set()
        return await answered

    def answered(self, answer: Answer) -> None:
        """Some of what CTP says; of other requests too."""
        if self._running is None or answer.number != self._number:
            return
        if answer.record:
            self._running.records.append(answer.record)
        if answer.last or answer.code:
            self.refused(answer.number, answer.code, answer.text)

    def refused(self, number: int, code: int, text: str = "") -> None:
        """CTP has not taken a request, or has answered it with an error; 0: the answer is complete."""
        if self._running is None or number != self._number or self._step is None or self._step.done():
            return
        if code and code not in _TRY_AGAIN:
            self._end(Unavailable(f"CTP refuses {self._running.what}: error {code} {text}".rstrip(), code=code))
        self._step.set_result(code)

    def close(self, reason: str) -> None:
        """End what waits with Unavailable."""
        self._task.cancel()
        for query in (*self._waiting, *([self._running] if self._running else [])):
            if not query.answered.done():
                query.answered.set_exception(Unavailable(reason))
        self._waiting.clear()

    async def _keep_asking(self) -> None:
        while True:
            while not self._waiting:
                self._there.clear()
                await self._there.wait()
            query = heapq.heappop(self._waiting)
            if query.answered.done():  # nobody waits for it any more
                continue
            self._running = query
            await self._ask(query)
            self._running = None

    async def _ask(self, query: _Query) -> None:
        for attempt in range(self._pace.attempts):
            asked_at = clock.now()
            query.records.clear()
            step = self._step = asyncio.get_running_loop().create_future()
            self._number = self._send(query.what, query.fields)
            try:
                async with asyncio.timeout(self._pace.answer_s):
                    code = await step
            except TimeoutError:
                self._end(DeadlineExceeded(f"CTP has not answered {query.what} for {self._pace.answer_s:g} s"))
                self._dead(Reason.of("query_unanswered", what=query.what, seconds=f"{self._pace.answer_s:g}"))
                return
            if not code and not query.answered.done():
                query.answered.set_result(list(query.records))
            await asyncio.sleep(self._pace.interval_s - (clock.now() - asked_at))
            if query.answered.done():
                return
            _log.debug("query_again", what=query.what, code=code, attempt=attempt + 1)
        self._end(Unavailable(f"CTP does not take {query.what} now"))

    def _end(self, error: RpcError) -> None:
        query: Any = self._running
        if not query.answered.done():
            query.answered.set_exception(error)
