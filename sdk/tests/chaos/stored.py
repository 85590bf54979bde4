"""The ledger as one replica holds it, read apart for each key without the product's own replay. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

import msgspec

from aegis_sdk import subjects
from aegis_sdk.ledger.records import Begin, Entry, Intent, Lease, LeaseState, Part, Record, Result

_lease: Final = msgspec.json.Decoder(Lease).decode
_entry: Final = msgspec.json.Decoder(Entry).decode


class Stored(NamedTuple):
    """One message of a stream."""

    sequence: int
    subject: str
    payload: bytes


class Copy(NamedTuple):
    """One shard of the ledger as one node holds it."""

    node: str
    shard: int
    messages: tuple[Stored, ...]


class Placed(NamedTuple):
    """A record of a valid entry, and where it is."""

    sequence: int
    epoch: int
    record: Record


@dataclass
class Book:
    """All that one replica holds of one key, in order of sequence."""

    key: str
    leases: list[tuple[int, Lease]] = field(default_factory=list)
    entries: list[tuple[int, Entry]] = field(default_factory=list)

    @cached_property
    def epochs(self) -> dict[int, Lease]:
        return {sequence: lease for sequence, lease in self.leases if lease.state is LeaseState.ACTIVE}

    @property
    def whole(self) -> bool:
        """Whether the journal still has its first entry."""
        return bool(self.entries and self.leases) and self.entries[0][0] == self.leases[0][0] + 1

    @property
    def first(self) -> int:
        """The sequence of the first journal entry that is left."""
        return self.entries[0][0] if self.entries else 0

    @cached_property
    def valid(self) -> list[tuple[int, int, Entry]]:
        """(sequence, epoch, entry) without those whose n is not above the highest n of their epoch."""
        highest: dict[int, int] = {}
        found: list[tuple[int, int, Entry]] = []
        for sequence, entry in self.entries:
            if is_begin(entry):
                found.append((sequence, sequence - 1, entry))
            elif entry.n > highest.get(entry.epoch, 0):
                highest[entry.epoch] = entry.n
                found.append((sequence, entry.epoch, entry))
        return found

    @property
    def void(self) -> list[Entry]:
        """The entries that do not count."""
        valid = {sequence for sequence, _, _ in self.valid}
        return [entry for sequence, entry in self.entries if sequence not in valid]

    @cached_property
    def numbers(self) -> dict[int, tuple[int, int]]:
        """Epoch and n of the entry at each sequence."""
        return {sequence: (entry.epoch, entry.n) for sequence, entry in self.entries}

    def records(self) -> Iterator[Placed]:
        """The records of the valid entries."""
        for sequence, epoch, entry in self.valid:
            yield from (Placed(sequence, epoch, record) for record in entry.records)

    @cached_property
    def intents(self) -> dict[str, Placed]:
        """The first intent of each idempotency key."""
        return self._first(Intent)

    @cached_property
    def results(self) -> dict[str, Placed]:
        """The first result of each idempotency key."""
        return self._first(Result)

    def _first(self, kind: type[Intent | Result]) -> dict[str, Placed]:
        found: dict[str, Placed] = {}
        for placed in self.records():
            if isinstance(placed.record, kind):
                found.setdefault(placed.record.idempotency_key, placed)
        return found

    @property
    def has_snapshot(self) -> bool:
        return any(isinstance(placed.record, Part) for placed in self.records())


def is_begin(entry: Entry) -> bool:
    return any(isinstance(record, Begin) for record in entry.records)


def books(messages: Iterable[Stored]) -> dict[str, Book]:
    """What a replica's messages say of each key."""
    found: dict[str, Book] = {}
    for sequence, subject, payload in sorted(messages):
        key, part = subjects.ledger_key(subject), subjects.split(subject)[-1]
        book = found.setdefault(key, Book(key))
        if part == "lease":
            book.leases.append((sequence, _lease(payload)))
        elif part == "journal":
            book.entries.append((sequence, _entry(payload)))
    return found
