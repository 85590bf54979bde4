"""What a snapshot of a journal stands for, and what is none."""

from collections.abc import Callable

import pytest

from aegis_sdk.ledger.journal import Contradiction, Journal
from aegis_sdk.ledger.records import (
    Entry,
    Part,
    encode_entry,
)

from .stored_journal import BEGIN, Stored, holdings, intent, result


@pytest.fixture
def stored() -> Stored:
    """With an epoch begun: 1, its begin at 2."""
    made = Stored()
    made.begin()
    return made


def write_snapshot(stored: Stored, state: bytes, limit_bytes: int = 8) -> int:
    """A snapshot of all until now, in several parts; the sequence of its first."""
    parts = stored.folded().parts(state, limit_bytes)
    assert len(parts) > 1
    first = stored.sequence + 1
    for part in parts:
        stored.write(part)
    return first


def test_a_snapshot_stands_for_all_before_it(stored: Stored) -> None:
    stored.write(intent("k1"), intent("k2"))
    stored.write(result("k1"))
    before = stored.folded()
    first = write_snapshot(stored, b'{"sum":1}')
    stored.write(result("k3"))
    whole = stored.folded()
    assert (whole.snapshot, whole.snapshot_sequence) == (b'{"sum":1}', first)
    assert [change.idempotency_key for change in whole.changes] == ["k3"]
    assert whole.intents == before.intents
    assert list(whole.outcomes) == ["k1", "k3"]
    assert holdings(stored.folded(after=first - 1)) == holdings(whole)


def test_no_part_is_larger_than_asked_for(stored: Stored) -> None:
    for number in range(20):
        stored.write(result(f"k{number}", reply=b'"%s"' % (b"x" * 50)))
    parts = stored.folded().parts(b"1", 100)
    assert [len(part.data) for part in parts[:-1]] == [100] * (len(parts) - 1)
    assert {part.parts for part in parts} == {len(parts)}
    assert len(stored.folded().parts(b"1")) == 1


def test_a_snapshot_in_parts_of_the_default_size_fits_a_message() -> None:
    parts = Journal().parts(bytes(2_000_000))
    assert len(parts) == 4
    assert max(len(encode_entry(2**40, 10**6, [part])) for part in parts) < 1_000_000


def test_an_incomplete_snapshot_counts_for_nothing(stored: Stored) -> None:
    stored.write(result("k1"))
    first_part = stored.folded().parts(b"1", 8)[0]
    stored.write(first_part)
    stored.begin()
    stored.write(first_part)
    stored.write(result("k2"))
    journal = stored.folded()
    assert (journal.snapshot, journal.snapshot_sequence) == (None, 0)
    assert [change.idempotency_key for change in journal.changes] == ["k1", "k2"]


def _second_first(parts: list[Part]) -> list[Part]:
    return [parts[0], parts[2], parts[1], *parts[3:]]


def _without_the_first(parts: list[Part]) -> list[Part]:
    return parts[1:]


def _with_a_piece_of_another(parts: list[Part]) -> list[Part]:
    return [*parts[:-1], Part(parts[-1].part, parts[-1].parts + 1, parts[-1].data)]


@pytest.mark.parametrize("garbled", [_second_first, _without_the_first, _with_a_piece_of_another])
def test_parts_that_do_not_follow_each_other_are_no_snapshot(
    stored: Stored, garbled: Callable[[list[Part]], list[Part]]
) -> None:
    stored.write(result("k1"))
    for part in garbled(stored.folded().parts(b"1", 8)):
        stored.write(part)
    journal = stored.folded()
    assert (journal.snapshot, len(journal.changes)) == (None, 1)


def test_what_lies_between_two_parts_counts_behind_the_snapshot(stored: Stored) -> None:
    """For who has read all, and for who leaps to the first part; neither has any of it twice."""
    stored.write(intent("k1"))
    first, *others = stored.folded().parts(b"1", 8)
    stored.write(first)
    begun = stored.sequence
    stored.write(result("k1"), intent("k2"))
    for part in others:
        stored.write(part)
        stored.write(result("", b"3"))
    whole, leapt = stored.folded(), stored.folded(after=begun - 1)
    assert (whole.snapshot, whole.snapshot_sequence) == (b"1", begun)
    assert [change.idempotency_key for change in whole.changes] == ["k1", "k2", *len(others) * [""]]
    assert (list(whole.outcomes), list(whole.intents)) == (["k1"], ["k2"])
    assert holdings(leapt) == holdings(whole)
    assert leapt.leaps == 1


