"""Events of committed changes on their way to the stream EVENTS: in the order of their sequence, each stored once.

Which events there are, and their numbers, follow from the journal; what its snapshot has swallowed before it was stored
is in the snapshot. So whoever takes an account over has the same ones to tell again when it has replayed, looks up the
last one that is stored, and goes on behind it.

Whoever had the account before may wake and publish once more: the same event, under the same id, which the stream takes
once within two minutes. However late it comes, it is refused: an event is stored only behind the one that its publisher
knows as the last of its subject. Who is refused looks again, and goes on behind what is there.

What was lost for good leaves a number out, which tells readers to ask. Where the last ones are lost, the account as it
is has the last number. An event that cannot be made, or that NATS can never take, is lost in the same way: the journal
has what it tells of, and whoever took the account over would meet it again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final, NamedTuple

import structlog

from aegis.contracts.orders import Trade
from aegis.trading.domain.group import Told
from aegis.trading.domain.views import Event
from aegis_sdk import codec, subjects
from aegis_sdk.errors import AegisError, CodecError, StreamError
from aegis_sdk.events import STREAM, Events, NewEvent
from aegis_sdk.transport import Transport

__all__ = ["Outbox", "Posting", "Stored", "subject_of", "what_is_stored"]

_log = structlog.get_logger("aegis.trading")

_MOST: Final = 20_000
"""Of one account. As many in a snapshot cost about what an account's 10,000 orders and trades do."""
_AT_ONCE: Final = 64
"""Of one account. Of all accounts:"""
_BATCH: Final = (16, 512)
"""From so many events on, and up to so many, they go as one batch.

Each event is written and synced by itself. A batch of 32 costs one server half of what its events cost one by one, one
of 64 a quarter; one of 8 costs more than they do.
"""
_REST_S: Final = (0.005, 0.025)
"""Events go so much later, behind the journal's writes of the same order, for both want the same disk: those of trades,
with all that came before them, and others at most. Where many come they wait for each other."""
_AGAIN_S: Final = 0.2
_OVERTAKEN: Final = 10071
_KINDS: Final = {"OrderReported": "order", "TradeReported": "trade", "PositionReported": "position"}


class Stored(NamedTuple):
    """What the stream has of an account: the highest number, and by subject where its last event is. 0: none."""

    number: int
    ends: dict[str, int]


