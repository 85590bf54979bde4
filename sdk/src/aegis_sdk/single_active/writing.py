"""What waits to be stored of one key, and what is on its way: records, and the entries that they go into together."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from aegis_sdk.errors import InternalError, RpcError, Suspended
from aegis_sdk.ledger.records import Entry, Intent, Part, Record, Result

__all__ = ["Flight", "Waiting", "Write"]

MAX_ENTRY_BYTES: Final = 512 * 1024
MOST_WAITING: Final = 10_000
_RECORD_BYTES: Final = 384
"""What a record takes beside its data: its names, and an idempotency key of 128 characters."""


@dataclass(eq=False)
class Write:
    """A record that waits to be stored; `done` has its sequence."""

    record: Record
    size: int
    done: Future[int]
    sent: bool = False
    unanswered: bool = False  # some attempt to send it brought no answer: it may be stored whatever comes next
    given_up: bool = False  # an intent that nothing will be done for
    _waiter: Future[None] | None = None

    @property
    def idempotency_key(self) -> str:
        """Of the call that it belongs to; empty where there is none."""
        return self.record.idempotency_key if isinstance(self.record, Intent | Result) else ""

    async def settled_within(self, timeout: float) -> None:
        """Return when its fate is known, or after `timeout` seconds; for one who waits.

        It does what `asyncio.wait` does, at half of the cost: each commit waits once.
        """
        if self.done.done():
            return
        loop = self.done.get_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(max(timeout, 0), self.wake)
        try:
            await self._waiter
        finally:
            timer.cancel()

    def wake(self) -> None:
        """Let who waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@dataclass(eq=False)
class Flight:
    """What is on its way: an entry with its writes, or a proof where there is no entry."""

    entry: Entry | None
    payload: bytes
    pause_s: float  # before it is sent again
    asked_at: float  # when it was sent first
    writes: list[Write] = field(default_factory=list[Write])
    refused: bool = False  # for good: what was never left unanswered is not stored


class Waiting:
    """Writes in the order in which they will be sent; those of calls are known until they are settled."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._writes: deque[Write] = deque()
        self._parts: deque[Write] = deque()  # of a snapshot, in turn with the others
        self._is_parts_turn = False
        self._under_way: dict[str, Write] = {}  # by idempotency key

    def __len__(self) -> int:
        return len(self._writes) + len(self._parts)

    @property
    def has_parts(self) -> bool:
        return bool(self._parts)

    def add(self, record: Record) -> Write:
        """Put it last. Raises InternalError for what no entry can hold, Suspended where too many wait already."""
        write = Write(record, _size(record), self._loop.create_future())
        if write.size > MAX_ENTRY_BYTES:
            raise InternalError(f"{write.size} bytes are too many for the ledger: {MAX_ENTRY_BYTES} at most")
        if len(self._writes) >= MOST_WAITING:
            raise Suspended(f"{MOST_WAITING} records wait for the ledger already; this one was not stored")
        self._writes.append(write)
        if write.idempotency_key:
            self._under_way[write.idempotency_key] = write
        return write

    def add_snapshot(self, parts: Iterable[Part]) -> None:
        """Its first part goes before all else; the others have every second turn, so that nobody waits for all."""
        self._parts.extend(Write(part, _size(part), self._loop.create_future()) for part in parts)
        self._is_parts_turn = True

    def remove(self, write: Write) -> None:
        """Take one back that was not sent."""
        self._writes.remove(write)
        self._forget(write)
        write.done.cancel()

    def settle(self, write: Write, outcome: int | RpcError) -> None:
        """Its fate is known."""
        self._forget(write)
        if isinstance(outcome, int):
            write.done.set_result(outcome)
        else:
            write.done.set_exception(outcome)
            write.done.exception()  # whether or not anybody waits for it
        write.wake()

    def under_way(self, idempotency_key: str) -> Future[int] | None:
        """Done when it is known whether a record of that call is stored; None where none is on its way."""
        write = self._under_way.get(idempotency_key)
        return None if write is None else write.done

    @property
    def changes(self) -> list[Future[int]]:
        """Of all that may change the state; done when it has, or will not."""
        return [write.done for write in self._writes]

    def _forget(self, write: Write) -> None:
        if self._under_way.get(write.idempotency_key) is write:
            del self._under_way[write.idempotency_key]

    def next(self) -> list[Write]:
        """Take as many as one entry may hold. A part of a snapshot has an entry of its own."""
        takes_part = bool(self._parts) and (self._is_parts_turn or not self._writes)
        self._is_parts_turn = not takes_part
        writes = [self._parts.popleft()] if takes_part else self._next_entry()
        for write in writes:
            write.sent = True
        return writes

    def _next_entry(self) -> list[Write]:
        writes = [self._writes.popleft()]
        size = writes[0].size
        while self._writes and (size := size + self._writes[0].size) <= MAX_ENTRY_BYTES:
            writes.append(self._writes.popleft())
        return writes

    def take_all(self) -> list[Write]:
        writes = [*self._parts, *self._writes]
        self._parts.clear()
        self._writes.clear()
        return writes


def _size(record: Record) -> int:
    """About the bytes that a record takes."""
    match record:
        case Part(data=data):
            return len(data)
        case Intent(data=data):
            return len(data) + _RECORD_BYTES
        case Result(data=data, reply=reply):
            return len(data) + len(reply) + _RECORD_BYTES
        case _:
            return _RECORD_BYTES
