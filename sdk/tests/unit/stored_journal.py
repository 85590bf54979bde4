"""What a key's stream holds, for tests of its fold."""

import msgspec

from aegis_sdk.ledger.journal import Journal
from aegis_sdk.ledger.records import (
    Begin,
    Entry,
    Intent,
    Record,
    Result,
    Verdict,
)

BEGIN = Entry(0, 0, (Begin("a-1", "i", "t"),))


def intent(key: str, data: bytes = b'{"by":1}') -> Intent:
    return Intent(key, "deposit", msgspec.Raw(data))


def result(key: str, data: bytes = b'{"by":1}', reply: bytes = b"2") -> Result:
    return Result(key, Verdict.OK, msgspec.Raw(data), msgspec.Raw(reply))


class Stored:
    """What a key's stream holds, written as a holder does: every entry as the next one of its epoch."""

    def __init__(self) -> None:
        self.entries: list[tuple[Entry, int]] = []
        self.epoch = 0
        self.n = 0
        self.sequence = 0

    def begin(self) -> None:
        """A lease, and the begin behind it."""
        self.sequence += 1
        self.epoch, self.n = self.sequence, 0
        self.put(BEGIN)

    def write(self, *records: Record) -> None:
        self.n += 1
        self.put(Entry(self.epoch, self.n, records))

    def put(self, entry: Entry) -> None:
        self.sequence += 1
        self.entries.append((entry, self.sequence))

    def folded(self, after: int = 0, until: int = 2**62) -> Journal:
        journal = Journal()
        for entry, sequence in self.entries:
            if after < sequence <= until:
                journal.take(entry, sequence)
        return journal


def holdings(journal: Journal) -> tuple[object, ...]:
    return (
        journal.epoch,
        journal.n,
        journal.sequence,
        journal.snapshot,
        journal.snapshot_sequence,
        list(journal.changes),
        list(journal.outcomes.items()),
        list(journal.intents.items()),
    )