class Outbox:
    """Of one account. Bounded: in a long outage the oldest go, which is counted and leaves a hole in the numbers.

    `event_of` makes the event of what is told, when it is sent. `failed` hears what is wrong with one that is left out.
    """

    def __init__(self, account: str, event_of: Callable[[Told], Event], failed: Callable[[Exception], None]) -> None:
        self._account = account
        self._event_of = event_of
        self._failed = failed
        self._waiting: deque[Told] = deque()
        self._posting: Posting | None = None
        self._sent: deque[tuple[int, str]] = deque()  # numbers and subjects
        self._ends: dict[str, int] = {}
        self._overtaken = asyncio.Event()
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
        """Publish what comes, for as long as the account is held here; `known` is the state's sequence at first."""
        while True:
            stored = await self._until_read(transport)
            self._ends = stored.ends
            self._forget(stored.number)
            first = self._waiting[0].sequence if self._waiting else known + 1
            if first > stored.number + 1:
                _log.warning("events_missing", account=self._account, behind=stored.number, until=first)
                if not self._waiting:  # no later event would tell readers that one is missing
                    self._waiting.append(Told(known, None))
            self._overtaken.clear()
            self._posting = posting
            posting.join(self)
            try:
                await self._overtaken.wait()
            finally:
                posting.leave(self)
                self._posting = None

    def next(self) -> list[NewEvent]:
        """Those to store next, at most 64; of each subject the first is guarded. What cannot be made is left out."""
        taken = [self._waiting[number] for number in range(min(_AT_ONCE, len(self._waiting)))]
        made = [(told.sequence, event) for told in taken if (event := self._made(told)) is not None]
        self._sent = deque((sequence, event.subject) for sequence, event in made)
        ends = dict(self._ends)
        return [event._replace(behind=ends.pop(event.subject, None)) for _, event in made]

    def guarded(self, event: NewEvent) -> NewEvent:
        """One of these, to be stored by itself: behind those before it."""
        return event._replace(behind=self._ends[event.subject])

    def stored(self, places: Iterable[int]) -> None:
        """The next of these are stored, there in the stream."""
        for place in places:
            number, subject = self._sent.popleft()
            self._ends[subject] = place
            self._forget(number)
            self.published += 1

    def refused(self, error: CodecError) -> None:
        """The next of these can never be stored."""
        self._leave_out(self._sent.popleft()[0], error)

    def overtaken(self) -> None:
        """Somebody else has stored some of these: whoever had the account before, or has it now."""
        self._overtaken.set()

    def _made(self, told: Told) -> NewEvent | None:
        try:
            event = self._event_of(told)
        except Exception as error:  # by figures of this account alone: the events of the others go on
            self._leave_out(told.sequence, error)
            return None
        return NewEvent(subject_of(event), event, f"{self._account}.{told.sequence}")

    def _leave_out(self, sequence: int, error: Exception) -> None:
        _log.error("event_left_out", account=self._account, sequence=sequence, exc_info=error)
        self._waiting = deque(told for told in self._waiting if told.sequence != sequence)
        self.dropped += 1
        self._failed(error)

    def _forget(self, sequence: int) -> None:
        while self._waiting and self._waiting[0].sequence <= sequence:
            self._waiting.popleft()

    async def _until_read(self, transport: Transport) -> Stored:
        while True:
            try:
                return await what_is_stored(transport, self._account)
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
        """What is on its way of it may still be stored, or refused."""
        self._outboxes.remove(outbox)

    def wake(self, *, urgent: bool = False) -> None:
        """There is something to send."""
        self._news.set()
        if urgent:
            self._urgent.set()

    async def run(self) -> None:
        """Ends with an error only where publishing itself is broken, whatever the event."""
        while True:
            await self._news.wait()
            await self._rest()
            self._news.clear()
            self._urgent.clear()
            batches = self._taken()
            self._last = sum(len(batch) for _, batch in batches)
            if not await self._store(batches):
                self.wake()
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
            if len(outbox) > len(batch):
                self.wake()
        return taken

    async def _store(self, batches: Sequence[tuple[Outbox, Sequence[NewEvent]]]) -> bool:
        """Whether all of them are stored for certain."""
        if self._last >= _BATCH[0]:
            try:
                end = 1 + await self._events.publish_batch([event for _, batch in batches for event in batch])
            except AegisError as error:
                _log.info("events_singly", reason=str(error))
            else:
                places = iter(range(end - self._last, end))
                for outbox, batch in batches:
                    outbox.stored(islice(places, len(batch)))
                return True
        return all(await asyncio.gather(*(self._store_singly(*one) for one in batches)))

    async def _store_singly(self, outbox: Outbox, batch: Sequence[NewEvent]) -> bool:
        """One behind the other: what overtook one that failed would be the last of the stream, and that one lost."""
        for event in batch:
            one = outbox.guarded(event)
            try:
                outbox.stored([await self._events.publish(one.subject, one.body, id=one.id, behind=one.behind)])
            except CodecError as error:
                outbox.refused(error)
            except AegisError as error:
                if isinstance(error, StreamError) and error.code == _OVERTAKEN:
                    outbox.overtaken()
                _log.warning("events_wait", behind=one.id, reason=str(error))
                return False
        return True


async def what_is_stored(transport: Transport, account: str) -> Stored:
    """Of its numbered events. Whoever stores one knows those before it to be stored. Raises AegisError."""
    number, ends = 0, dict[str, int]()
    for kind in (*_KINDS.values(), "account"):
        subject = subjects.event("trading", account, kind)
        message = await transport.last(STREAM, subject)
        body: Any = codec.decode_json(message.payload) if message is not None else {}
        number = max(number, int(body.get("sequence", 0)))
        ends[subject] = message.sequence if message is not None else 0
    return Stored(number, ends)


def subject_of(event: Event) -> str:
    """`event.trading.<account>.order` and so on."""
    return subjects.event("trading", event.account, _KINDS.get(type(event).__name__, "account"))
