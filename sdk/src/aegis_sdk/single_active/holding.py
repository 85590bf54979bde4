"""One epoch of one key, held by this instance: its writes, its proof, and whether it may act on it.

Writes go one at a time. A write whose answer is lost is sent again, with the same number, until the ledger takes or
refuses it: so its fate is always learned, and a copy of it that lands late is void. Until then the key is suspended.

An entry's way:  queued -> in flight -> acknowledged (folded, applied, its waiters told) -> the next one
                              ^------- no answer: suspended, again
                              +------- 10071: the epoch has ended; everything that waits is told
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog

from aegis_sdk import clock
from aegis_sdk.errors import Moved, OutcomeUnknown, RpcError
from aegis_sdk.errors import Suspended as SuspendedError
from aegis_sdk.gate import Gate
from aegis_sdk.ledger.epoch import HeldEpoch
from aegis_sdk.ledger.fates import Fate, classify
from aegis_sdk.ledger.journal import Journal
from aegis_sdk.ledger.records import Entry, Intent, Part, Record, Result, Verdict, encode_entry
from aegis_sdk.ledger.snapshot import Committed
from aegis_sdk.single_active.trace import Observer, Wrote
from aegis_sdk.timers import Timers

__all__ = ["Holding", "HoldingOwner"]

_log = structlog.get_logger("aegis.active")

_MAX_ENTRY_BYTES: Final = 512 * 1024
_AGAIN_S: Final = (0.01, 0.25)
_NEVER: Final = float("-inf")


class HoldingOwner(Protocol):
    """What a holding tells its host, in the event loop."""

    def suspended(self, holding: Holding) -> None: ...

    def proved(self, holding: Holding) -> None: ...

    def ended(self, holding: Holding) -> None: ...

    def committed(self, holding: Holding, change: Committed) -> None: ...

    def snapshot_due(self, holding: Holding) -> bytes | None: ...

    def snapshot_stored(self, holding: Holding, sequence: int) -> None: ...


@dataclass(eq=False)
class _Write:
    """A record that waits to be stored; `done` has its sequence."""

    record: Record
    size: int
    done: asyncio.Future[int]
    sent: bool = False
    unanswered: bool = False  # some attempt to send it brought no answer: it may be stored whatever comes next


@dataclass(eq=False)
class _Flight:
    """What is on its way: an entry with its writes, or a proof where there is no entry."""

    entry: Entry | None
    payload: bytes
    writes: list[_Write] = field(default_factory=list["_Write"])
    pause_s: float = _AGAIN_S[0]
    refused: bool = False  # for good: what was never left unanswered is not stored


class Holding:
    """Made when an epoch is won, `begin` when its journal is replayed, `end` when it is lost or given up."""

    def __init__(
        self,
        *,
        key: str,
        epoch: int,
        ledger: HeldEpoch,
        gate: Gate,
        timers: Timers,
        owner: HoldingOwner,
        observer: Observer | None,
    ) -> None:
        self.key = key
        self.epoch = epoch
        self.journal = Journal()
        self.lock = asyncio.Lock()
        self.ready = asyncio.Event()  # it may begin to handle requests; also set when it has ended
        self.running: dict[str, asyncio.Future[Any]] = {}  # calls at work, by idempotency key
        self.at_work = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.releasing = False
        self.is_ended = False
        self.suspended_at: float | None = None
        self.proof_sent_at = _NEVER
        self._ledger = ledger
        self._gate = gate
        self._timers = timers
        self._owner = owner
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Write] = deque()
        self._flight: _Flight | None = None
        self._proof_wanted = False
        self._settled: list[asyncio.Future[None]] = []  # who waits for the next answer of the ledger
        self._n = 0
        self._entries = 0  # since the last snapshot

    # What others ask of it

    @property
    def patience_s(self) -> float:
        return self._timers.outcome_s

    def is_proved(self, now: float) -> bool:
        """Whether there is a proof so young that nobody else can be effective yet."""
        return (
            not self.is_ended
            and self.suspended_at is None
            and self.proof_sent_at > self._gate.broken_at
            and now - self.proof_sent_at < self._timers.proof_s
        )

    def refresh(self, now: float) -> None:
        """Ask for a new proof in good time, for a key that is in use."""
        if now - self.proof_sent_at > self._timers.proof_s / 2:
            self._want_proof()

    async def proven(self, deadline: float) -> None:
        """Return when there is a fresh proof. Raises Suspended at the deadline or after `outcome_s`, or Moved."""
        limit = min(deadline, clock.now() + self._timers.outcome_s)
        while not self.is_proved(now := clock.now()):
            self._require_held()
            if now >= limit:
                raise SuspendedError(f"epoch {self.epoch} of {self.key} cannot be proved now")
            self._want_proof()
            settled: asyncio.Future[None] = self._loop.create_future()
            self._settled.append(settled)
            await asyncio.wait([settled], timeout=limit - now)

    async def intended(self, intent: Intent, deadline: float) -> None:
        """Store an intent; returns with a fresh proof. Raises Moved or Suspended: it counts as not executed then."""
        write = self._enqueue(intent)
        try:
            await self._stored(write, deadline, keep=False)
            await self.proven(deadline)
        except OutcomeUnknown as error:
            self._abandon(write, intent)
            raise SuspendedError(f"{error}; nothing was done") from error
        except BaseException:
            self._abandon(write, intent)
            raise

    async def written(self, result: Result, deadline: float, *, keep: bool) -> int:
        """Store a result; its sequence. With `keep` it is stored also if nobody waits for it any more.

        Raises Moved or Suspended where it is not stored, and OutcomeUnknown.
        """
        write = self._enqueue(result)
        try:
            return await self._stored(write, deadline, keep=keep)
        except asyncio.CancelledError:
            if not keep:
                self._withdraw(write)
            raise

    # Life

    def begin(self, journal: Journal) -> None:
        """Continue a replayed journal. `n` begins anew: the epoch is ours."""
        self.journal = journal
        self._entries = len(journal.changes)
        self._n = 0

    def open(self) -> None:
        """Requests may be handled."""
        self.ready.set()

    def suspend(self) -> None:
        """Trust no proof sent before now; a new one is asked for."""
        if self.is_ended:
            return
        if self.suspended_at is None:
            self.suspended_at = clock.now()
            self._owner.suspended(self)
        else:
            self.suspended_at = clock.now()
        self._want_proof()

    def end(self) -> None:
        """It is held no more: whatever waits is told so."""
        if self.is_ended:
            return
        self.is_ended = True
        self.ready.set()
        self._wake()
        writes, self._queue = [*(self._flight.writes if self._flight else ()), *self._queue], deque()
        for write in writes:
            self._fail(write)

    async def drained(self, timeout: float) -> bool:
        """Wait until no request is at work and nothing is to be written; False after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while not self.is_ended:
                    await self.idle.wait()
                    if self._flight is None and not self._queue:
                        return True
                    settled: asyncio.Future[None] = self._loop.create_future()
                    self._settled.append(settled)
                    await settled
        except TimeoutError:
            return False
        return True

    def _require_held(self) -> None:
        if self.is_ended:
            raise Moved(f"epoch {self.epoch} of {self.key} has ended")

    # Writing

    def _enqueue(self, record: Record) -> _Write:
        self._require_held()
        write = _Write(record, _size(record), self._loop.create_future())
        self._queue.append(write)
        self._send_next()
        return write

    async def _stored(self, write: _Write, deadline: float, *, keep: bool) -> int:
        """The sequence; OutcomeUnknown where it is not known in time whether it is stored."""
        limit = min(deadline - clock.now(), self._timers.outcome_s)
        await asyncio.wait([write.done], timeout=max(limit, 0))
        if write.done.done():
            return write.done.result()
        if not write.sent and not keep:
            self._withdraw(write)
            raise SuspendedError(f"epoch {self.epoch} of {self.key} cannot write now; nothing was sent")
        raise OutcomeUnknown(f"no answer of the ledger for {self.key} yet")

    def _withdraw(self, write: _Write) -> None:
        if not write.sent and write in self._queue:
            self._queue.remove(write)

    def _abandon(self, write: _Write, intent: Intent) -> None:
        """Nothing was done for an intent; say so, if it is or may yet be stored."""
        self._withdraw(write)
        if write.sent:
            write.done.add_done_callback(lambda done: self._close_intent(done, intent))

    def _close_intent(self, done: asyncio.Future[int], intent: Intent) -> None:
        if not done.cancelled() and done.exception() is None and not self.is_ended:
            nothing = Result(intent.idempotency_key, Verdict.NOT_EXECUTED)
            self._enqueue(nothing).done.add_done_callback(_observe)

    def _want_proof(self) -> None:
        self._proof_wanted = True
        self._send_next()

    def _send_next(self) -> None:
        if self._flight is not None or self.is_ended:
            return
        if self._queue:
            self._flight = self._next_entry()
        elif self._proof_wanted:
            self._flight = _Flight(None, b"")
        else:
            return
        self._send(self._flight)

    def _next_entry(self) -> _Flight:
        writes = [self._queue.popleft()]
        size = writes[0].size
        while self._queue and not isinstance(writes[0].record, Part):
            size += self._queue[0].size
            if size > _MAX_ENTRY_BYTES or isinstance(self._queue[0].record, Part):
                break
            writes.append(self._queue.popleft())
        for write in writes:
            write.sent = True
        self._n += 1
        entry = Entry(self.epoch, self._n, tuple(write.record for write in writes))
        return _Flight(entry, encode_entry(self.epoch, self._n, entry.records), writes)

    def _send(self, flight: _Flight) -> None:
        if self.is_ended or self._flight is not flight:
            return
        self._proof_wanted = False
        sent_at = clock.now()
        write_s = self._timers.write_s
        proving = flight.entry is None
        answer = self._ledger.prove(write_s) if proving else self._ledger.commit(flight.payload, write_s)
        answer.add_done_callback(lambda done: self._answered(flight, sent_at, done))

    def _answered(self, flight: _Flight, sent_at: float, done: asyncio.Future[int]) -> None:
        if self.is_ended or self._flight is not flight or done.cancelled():
            return
        error = done.exception()
        if error is None:
            self._acknowledged(flight, sent_at, done.result())
            return
        match classify(error):
            case Fate.ENDED:
                flight.refused = True
                self._owner.ended(self)
            case Fate.AGAIN:
                self._loop.call_later(0.001, self._send, flight)
            case Fate.UNKNOWN:
                for write in flight.writes:
                    write.unanswered = True
                pause, flight.pause_s = flight.pause_s, min(flight.pause_s * 2, _AGAIN_S[1])
                self._loop.call_later(pause, self._send, flight)
                self._suspend_for(error)

    def _suspend_for(self, error: BaseException) -> None:
        if self.suspended_at is None:
            _log.warning("suspended", key=self.key, epoch=self.epoch, reason=str(error))
            self.suspended_at = clock.now()
            self._owner.suspended(self)

    def _acknowledged(self, flight: _Flight, sent_at: float, sequence: int) -> None:
        self._flight = None
        self.proof_sent_at = max(self.proof_sent_at, sent_at)
        if self._observer is not None:
            what, n = ("proof", 0) if flight.entry is None else ("entry", flight.entry.n)
            self._observer(Wrote(self.key, self.epoch, what, n, sequence, sent_at, clock.now()))
        if flight.entry is not None:
            self._fold(flight.entry, sequence)
        for write in flight.writes:
            if not write.done.done():
                write.done.set_result(sequence)
        if self.suspended_at is not None:
            if sent_at > self.suspended_at and sent_at > self._gate.broken_at:
                self.suspended_at = None
                self._owner.proved(self)
            else:
                self._proof_wanted = True
        self._wake()
        self._send_next()

    def _fold(self, entry: Entry, sequence: int) -> None:
        for change in self.journal.take(entry, sequence):
            self._owner.committed(self, change)
        if isinstance(entry.records[0], Part):
            if entry.records[0].part + 1 == entry.records[0].parts:
                self._owner.snapshot_stored(self, self.journal.snapshot_sequence)
            return
        self._entries += 1
        self._snapshot_if_due()

    def _snapshot_if_due(self) -> None:
        """Between two writes everything acknowledged is applied, and nothing else."""
        state = self._owner.snapshot_due(self) if self._entries else None
        if state is None:
            return
        self._entries = 0
        parts = [_Write(part, len(part.data), self._loop.create_future()) for part in self.journal.parts(state)]
        for write in parts:
            write.done.add_done_callback(_observe)
        self._queue.extendleft(reversed(parts))

    @property
    def entries_since_snapshot(self) -> int:
        return self._entries

    def _fail(self, write: _Write) -> None:
        if write.done.done():
            return
        flight = self._flight
        on_its_way = flight is not None and not flight.refused and write in flight.writes
        if write.unanswered or on_its_way:
            error: RpcError = OutcomeUnknown(f"epoch {self.epoch} of {self.key} has ended; this may be stored or not")
        else:
            error = Moved(f"epoch {self.epoch} of {self.key} has ended; this is not stored")
        write.done.set_exception(error)
        write.done.add_done_callback(_observe)

    def _wake(self) -> None:
        settled, self._settled = self._settled, []
        for future in settled:
            if not future.done():
                future.set_result(None)


def _size(record: Record) -> int:
    """About the bytes that a record takes."""
    match record:
        case Intent(data=data) | Part(data=data):
            return len(data)
        case Result(data=data, reply=reply):
            return len(data) + len(reply)
        case _:
            return 0


def _observe(done: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody may be waiting for."""
    if not done.cancelled():
        done.exception()
