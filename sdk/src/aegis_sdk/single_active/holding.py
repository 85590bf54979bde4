"""One epoch of one key, held by this instance: its writes, its proof, and whether it may act on it.

Writes go one at a time, and what is to be written in one turn of the loop goes together. A write whose answer is lost
is sent again, with the same number, until the ledger takes or refuses it: so its fate is always learned, and a copy of
it that lands late is void. Until then the key is suspended.

An entry's way:  waiting -> in flight -> acknowledged (folded, applied, its waiters told) -> the next one
                               ^------- no answer: suspended, again
                               +------- 10071: the epoch has ended; everything that waits is told
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from aegis_sdk import clock
from aegis_sdk.errors import Moved, OutcomeUnknown
from aegis_sdk.errors import Suspended as SuspendedError
from aegis_sdk.gate import Gate
from aegis_sdk.ledger.epoch import HeldEpoch
from aegis_sdk.ledger.fates import Fate, classify
from aegis_sdk.ledger.journal import Contradiction, Journal
from aegis_sdk.ledger.records import Entry, Intent, Part, Record, Result, Verdict, encode_entry
from aegis_sdk.single_active.key_lock import KeyLock
from aegis_sdk.single_active.owner import HoldingOwner
from aegis_sdk.single_active.trace import Observer, Wrote
from aegis_sdk.single_active.work import Work
from aegis_sdk.single_active.writing import Flight, Waiting, Write
from aegis_sdk.timers import Timers

__all__ = ["Holding"]

_log = structlog.get_logger("aegis.active")

_AGAIN_S: Final = (0.001, 0.25)
_NEVER: Final = float("-inf")


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
        self.lock = KeyLock(lambda: self.patience_ends, self._changes_written)
        self.ready = asyncio.Event()  # requests need not wait any more: it is open, or will never be
        self.work = Work()
        self.is_open = False
        self.releasing = False
        self.is_ended = False
        self.is_dropped = False  # the service has been told
        self._leaving = False
        self.suspended_at: float | None = None
        self.proof_sent_at = _NEVER
        self._ledger = ledger
        self._gate = gate
        self._timers = timers
        self._owner = owner
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._waiting = Waiting()
        self._flight: Flight | None = None
        self._proof_wanted = False
        self._answer: asyncio.Future[None] | None = None  # what waits for the next answer of the ledger
        self._n = 0  # of the last entry sent; of this epoch nobody else sends any
        self._send_due = False
        self.bytes_since_snapshot = 0

    @property
    def patience_ends(self) -> float:
        """Until when to wait for the ledger: for `outcome_s` from when it was asked what it still owes us.

        Whoever comes later waits for half of that, so that an outage does not fill the house with those who wait.
        """
        now, outcome_s = clock.now(), self._timers.outcome_s
        asked_at = now if self._flight is None else self._flight.asked_at
        return max(asked_at + outcome_s, now + outcome_s / 2)

    @property
    def is_trusted(self) -> bool:
        """Whether a write under this epoch was stored that was sent after the last standstill; the claim is none."""
        return self.suspended_at is None and self.proof_sent_at > self._gate.broken_at

    @property
    def may_go_on(self) -> bool:
        """Whether it is trusted, and neither ended nor about to be."""
        return self.is_trusted and not self._leaving and not self.is_ended

    def is_proved(self, now: float) -> bool:
        """Whether there is a proof so young that nobody else can be effective yet."""
        return self.may_go_on and now - self.proof_sent_at < self._timers.proof_s

    def refresh(self, now: float) -> None:
        """Ask for a new proof in good time, for a key that is in use."""
        if now - self.proof_sent_at > self._timers.proof_s / 2:
            self._want_proof()

    async def proven(self, deadline: float, *, fresh: bool = True) -> None:
        """Return when there is a fresh proof, or one after the last standstill, however long its answer took.

        Raises Suspended at the deadline or at `patience_ends`, or Moved.
        """
        limit = min(deadline, self.patience_ends)
        while not (self.is_proved(now := clock.now()) or (not fresh and self.may_go_on)):
            self._require_held()
            if self._leaving:
                raise Moved(f"epoch {self.epoch} of {self.key} is being ended")
            if now >= limit:
                raise SuspendedError(f"epoch {self.epoch} of {self.key} cannot be proved now")
            self._want_proof()
            await self._answered_within(limit - now)

    def under_way(self, idempotency_key: str) -> asyncio.Future[int] | None:
        """Done when it is known whether a record of that call is stored; None where none is on its way."""
        return self._waiting.under_way(idempotency_key)

    def is_abandoned(self, idempotency_key: str) -> bool:
        """Whether a call has an intent that nobody is at work on."""
        return (
            idempotency_key in self.journal.intents
            and idempotency_key not in self.work.running
            and self.under_way(idempotency_key) is None
        )

    async def intended(self, intent: Intent, deadline: float) -> None:
        """Store an intent; returns with a fresh proof. Raises Moved or Suspended: it counts as not executed then."""
        write = self._enqueue(intent)
        try:
            await self._stored(write, deadline, keep=False)
            await self.proven(deadline)
        except BaseException as error:
            self._give_up(write)
            if isinstance(error, OutcomeUnknown):
                raise SuspendedError(f"{error}; nothing was done") from error
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
        """Continue a replayed journal."""
        self.journal = journal
        self.bytes_since_snapshot = sum(len(change.data) for change in journal.changes)

    def open(self) -> None:
        """Requests may be handled."""
        self.is_open = True
        self.ready.set()

    def release(self) -> None:
        """Requests are refused from now on; what is at work is finished, what was not yet open never will be."""
        self.releasing = True
        self.ready.set()
        if not self.is_open:
            self.work.cancel_bound()

    def leave(self) -> None:
        """Act on it no more: its end is on its way, and whoever comes next need not wait for our proofs to run out."""
        self._leaving = True

    def suspend(self) -> None:
        """Trust no proof sent before now; a new one is asked for."""
        if self.is_ended:
            return
        told, self.suspended_at = self.suspended_at is not None, clock.now()
        if not told:
            self._owner.suspended(self)
        self._want_proof()

    def end(self) -> None:
        """It is held no more: whatever waits is told so."""
        if self.is_ended:
            return
        self.is_ended = True
        self.ready.set()
        self.work.cancel_bound()
        for write in (*(self._flight.writes if self._flight else ()), *self._waiting.take_all()):
            self._fail(write)
        self._wake()

    async def drained(self, timeout: float) -> bool:
        """Wait until no request is at work and nothing is to be written; False after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while not self.is_ended:
                    await self.work.finished()
                    if self._flight is None and not self._waiting:
                        return True
                    await self._answered_within(timeout)
        except TimeoutError:
            return False
        return True

    async def _changes_written(self, limit: float) -> None:
        """Return when all that was to be written has its answer. Raises Suspended where it has none by `limit`."""
        in_flight = self._flight.writes if self._flight else ()
        changes = [write.done for write in in_flight if not isinstance(write.record, Part)] + self._waiting.changes
        if changes:
            _, unanswered = await asyncio.wait(changes, timeout=max(limit - clock.now(), 0))
            if unanswered:
                raise SuspendedError(f"what was sent for {self.key} before has no answer yet")

    def _require_held(self) -> None:
        if self.is_ended:
            raise Moved(f"epoch {self.epoch} of {self.key} has ended")

    async def _answered_within(self, timeout: float) -> None:
        """Return when the ledger has answered, or it has ended, or after `timeout` seconds."""
        if self._answer is None:
            self._answer = self._loop.create_future()
        await asyncio.wait([self._answer], timeout=timeout)

    def _wake(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.set_result(None)

    # Writing

    def _enqueue(self, record: Intent | Result) -> Write:
        self._require_held()
        write = self._waiting.add(record)
        if self._flight is None and not self._send_due:
            self._send_due = True
            self._loop.call_soon(self._send_next)
        return write

    async def _stored(self, write: Write, deadline: float, *, keep: bool) -> int:
        """The sequence; OutcomeUnknown where it is not known in time whether it is stored."""
        await write.settled_within(min(deadline, self.patience_ends) - clock.now())
        if write.done.done():
            return write.done.result()
        if not write.sent and not keep:
            self._withdraw(write)
            raise SuspendedError(f"epoch {self.epoch} of {self.key} cannot write now; nothing was sent")
        raise OutcomeUnknown(f"no answer of the ledger for {self.key} yet")

    def _withdraw(self, write: Write) -> None:
        if not write.sent and not write.done.done():
            self._waiting.remove(write)

    def _give_up(self, write: Write) -> None:
        """Nothing was done for an intent; that is said if it is stored, now or later."""
        if not write.done.done():
            write.given_up = True
            self._withdraw(write)
        elif not write.done.cancelled() and write.done.exception() is None:
            self._close(write.record)

    def _close(self, intent: Record) -> None:
        if isinstance(intent, Intent) and not self.is_ended:
            try:
                self._enqueue(Result(intent.idempotency_key, Verdict.NOT_EXECUTED))
            except SuspendedError as error:  # it stays open, and is settled later
                _log.warning("intent_left_open", key=self.key, idempotency_key=intent.idempotency_key, reason=error)

    def _want_proof(self) -> None:
        """See to one; what is in flight may be that."""
        if self._flight is None:
            self._proof_wanted = True
            self._send_next()

    def _send_next(self) -> None:
        self._send_due = False
        if self._flight is not None or self.is_ended:
            return
        if self._waiting:
            self._flight = self._next_entry()
        elif self._proof_wanted:
            self._flight = Flight(None, b"", _AGAIN_S[0], clock.now())
        else:
            return
        self._send(self._flight)

    def _next_entry(self) -> Flight:
        writes = self._waiting.next()
        self._n += 1
        entry = Entry(self.epoch, self._n, tuple(write.record for write in writes))
        payload = encode_entry(self.epoch, self._n, entry.records)
        return Flight(entry, payload, _AGAIN_S[0], clock.now(), writes)

    def _send(self, flight: Flight) -> None:
        if self.is_ended or self._flight is not flight:
            return
        self._proof_wanted = False
        sent_at = clock.now()
        write_s = self._timers.write_s
        proving = flight.entry is None
        answer = self._ledger.prove(write_s) if proving else self._ledger.commit(flight.payload, write_s)
        answer.add_done_callback(lambda done: self._answered(flight, sent_at, done))

    def _answered(self, flight: Flight, sent_at: float, done: asyncio.Future[int]) -> None:
        error: BaseException | None = asyncio.CancelledError() if done.cancelled() else done.exception()
        if self.is_ended or self._flight is not flight:
            return
        if error is None:
            self._acknowledged(flight, sent_at, done.result())
            return
        fate = classify(error)
        if fate is Fate.ENDED:
            flight.refused = True
            self.end()
            self._owner.ended(self)
            return
        pause, flight.pause_s = flight.pause_s, min(flight.pause_s * 2, _AGAIN_S[1])
        self._loop.call_later(pause, self._send, flight)
        if fate is Fate.UNKNOWN:
            for write in flight.writes:
                write.unanswered = True
            if self.suspended_at is None:
                _log.warning("suspended", key=self.key, epoch=self.epoch, reason=str(error))
                self.suspend()

    def _acknowledged(self, flight: Flight, sent_at: float, sequence: int) -> None:
        self._flight, self.proof_sent_at = None, max(self.proof_sent_at, sent_at)
        self._owner.wrote(clock.now() - sent_at)
        if self._observer is not None:
            what, n = ("proof", 0) if flight.entry is None else ("entry", flight.entry.n)
            self._observer(Wrote(self.key, self.epoch, what, n, sequence, sent_at, clock.now()))
        if flight.entry is not None:
            self._fold(flight.entry, sequence, len(flight.payload))
        for write in flight.writes:
            self._waiting.settle(write, sequence)
            if write.given_up:
                self._close(write.record)
        if self.suspended_at is not None:
            self._clear_suspension(sent_at)
        self._wake()
        self._send_next()

    def _clear_suspension(self, sent_at: float) -> None:
        assert self.suspended_at is not None
        if sent_at > self.suspended_at and sent_at > self._gate.broken_at:
            self.suspended_at = None
            self._owner.proved(self)
        else:
            self._proof_wanted = True

    def _fold(self, entry: Entry, sequence: int, size: int) -> None:
        try:
            changes = self.journal.take(entry, sequence)
        except Contradiction as problem:
            self.end()
            self._owner.contradicted(self, problem)
            return
        for change in changes:
            self._owner.committed(self, change)
        if isinstance(entry.records[0], Part):
            if entry.records[0].part + 1 == entry.records[0].parts:
                self._owner.snapshot_stored(self, self.journal.snapshot_sequence)
            return
        self.bytes_since_snapshot += size
        self._snapshot_if_due()

    def _snapshot_if_due(self) -> None:
        """Between two writes everything acknowledged is applied, and nothing else."""
        state = None if self.is_ended or self._waiting.has_parts else self._owner.snapshot_due(self)
        if state is not None:
            self.bytes_since_snapshot = 0
            self._waiting.add_snapshot(self.journal.parts(state))

    def _fail(self, write: Write) -> None:
        flight = self._flight
        on_its_way = flight is not None and not flight.refused and write in flight.writes
        what = f"epoch {self.epoch} of {self.key} has ended"
        if write.unanswered or on_its_way:
            self._waiting.settle(write, OutcomeUnknown(f"{what}; this may be stored or not"))
        else:
            self._waiting.settle(write, Moved(f"{what}; this is not stored"))
