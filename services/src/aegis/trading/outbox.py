"""Events of committed changes on their way to the stream EVENTS: in the order of their sequence, each stored once.

Which events there are, and their numbers, follow from the journal. So whoever takes an account over has the same ones
to tell again when it has replayed, looks up the last one that is stored, and goes on behind it. What the journal's
snapshot has swallowed cannot be made again: then a number is missing in the stream, which tells its readers to ask.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog

from aegis.contracts.orders import Trade
from aegis.trading.domain.telling import Told
from aegis.trading.domain.views import Event
from aegis_sdk import codec, subjects
from aegis_sdk.errors import AegisError
from aegis_sdk.events import STREAM, Events, NewEvent
from aegis_sdk.transport import Transport

__all__ = ["Outbox", "Posting", "last_stored", "subject_of"]

_log = structlog.get_logger("aegis.trading")

_MOST: Final = 50_000
_AT_ONCE: Final = 64
"""Of one account. Of all accounts:"""
_BATCH: Final = (4, 512)
"""From so many events on, and up to so many, they go as one batch.

Each event is written and synced by itself. A batch of 32 costs one server half of what its events cost one by one, one
of 64 a quarter; one of 8 costs more than they do. But a batch is there or is not, and fewer go one behind the other:
what waits long is what a takeover may find swallowed by the journal's snapshot.
"""
_REST_S: Final = (0.005, 0.025)
"""Events go so much later, behind the journal's writes of the same order, for both want the same disk: those of trades,
with all that came before them, and others at most. Where many come they wait for each other."""
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
        self._posting: Posting | None = None
        self._sent: list[Told] = []
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
        if self._posting is not None:
            self._posting.wake(urgent=any(isinstance(one.what, Trade) for one in told))

    async def run(self, transport: Transport, posting: Posting, known: int) -> None:
        """Publish what comes, for as long as the account is held here; `known` is the state's sequence now."""
        stored = await self._until_read(transport)
        self._forget(stored)
        first = self._waiting[0].sequence if self._waiting else known + 1
        if first > stored + 1:
            _log.warning("events_missing", account=self._account, behind=stored, until=first)
        self._posting = posting
        posting.join(self)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            posting.leave(self)
            self._posting = None

    def next(self) -> list[NewEvent]:
        """Those to store next, at most 64."""
        self._sent = [self._waiting[number] for number in range(min(_AT_ONCE, len(self._waiting)))]
        return [self._made(told) for told in self._sent]

    def stored(self, count: int) -> None:
        """So many of these are stored, from the first on."""
        self.published += count
        if count:
            self._forget(self._sent[count - 1].sequence)
        if self._waiting and self._posting is not None:
            self._posting.wake()

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
                return await last_stored(transport, self._account)
            except AegisError as error:
                _log.warning("events_unread", account=self._account, reason=str(error))
                await asyncio.sleep(_AGAIN_S)


class Posting:
    """Stores the events of all accounts that an instance holds: a few one by one, many as one batch."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._outboxes: deque[Outbox] = deque()
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._last = 0  # so many the last time

    def join(self, outbox: Outbox) -> None:
        self._outboxes.append(outbox)
        self.wake()

    def leave(self, outbox: Outbox) -> None:
        """What is on its way of it may still be stored."""
        self._outboxes.remove(outbox)

    def wake(self, *, urgent: bool = False) -> None:
        """There is something to send."""
        self._news.set()
        if urgent:
            self._urgent.set()

    async def run(self) -> None:
        """Ends with an error where an event cannot be published at all."""
        while True:
            await self._news.wait()
            await self._rest()
            self._news.clear()
            self._urgent.clear()
            batches = self._taken()
            self._last = sum(len(batch) for _, batch in batches)
            counts = await self._store([batch for _, batch in batches])
            for (outbox, _), count in zip(batches, counts, strict=True):
                outbox.stored(count)
            if sum(counts) < self._last:
                await asyncio.sleep(_AGAIN_S)

    async def _rest(self) -> None:
        (few, most), (shortest, longest) = _BATCH, _REST_S
        if self._last > most - _AT_ONCE:
            return  # as many wait already
        await asyncio.sleep(shortest)
        with suppress(TimeoutError):
            async with asyncio.timeout(longest - shortest):
                await (self._urgent.wait() if self._last < few else asyncio.sleep(longest))

    def _taken(self) -> list[tuple[Outbox, list[NewEvent]]]:
        """Of each account what it has, as far as one batch goes; the next time others come first."""
        taken: list[tuple[Outbox, list[NewEvent]]] = []
        self._outboxes.rotate(-1)
        for outbox in self._outboxes:
            if sum(len(batch) for _, batch in taken) > _BATCH[1] - _AT_ONCE:
                self.wake()
                break
            if batch := outbox.next():
                taken.append((outbox, batch))
        return taken

    async def _store(self, batches: Sequence[Sequence[NewEvent]]) -> list[int]:
        """How many of each are stored for certain, from the first on."""
        if self._last >= _BATCH[0]:
            try:
                await self._events.publish_batch([event for batch in batches for event in batch])
                return [len(batch) for batch in batches]
            except AegisError as error:
                _log.info("events_singly", reason=str(error))
        return await asyncio.gather(*(self._store_singly(batch) for batch in batches))

    async def _store_singly(self, batch: Sequence[NewEvent]) -> int:
        """One behind the other: what overtook one that failed would be the last of the stream, and that one lost."""
        for stored, one in enumerate(batch):
            try:
                await self._events.publish(one.subject, one.body, id=one.id)
            except AegisError as error:
                _log.warning("events_wait", behind=one.id, reason=str(error))
                return stored
        return len(batch)


async def last_stored(transport: Transport, account: str) -> int:
    """The highest sequence of an account's events in the stream; 0: there are none. Raises AegisError."""
    last = 0
    for kind in (*_KINDS.values(), "account"):
        message = await transport.last(STREAM, subjects.event("trading", account, kind))
        body: Any = codec.decode_json(message.payload) if message is not None else {}
        last = max(last, int(body.get("sequence", 0)))
    return last


def subject_of(event: Event) -> str:
    """`event.trading.<account>.order` and so on."""
    return subjects.event("trading", event.account, _KINDS.get(type(event).__name__, "account"))
