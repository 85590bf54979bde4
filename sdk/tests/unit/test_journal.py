"""The fold of a journal: what counts, what is void, what cannot be, and what any reader of it comes to."""

import gc
import time
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk.ledger import journal as journal_module
from aegis_sdk.ledger.journal import Contradiction, Journal
from aegis_sdk.ledger.records import (
    Begin,
    Entry,
    Part,
    Record,
    Verdict,
    decode_entry,
    encode_begin,
    encode_entry,
)
from aegis_sdk.ledger.snapshot import Committed, OpenIntent, Outcome

from .stored_journal import BEGIN, Stored, holdings, intent, result


@pytest.fixture
def stored() -> Stored:
    """With an epoch begun: 1, its begin at 2."""
    made = Stored()
    made.begin()
    return made


# What counts


def test_an_epoch_is_the_sequence_before_its_begin(stored: Stored) -> None:
    journal = stored.folded()
    assert (journal.epoch, journal.n, journal.sequence) == (1, 0, 2)
    stored.write(result("k"))
    stored.begin()
    journal = stored.folded()
    assert (journal.epoch, journal.n, journal.sequence) == (4, 0, 5)


def test_intents_are_open_until_their_result(stored: Stored) -> None:
    stored.write(intent("k1", b"1"))
    stored.write(intent("k2"), intent("k3"))
    stored.begin()
    stored.write(result("k2", b"2", b'"ok"'))
    journal = stored.folded()
    assert list(journal.intents.values()) == [
        OpenIntent("k1", "deposit", b"1", 1, 3),
        OpenIntent("k3", "deposit", b'{"by":1}', 1, 4),
    ]
    assert journal.outcomes == {"k2": Outcome(Verdict.OK, b'"ok"', 5, 7)}


def test_what_an_entry_adds_is_told_and_kept_in_order(stored: Stored) -> None:
    journal = stored.folded()
    told = [
        *journal.take(Entry(1, 1, (intent("k1", b"1"),)), 3),
        *journal.take(Entry(1, 2, (result("k1", b"2"), result("k2", b"null"))), 9),
    ]
    assert told == [
        Committed(3, 1, "intent", "k1", b"1"),
        Committed(9, 1, "result", "k1", b"2"),
        Committed(9, 1, "result", "k2", b"null"),
    ]
    assert journal.changes == told
    assert journal.sequence == 9


def test_a_write_that_landed_twice_counts_once(stored: Stored) -> None:
    """The answer to the first was lost, so it was sent again; the first came late."""
    stored.write(result("k1"))
    stored.write(result("k2"))
    for entry, _ in list(stored.entries[1:]):
        stored.put(entry)
    stored.write(result("k3"))
    journal = stored.folded()
    assert [change.idempotency_key for change in journal.changes] == ["k1", "k2", "k3"]
    assert journal.voids == 2
    assert (journal.n, journal.sequence) == (3, 7)


def test_the_last_valid_entry_is_not_moved_by_a_void_one(stored: Stored) -> None:
    stored.write(result("k1"))
    stored.put(stored.entries[-1][0])
    assert stored.folded().sequence == 3


def test_entries_that_are_read_again_are_ignored(stored: Stored) -> None:
    stored.write(result("k1"))
    stored.put(stored.entries[-1][0])
    journal = stored.folded()
    for entry, sequence in stored.entries:
        assert journal.take(entry, sequence) == ()
    assert (len(journal.changes), journal.voids) == (1, 1)


def test_only_the_latest_outcomes_are_kept(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "RETAINED_OUTCOMES", 3)
    for number in range(5):
        stored.write(result(f"k{number}"))
    journal = stored.folded()
    assert list(journal.outcomes) == ["k2", "k3", "k4"]
    assert len(journal.changes) == 5


# What cannot be


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ((intent("open"),), "another intent for 'open'"),
        ((intent("done"),), "another intent for 'done'"),
        ((result("done"),), "another result for 'done'"),
        ((intent("new"), intent("new")), "another intent for 'new'"),
    ],
)
def test_one_idempotency_key_has_one_intent_and_one_result(
    stored: Stored, records: tuple[Record, ...], problem: str
) -> None:
    stored.write(intent("open"), result("done"))
    for begins_again in (False, True):
        if begins_again:
            stored.begin()
        journal = stored.folded()
        with pytest.raises(Contradiction, match=problem):
            journal.take(Entry(stored.epoch, stored.n + 1, records), stored.sequence + 1)


def test_an_epoch_that_does_not_rise_is_a_contradiction(stored: Stored) -> None:
    """A begin comes behind its lease, so it can only lie at the sequence of an epoch that came from a snapshot."""
    stored.put(Entry(50, 1, (Part(0, 1, Journal().copy()[0].data),)))
    journal = stored.folded()
    assert journal.epoch == 50
    with pytest.raises(Contradiction, match="epoch 50 begins behind epoch 50"):
        journal.take(BEGIN, 51)


def test_an_entry_of_an_epoch_that_has_ended_is_a_contradiction(stored: Stored) -> None:
    stored.write(result("k1"))
    stored.begin()
    stored.put(Entry(1, 2, (result("k2"),)))
    with pytest.raises(Contradiction, match="is of epoch 1, behind the begin of 4"):
        stored.folded()