def test_a_snapshot_does_not_reach_over_the_end_of_its_epoch(stored: Stored) -> None:
    """The next holder has taken over without it."""
    stored.write(result("k1"))
    first, second = stored.folded().parts(b"1", 12)
    stored.write(first)
    stored.begin()
    stored.write(second)
    assert stored.folded().snapshot is None


def test_a_part_that_landed_twice_does_not_end_the_snapshot(stored: Stored) -> None:
    stored.write(result("k1"))
    for part in stored.folded().parts(b"1", 8):
        stored.write(part)
        stored.put(stored.entries[-1][0])
    assert stored.folded().snapshot == b"1"


def test_a_complete_snapshot_that_makes_no_sense_is_a_contradiction(stored: Stored) -> None:
    stored.write(Part(0, 1, b"garbage"))
    with pytest.raises(Contradiction, match="the snapshot at sequence 3 cannot be read"):
        stored.folded()


def test_a_reader_that_was_away_leaps_to_the_snapshot(stored: Stored) -> None:
    """What it had not read is purged; those who apply changes as they come are told to start again."""
    stored.write(result("k1"))
    away = stored.folded()
    stored.write(result("k2"))
    stored.begin()
    first = write_snapshot(stored, b'"all"')
    stored.write(result("k3"))
    for entry, sequence in stored.entries:
        if sequence >= first:
            away.take(entry, sequence)
    assert holdings(away) == holdings(stored.folded())
    assert away.leaps == 1


def test_a_snapshot_of_what_was_read_is_no_leap(stored: Stored) -> None:
    stored.write(result("k1"))
    write_snapshot(stored, b"1")
    assert stored.folded().leaps == 0


def test_a_leap_needs_a_complete_snapshot(stored: Stored) -> None:
    stored.write(result("k1"))
    parts = stored.folded().parts(b"1", 8)
    journal = Journal()
    journal.take(Entry(1, 2, (parts[0],)), 4)
    journal.take(Entry(1, 3, (parts[2],)), 5)
    with pytest.raises(Contradiction, match="what lies before sequence 6 is gone"):
        journal.take(Entry(1, 4, (result("k2"),)), 6)
    journal = Journal()
    journal.take(Entry(1, 2, (parts[0],)), 4)
    assert not journal.take(Entry(1, 3, (result("k2"),)), 5)
    with pytest.raises(Contradiction, match="is gone"):
        journal.take(BEGIN, 7)
    with pytest.raises(Contradiction, match="n 3 of epoch 1"):
        Journal().take(Entry(1, 3, (parts[1],)), 5)


def test_a_leap_may_land_on_a_later_snapshot(stored: Stored) -> None:
    """The one it landed on first was purged while it was read."""
    stored.write(result("k1"))
    first = write_snapshot(stored, b"1")
    journal = stored.folded(after=first - 1, until=first)
    journal.take(Entry(stored.epoch, stored.entries[first - 3][0].n + 1, (result("k0"),)), first + 1)
    stored.write(result("k2"))
    later = write_snapshot(stored, b"2")
    for entry, sequence in stored.entries:
        if sequence >= later:
            journal.take(entry, sequence)
    assert holdings(journal) == holdings(stored.folded())


def test_a_copy_keeps_the_changes_that_only_the_service_can_apply(stored: Stored) -> None:
    stored.write(result("k1"))
    write_snapshot(stored, b'"one"')
    stored.write(intent("k2"))
    stored.write(result("k3"))
    original = stored.folded()
    copy = Journal()
    for n, part in enumerate(original.copy(8), start=1):
        copy.take(Entry(original.epoch, n, (part,)), 1000 + n)
    assert copy.snapshot == b'"one"'
    assert copy.changes == original.changes
    assert (copy.outcomes, copy.intents) == (original.outcomes, original.intents)
    assert (copy.epoch, copy.leaps) == (original.epoch, 1)


def test_a_change_that_no_call_has_asked_for_is_a_change_without_an_outcome(stored: Stored) -> None:
    """There may be as many as the service likes."""
    stored.write(result("", b"1"))
    stored.write(result("", b"2"), result("k", b"3"))
    journal = stored.folded()
    assert [(change.idempotency_key, change.data) for change in journal.changes] == [
        ("", b"1"),
        ("", b"2"),
        ("k", b"3"),
    ]
    assert list(journal.outcomes) == ["k"]


def test_a_fork_goes_its_own_way(stored: Stored) -> None:
    stored.write(intent("k1"))
    stored.write(result("k2"))
    original = stored.folded()
    before = holdings(original)
    fork = original.fork()
    assert holdings(fork) == before
    fork.take(Entry(1, 3, (result("k1"), intent("k3"))), 5)
    assert holdings(original) == before
    assert (list(fork.outcomes), list(fork.intents), len(fork.changes)) == (["k2", "k1"], ["k3"], 4)
