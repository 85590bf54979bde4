"""Events of committed changes on their way to the stream EVENTS: in the order of their sequence, each stored once.

Which events there are, and their numbers, follow from the journal. So whoever takes an account over makes the same
ones again while it replays, looks up the last one that is stored, and goes on behind it. What the journal's snapshot
has swallowed cannot be made again: then a number is missing in the stream, which tells its readers to ask.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

import structlog

from aegis.trading.domain.views import Event
from aegis_sdk import codec, subjects
from aegis_sdk.errors import AegisError
from aegis_sdk.events import STREAM, Events
from aegis_sdk.transport import Transport

__all__ = ["Outbox", "subject_of"]

_log = structlog.get_logger("aegis.trading")

_MOST: Final = 50_000
_AT_ONCE: Final = 64
_AGAIN_S: Final = 0.2
_GATHER_S: Final = 0.005
"""So much later events go out, behind the journal's writes of the same order, for both want the same disk."""
_KINDS: Final = {"OrderReported": "order", "TradeReported": "trade", "PositionReported": "position"}


class Outbox:
    """Of one account. Bounded: in a long outage the oldest go, which is counted and leaves a hole in the numbers."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._waiting: deque[Event] = deque()
        self._news = asyncio.Event()
        self.dropped = 0
        self.published = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, events: list[Event]) -> None:
        self._waiting.extend(events)
        while len(self._waiting) > _MOST:
            self._waiting.popleft()
            self.dropped += 1
        self._news.set()

    async def run(self, transport: Transport, events: Events, known: int) -> None:
        """Publish what comes, for as long as the account is held here; `known` is the state's sequence now."""
        stored = await self._until_read(transport)
        self._forget(stored)
        first = self._waiting[0].sequence if self._waiting else known + 1
        if first > stored + 1:
            _log.warning("events_missing", account=self._account, behind=stored, until=first)
        while True:
            while self._waiting:
                await self._publish(events)
            self._news.clear()
            await self._news.wait()
            await asyncio.sleep(_GATHER_S)

    async def _publish(self, events: Events) -> None:
        batch = [self._waiting[number] for number in range(min(_AT_ONCE, len(self._waiting)))]
        sent = [events.publish(subject_of(one), one, id=f"{self._account}.{one.sequence}") for one in batch]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        failed = next((number for number, one in enumerate(outcomes) if isinstance(one, BaseException)), len(batch))
        self.published += failed
        self._forget(batch[failed - 1].sequence if failed else 0)
        if failed < len(batch):
            problem = outcomes[failed]
            if not isinstance(problem, AegisError):
                raise RuntimeError(f"an event of {self._account} cannot be published: {problem!r}")
            _log.warning("events_wait", account=self._account, waiting=len(self._waiting), reason=str(problem))
            await asyncio.sleep(_AGAIN_S)

    def _forget(self, sequence: int) -> None:
        while self._waiting and self._waiting[0].sequence <= sequence:
            self._waiting.popleft()

    async def _until_read(self, transport: Transport) -> int:
        """The highest sequence that is stored; 0: none."""
        while True:
            try:
                return max([await self._last(transport, kind) for kind in (*_KINDS.values(), "account")])
            except AegisError as error:
                _log.warning("events_unread", account=self._account, reason=str(error))
                await asyncio.sleep(_AGAIN_S)

    async def _last(self, transport: Transport, kind: str) -> int:
        message = await transport.last(STREAM, subjects.event("trading", self._account, kind))
        body: Any = codec.decode_json(message.payload) if message is not None else {}
        return int(body.get("sequence", 0))


def subject_of(event: Event) -> str:
    """`event.trading.<account>.order` and so on."""
    return subjects.event("trading", event.account, _KINDS.get(type(event).__name__, "account"))