def test_an_entry_of_an_epoch_that_never_began_is_a_contradiction(stored: Stored) -> None:
    stored.put(Entry(2, 1, (result("k"),)))
    with pytest.raises(Contradiction, match="n 1 of epoch 2"):
        stored.folded()


def test_a_journal_does_not_start_in_the_middle() -> None:
    with pytest.raises(Contradiction, match="n 1 of epoch 2"):
        Journal().take(Entry(2, 1, (result("k"),)), 3)


def test_a_missing_entry_is_a_contradiction(stored: Stored) -> None:
    stored.write(result("k1"))
    stored.n += 1
    stored.write(result("k3"))
    with pytest.raises(Contradiction, match="n 3 of epoch 1, right behind n 1 of 1"):
        stored.folded()


# Any history


class Holders(Stored):
    """Holders of a service that sums numbers; what it must come to is kept beside the journal."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = 0
        self.open: list[str] = []
        self.results: list[str] = []
        self.purged_before = 0
        self.ghosts: list[Entry] = []
        self.begin()

    def act(self, action: str, number: int) -> None:
        if action == "takeover":
            self.begin()
            self.ghosts = []
        elif action == "intend":
            self.open.append(f"k{self.sequence}")
            self.write(intent(self.open[-1]))
        elif action == "commit":
            key = self.open.pop(0) if self.open and number % 2 else f"k{self.sequence}"
            self.sum += number
            self.results.append(key)
            self.write(result(key, msgspec.json.encode(number)))
        elif action == "ghost" and self.n:
            own = [entry for entry, _ in self.entries if entry.epoch == self.epoch]
            self.put(own[number % len(own)])
        elif action == "snapshot":
            first = self.sequence + 1
            for part in self.folded().parts(msgspec.json.encode(self.sum), 10 + number):
                self.write(part)
                if part.part < number % 4 and part.part + 1 < part.parts:
                    self.act("commit" if number % 8 < 4 else "intend", number)
            self.purged_before = first
        elif action == "unfinished snapshot":
            for part in self.folded().parts(b"-1", 10 + number)[:-1]:
                self.write(part)


def sum_of(journal: Journal) -> int:
    """What the service makes of its journal."""
    applied: Sequence[int] = [msgspec.json.decode(change.data) for change in journal.changes if change.kind == "result"]
    return sum(applied, msgspec.json.decode(journal.snapshot or b"0"))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["takeover", "intend", "commit", "ghost", "snapshot", "unfinished snapshot"]),
            st.integers(0, 200),
        ),
        max_size=40,
    ),
    st.integers(0, 100),
)
def test_every_reader_comes_to_the_same(actions: list[tuple[str, int]], reading_percent: int) -> None:
    """Whether it reads all, only what a purge has left, or was away while that was purged; ghosts change nothing."""
    holders = Holders()
    for action, number in actions:
        holders.act(action, number)
    whole = holders.folded()
    assert sum_of(whole) == holders.sum
    assert list(whole.outcomes) == holders.results
    assert list(whole.intents) == holders.open
    after_purge = holders.folded(after=holders.purged_before - 1)
    read_before = holders.sequence * reading_percent // 100
    was_away = holders.folded(until=read_before)
    for entry, sequence in holders.entries:
        if sequence >= holders.purged_before:
            was_away.take(entry, sequence)
    assert holdings(after_purge) == holdings(was_away) == holdings(whole)


# Speed


def encoded(entries: int) -> list[tuple[bytes, int]]:
    """A begin, then intents and results in turn."""
    stored = [(encode_begin(Begin("a-1", "i", "t")), 101)]
    for n in range(1, entries):
        record = result(f"{n - 1:032x}") if n % 2 == 0 else intent(f"{n:032x}")
        stored.append((encode_entry(100, n, [record]), 101 + n))
    return stored


@pytest.mark.parametrize(("keys", "entries", "limit_s"), [(1000, 10, 0.1), (1, 10_000, 0.2)])
def test_a_takeover_does_not_wait_for_the_fold(keys: int, entries: int, limit_s: float) -> None:
    """26 and 31 ms on a quiet 2-core machine, decoding included; the best of three, in CPU time."""
    stored = encoded(entries)

    def fold() -> float:
        began = time.thread_time()
        for _ in range(keys):
            journal = Journal()
            for payload, sequence in stored:
                journal.take(decode_entry(payload), sequence)
            assert journal.n == entries - 1
        return time.thread_time() - began

    assert min(fold() for _ in range(3)) < limit_s


def test_what_a_journal_holds_costs_the_garbage_collector_nothing() -> None:
    """With tuples in their place, a full collection of an instance with 40,000 changes took 40 ms of its processor."""
    journal, entries = Journal(), [(BEGIN, 2), *((Entry(1, n, (result(f"k{n}"),)), n + 2) for n in range(1, 1_001))]
    gc.collect()
    before = len(gc.get_objects())
    for entry, sequence in entries:
        journal.take(entry, sequence)
    assert len(journal.changes) == len(journal.outcomes) == 1_000
    assert len(gc.get_objects()) - before < 100
