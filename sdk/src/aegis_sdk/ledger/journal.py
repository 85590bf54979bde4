"""One key's journal, folded: what its holder, its standbys and a checker of histories all make of the same entries.

Entries come in the order of the stream. Of an epoch, an entry counts whose number n is the next one. One whose n was
there already is *void*: a write whose answer was lost was sent again, and both landed. A number left out, an entry of
an epoch that has ended, two intents or two results for one idempotency key are *contradictions*: the guard of the
writes has failed, or something was lost, and nothing that follows can be trusted.

A snapshot is as many parts as it needs, in entries of their own; others may lie between them. Complete, it takes the
place of all before its first part, so that may be purged; incomplete, it counts for nothing. So a first part is also
where a reader may leap to: at the start of a journal that was purged, or behind what was purged while it was away.
What it reads between the parts then waits for the last of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Final

from aegis_sdk.errors import AegisError, CodecError
from aegis_sdk.ledger.records import Entry, Intent, Part, Result
from aegis_sdk.ledger.snapshot import Assembly, Committed, OpenIntent, Outcome, Snapshot, cut

__all__ = ["RETAINED_OUTCOMES", "Contradiction", "Journal"]

RETAINED_OUTCOMES: Final = 10_000
"""So many outcomes of a key are kept. A call repeated after that many others would be executed again."""
PART_BYTES: Final = 512 * 1024
"""Of a part before base64, which makes four bytes of three; a message holds 1 MiB."""


class Contradiction(AegisError):
    """What a journal holds cannot have come about under the ledger's guard. The key must be touched no more."""


