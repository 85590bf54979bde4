"""Events of committed changes on their way to the stream EVENTS: in the order of their sequence, each stored once.

Which events there are, and their numbers, follow from the journal. So whoever takes an account over has the same ones
to tell again when it has replayed, looks up the last one that is stored, and goes on behind it. What the journal's
snapshot has swallowed cannot be made again: then a number is missing in the stream, which tells its readers to ask.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from aegis.trading.domain.telling import Told
from aegis.trading.domain.views import Event
from aegis.trading.posting import Posting
from aegis_sdk import codec, subjects
from aegis_sdk.errors import AegisError
from aegis_sdk.events import STREAM, NewEvent
from aegis_sdk.transport import Transport

__all__ = ["Outbox", "subject_of"]

_log = structlog.get_logger("aegis.trading")

_MOST: Final = 50_000
_AT_ONCE: Final = 64
_AGAIN_S: Final = 0.2
_KINDS: Final = {"OrderReported": "order", "TradeReported": "trade", "PositionReported": "position"}


class Outbox:
    """Of one account. Bounded: in a long outage the oldest go, which is counted and leaves a hole in the numbers.

    `event_of` makes the event of what is told, when it is sent.
    """

    def __init__(self, account: str, event_of: Callable[[Told], Event]) -> None:
        self._account = account
        self._event_of = event_of
        self._waiting: deque[Told] = deque()
        self._news = asyncio.Event()
        self.dropped = 0
        self.published = 0

    @property
    def waiting(self) -> Sequence[Told]:
        """What is not stored yet, in order."""
        return self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, told: list[Told]) -> None:
        self._waiting.extend(told)
        while len(self._waiting) > _MOST:
            self._waiting.popleft()
            self.dropped += 1
        self._news.set()

    async def run(self, transport: Transport, posting: Posting, known: int) -> None:
        """Publish what comes, for as long as the account is held here; `known` is the state's sequence now."""
        stored = await self._until_read(transport)
        self._forget(stored)
        first = self._waiting[0].sequence if self._waiting else known + 1
        if first > stored + 1:
            _log.warning("events_missing", account=self._account, behind=stored, until=first)
        while True:
            while self._waiting:
                await self._publish(posting)
            self._news.clear()
            await self._news.wait()

    async def _publish(self, posting: Posting) -> None:
        batch = [self._waiting[number] for number in range(min(_AT_ONCE, len(self._waiting)))]
        stored, problem = await posting.post([self._made(told) for told in batch])
        self.published += stored
        self._forget(batch[stored - 1].sequence if stored else 0)
        if problem is not None:
            _log.warning("events_wait", account=self._account, waiting=len(self._waiting), reason=str(problem))
            await asyncio.sleep(_AGAIN_S)

    def _made(self, told: Told) -> NewEvent:
        event = self._event_of(told)
        return NewEvent(subject_of(event), event, f"{self._account}.{told.sequence}")

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