class Journal:
    """The state of one key. Not to be used any more once `take` has raised Contradiction."""

    def __init__(self) -> None:
        self.epoch = 0
        self.n = 0  # the highest of the epoch
        self.sequence = 0  # of the last entry that counted
        self.snapshot: bytes | None = None  # the service's own state
        self.snapshot_sequence = 0  # of the first part of the last complete snapshot; what lies before may be purged
        self.leaps = 0  # snapshots that replaced entries never seen: who applies changes as they come, starts again
        self.voids = 0
        self._read = 0
        self._leaping = False
        self._changes: list[Committed] = []
        self._outcomes: dict[str, Outcome] = {}
        self._intents: dict[str, OpenIntent] = {}
        self._assembly = Assembly()
        self._behind: list[tuple[Intent | Result, int, int]] = []  # of a leap's first part: records, epochs, sequences

    @property
    def changes(self) -> Sequence[Committed]:
        """All since the snapshot, in order."""
        return self._changes

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """The latest RETAINED_OUTCOMES by idempotency key, oldest first."""
        return self._outcomes

    @property
    def intents(self) -> Mapping[str, OpenIntent]:
        """Those without a result, by idempotency key, oldest first."""
        return self._intents

    def take(self, entry: Entry, sequence: int) -> Sequence[Committed]:
        """Fold one entry; what it adds to `changes`. An entry that was taken before is ignored.

        Raises Contradiction.
        """
        if sequence <= self._read:
            return ()
        self._read = sequence
        if entry.epoch == 0:
            self._begin(sequence - 1)
            self.sequence = sequence
            return ()
        if entry.epoch != self.epoch or entry.n != self.n + 1:
            if entry.epoch == self.epoch and entry.n <= self.n:
                self.voids += 1
                return ()
            self._leap(entry, sequence)
        self.n = entry.n
        self.sequence = sequence
        return self._apply(entry, sequence)

    def _begin(self, epoch: int) -> None:
        if epoch <= self.epoch:
            raise Contradiction(f"epoch {epoch} begins behind epoch {self.epoch}")
        self._must_have_landed(epoch + 1)
        self._assembly.drop()
        self.epoch = epoch
        self.n = 0

    def _leap(self, entry: Entry, sequence: int) -> None:
        """Accept an entry that does not follow the one before: only a snapshot's first part may be that."""
        first = entry.records[0]
        if entry.epoch < self.epoch:
            raise Contradiction(f"sequence {sequence} is of epoch {entry.epoch}, behind the begin of {self.epoch}")
        if not (isinstance(first, Part) and first.part == 0):
            raise Contradiction(
                f"sequence {sequence} is n {entry.n} of epoch {entry.epoch}, right behind n {self.n} of {self.epoch}"
            )
        self.epoch = entry.epoch
        self._leaping = True

    def _must_have_landed(self, sequence: int) -> None:
        if self._leaping:
            raise Contradiction(f"what lies before sequence {sequence} is gone, and its snapshot is not complete")

    def _apply(self, entry: Entry, sequence: int) -> Sequence[Committed]:
        committed: list[Committed] = []
        for record in entry.records:
            if isinstance(record, Part):
                self._assemble(record, sequence)
                continue
            assert isinstance(record, Intent | Result)
            if self._leaping and self._assembly.is_begun:
                self._behind.append((record, entry.epoch, sequence))
                continue
            self._must_have_landed(sequence)
            committed.append(self._fold(record, entry.epoch, sequence))
        self._changes += committed
        return committed

    def _fold(self, record: Intent | Result, epoch: int, sequence: int) -> Committed:
        close = isinstance(record, Result)
        return self._close(record, epoch, sequence) if close else self._open(record, epoch, sequence)

    def _open(self, intent: Intent, epoch: int, sequence: int) -> Committed:
        key, data = intent.idempotency_key, bytes(intent.data)
        if key in self._intents or key in self._outcomes:
            raise Contradiction(f"sequence {sequence} is another intent for {key!r}")
        self._intents[key] = OpenIntent(key, intent.method, data, epoch, sequence)
        return Committed(sequence, epoch, "intent", key, data)

    def _close(self, result: Result, epoch: int, sequence: int) -> Committed:
        key, change = result.idempotency_key, bytes(result.data)
        if not key:
            return Committed(sequence, epoch, "result", key, change)
        if key in self._outcomes:
            raise Contradiction(f"sequence {sequence} is another result for {key!r}")
        self._intents.pop(key, None)
        self._outcomes[key] = Outcome(result.verdict, bytes(result.reply), epoch, sequence)
        if len(self._outcomes) > RETAINED_OUTCOMES:
            del self._outcomes[next(iter(self._outcomes))]
        return Committed(sequence, epoch, "result", key, change)

    def fork(self) -> Journal:
        """A journal of the same content, which goes its own way from here."""
        fork = copy(self)
        fork._changes, fork._outcomes, fork._intents = [*self._changes], {**self._outcomes}, {**self._intents}
        fork._assembly = Assembly()  # a begin ends one that is not complete
        return fork

    # Snapshots

    def _assemble(self, part: Part, sequence: int) -> None:
        try:
            snapshot = self._assembly.add(part, sequence)
        except CodecError as error:
            raise Contradiction(str(error)) from error
        if part.part == 0:
            self._behind = []
        if snapshot is None:
            return
        first = self._assembly.sequence
        self.snapshot, self.snapshot_sequence = snapshot.state, first
        if self._leaping:
            self._outcomes, self._intents = snapshot.outcomes, snapshot.intents
            since = [self._fold(*one) for one in self._behind]
        else:
            since = [change for change in self._changes if change.sequence > first]
        self._changes = snapshot.changes + since
        self._assembly.drop()
        self._behind = []
        self.leaps += self._leaping
        self._leaping = False

    def parts(self, state: bytes, limit_bytes: int = PART_BYTES) -> list[Part]:
        """A snapshot with `state` for all changes until now. Each part has an entry of its own, the first is next."""
        return cut(Snapshot(state, [], self._outcomes, self._intents), limit_bytes)

    def copy(self, limit_bytes: int = PART_BYTES) -> list[Part]:
        """A snapshot that keeps the changes as they are: one that can be made without the service."""
        return cut(Snapshot(self.snapshot, self._changes, self._outcomes, self._intents), limit_bytes)
