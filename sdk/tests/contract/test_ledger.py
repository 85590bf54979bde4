"""The ledger over every transport: who may write, and what readers see.

Each way to write is tried with an epoch that has ended: it is the server that must refuse it. Claims:
test_ledger_claims.py.
"""

from collections.abc import Awaitable, Callable

import pytest

from aegis_sdk import subjects
from aegis_sdk.election_events import LeaseRead
from aegis_sdk.errors import (
    ConfigurationError,
    ConnectionUnavailable,
    DeadlineExceeded,
    EpochEnded,
    LedgerUnavailable,
    StreamError,
    Unavailable,
)
from aegis_sdk.ledger import Fate, HeldEpoch, Journal, JournalRead, Ledger, classify
from aegis_sdk.ledger.records import (
    Lease,
    LeaseState,
    decode_entry,
    encode_entry,
)
from aegis_sdk.messages import EXPECTED_SEQUENCE, EXPECTED_SUBJECT
from aegis_sdk.transport import Transport

from .ledgers import TIMEOUT_S, VACANT, an_entry, claim, claimed, contents, folded
from .network import Network
from .stored import take


@pytest.fixture
async def ledger(transport: Transport, name: str) -> Ledger:
    """Of a service that no other test has."""
    return await Ledger.open(transport, name)


# Guarded writes

Write = Callable[[HeldEpoch], Awaitable[int]]


async def commit(held: HeldEpoch) -> int:
    return await held.commit(an_entry(held.epoch), TIMEOUT_S)


async def prove(held: HeldEpoch) -> int:
    return await held.prove(TIMEOUT_S)


async def end(held: HeldEpoch) -> int:
    return await held.end(VACANT, TIMEOUT_S)


WRITES = {"journal": commit, "proof": prove, "lease": end}


@pytest.mark.parametrize("part", WRITES)
async def test_a_holder_may_write(transport: Transport, ledger: Ledger, part: str) -> None:
    held = ledger.epoch("k", await claimed(ledger))
    sequence = await WRITES[part](held)
    assert (await contents(transport, ledger))[-1] == (part, sequence)


async def _superseded(ledger: Ledger, epoch: int) -> None:
    await claimed(ledger, expected=epoch, holder="a-2")


async def _handed_over(ledger: Ledger, epoch: int) -> None:
    lease = Lease(LeaseState.HANDOVER, "a-1", "i", successor="a-2")
    await ledger.epoch("k", epoch).end(lease, TIMEOUT_S)


async def _given_back(ledger: Ledger, epoch: int) -> None:
    await ledger.epoch("k", epoch).end(VACANT, TIMEOUT_S)


@pytest.mark.parametrize("ending", [_superseded, _handed_over, _given_back])
@pytest.mark.parametrize("part", WRITES)
async def test_a_write_of_an_epoch_that_has_ended_is_refused(
    transport: Transport, ledger: Ledger, part: str, ending: Callable[[Ledger, int], Awaitable[None]]
) -> None:
    held = ledger.epoch("k", await claimed(ledger))
    await ending(ledger, held.epoch)
    before = await contents(transport, ledger)
    with pytest.raises((StreamError, EpochEnded)) as caught:
        await WRITES[part](held)
    assert isinstance(caught.value, EpochEnded) or classify(caught.value) is Fate.ENDED
    assert await contents(transport, ledger) == before


@pytest.mark.parametrize("part", WRITES)
async def test_a_write_of_an_epoch_that_never_was_is_refused(transport: Transport, ledger: Ledger, part: str) -> None:
    epoch = await claimed(ledger, "another")
    with pytest.raises((StreamError, EpochEnded)):
        await WRITES[part](ledger.epoch("k", epoch))
    assert await contents(transport, ledger) == []


async def test_zero_is_no_epoch(ledger: Ledger) -> None:
    """As a guard it would hold for a key that has no lease."""
    with pytest.raises(ValueError, match="0 is no epoch"):
        ledger.epoch("k", 0)


async def test_a_pattern_is_no_key(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="no key"):
        ledger.epoch("*", 1)
    with pytest.raises(ConfigurationError, match="no key"):
        await claim(ledger, {"*": 0})


async def test_one_proof_is_kept_of_a_key(transport: Transport, ledger: Ledger) -> None:
    held = ledger.epoch("k", await claimed(ledger))
    await commit(held)
    last = max([await held.prove(TIMEOUT_S) for _ in range(3)])
    assert await contents(transport, ledger) == [
        ("lease", held.epoch), ("journal", held.epoch + 1), ("journal", held.epoch + 2), ("proof", last)
    ]  # fmt: skip


@pytest.mark.parametrize("number", [1, 9])
async def test_of_proofs_of_one_moment_the_stale_one_is_refused_and_the_others_stored(
    transport: Transport, ledger: Ledger, number: int
) -> None:
    """Few go alone, many in one batch."""
    stale, *fresh = [ledger.epoch(f"k{each}", await claimed(ledger, f"k{each}")) for each in range(number + 1)]
    await claimed(ledger, "k0", expected=stale.epoch, holder="a-2")
    before = await contents(transport, ledger, "k0")
    refused, *stored = [held.prove(TIMEOUT_S) for held in (stale, *fresh)]  # in one turn of the loop
    with pytest.raises(StreamError) as caught:
        await refused
    assert (caught.value.code, classify(caught.value)) == (10071, Fate.ENDED)
    for held, proof in zip(fresh, stored, strict=True):
        assert (await contents(transport, ledger, held.key))[-1] == ("proof", await proof)
    assert await contents(transport, ledger, "k0") == before


async def test_an_epoch_is_not_ended_by_the_begin_of_another(ledger: Ledger) -> None:
    held = ledger.epoch("k", await claimed(ledger))
    with pytest.raises(ValueError, match="ACTIVE"):
        await held.end(Lease(LeaseState.ACTIVE, "a-1", "i"), TIMEOUT_S)


async def test_an_epoch_whose_end_was_not_heard_of_has_ended(ledger: Ledger) -> None:
    """The answer to the first try was lost; the second one tells."""
    held = ledger.epoch("k", await claimed(ledger))
    await held.end(VACANT, TIMEOUT_S)
    with pytest.raises(EpochEnded) as caught:
        await held.end(VACANT, TIMEOUT_S)
    assert (caught.value.key, caught.value.epoch) == ("k", held.epoch)


async def test_the_end_of_an_epoch_without_a_connection_is_unknown(network: Network, ledger: Ledger) -> None:
    held = ledger.epoch("k", await claimed(ledger))
    await network.stop()
    with pytest.raises(LedgerUnavailable, match="k has no known outcome"):
        await held.end(VACANT, 0.2)


async def test_a_write_is_sent_before_it_returns_and_fails_as_its_future(network: Network, ledger: Ledger) -> None:
    held = ledger.epoch("k", await claimed(ledger))
    await network.stop()
    for write in (held.commit(an_entry(held.epoch), 0.2), held.prove(0.2)):
        with pytest.raises((ConnectionUnavailable, DeadlineExceeded)) as caught:
            await write
        assert classify(caught.value) is Fate.UNKNOWN


async def test_the_key_goes_on_in_the_next_epoch(ledger: Ledger) -> None:
    first = ledger.epoch("k", await claimed(ledger))
    await first.commit(an_entry(first.epoch, 1, "call-1"), TIMEOUT_S)
    ended_at = await end(first)
    second = ledger.epoch("k", await claimed(ledger, expected=ended_at, holder="a-2"))
    assert second.epoch > first.epoch
    last = await second.commit(an_entry(second.epoch, 1, "call-2"), TIMEOUT_S)
    journal = await folded(ledger, "k")
    assert [change.idempotency_key for change in journal.changes] == ["call-1", "call-2"]
    assert (journal.epoch, journal.n, journal.sequence) == (second.epoch, 1, last)


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (StreamError("wrong last sequence: 5", 10071), Fate.ENDED),
        (StreamError("in flight", 10164), Fate.AGAIN),
        (StreamError("too many batches", 10210), Fate.AGAIN),
        (StreamError("insufficient storage", 10047), Fate.UNKNOWN),
        (StreamError("refused"), Fate.UNKNOWN),
        (Unavailable(), Fate.UNKNOWN),
        (DeadlineExceeded(), Fate.UNKNOWN),
        (ConnectionUnavailable(), Fate.UNKNOWN),
        (TimeoutError(), Fate.UNKNOWN),
    ],
)
def test_only_one_refusal_ends_an_epoch(error: Exception, fate: Fate) -> None:
    assert classify(error) is fate


async def test_the_guard_is_written_as_the_server_reads_it(transport: Transport, ledger: Ledger) -> None:
    """Header names in another case would be stored, and not looked at: without a guard, silently."""
    held = ledger.epoch("k", await claimed(ledger))
    await commit(held)
    await prove(held)
    shard = ledger.shard("k")
    lease = subjects.ledger(shard, ledger.service, "k", "lease")
    for part in ("journal", "proof"):
        message = await transport.last(f"LEDGER_{shard}", subjects.ledger(shard, ledger.service, "k", part))
        assert message is not None
        assert message.headers[EXPECTED_SEQUENCE] == str(held.epoch)
        assert message.headers[EXPECTED_SUBJECT] == lease
    assert EXPECTED_SEQUENCE == "Nats-Expected-Last-Subject-Sequence"
    assert EXPECTED_SUBJECT == "Nats-Expected-Last-Subject-Sequence-Subject"


# Reading


async def test_leases_are_read_as_they_are_then_as_they_come(ledger: Ledger) -> None:
    first = await claimed(ledger)
    second = await claimed(ledger, expected=first, holder="a-2")
    async with ledger.leases(ledger.shard("k")) as leases:
        active = Lease(LeaseState.ACTIVE, "a-2", "i", "t", proof_ms=75)
        assert await take(leases, 2) == [LeaseRead("k", active, second), None]
        ended_at = await ledger.epoch("k", second).end(VACANT, TIMEOUT_S)
        assert await take(leases, 1) == [LeaseRead("k", VACANT, ended_at)]


async def test_a_service_reads_nothing_of_another(transport: Transport, ledger: Ledger, name: str) -> None:
    theirs = await Ledger.open(transport, f"{name}-other")
    await claimed(theirs)
    async with ledger.leases(ledger.shard("k")) as leases:
        assert await take(leases, 1) == [None]
        epoch = await claimed(ledger)
        assert (await take(leases, 1))[0].sequence == epoch
    async with ledger.journals(ledger.shard("k")) as journals:
        assert [read and read.sequence for read in await take(journals, 2)] == [epoch + 1, None]


async def test_a_journal_is_read_from_where_it_was_left(ledger: Ledger) -> None:
    held = ledger.epoch("k", await claimed(ledger))
    sequences = [await held.commit(an_entry(held.epoch, n), TIMEOUT_S) for n in range(1, 4)]
    async with ledger.journals(ledger.shard("k"), "k", after=sequences[0]) as entries:
        read = await take(entries, 3)
        assert [entry and entry.sequence for entry in read] == [*sequences[1:], None]
        last = await held.commit(an_entry(held.epoch, 4), TIMEOUT_S)
        assert await take(entries, 1) == [JournalRead("k", decode_entry(an_entry(held.epoch, 4)), last)]


async def test_what_is_no_record_is_left_out_and_logged(
    transport: Transport, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    held = ledger.epoch("k", await claimed(ledger))
    shard = ledger.shard("k")
    await held.commit(b"garbage", TIMEOUT_S)
    last = await commit(held)
    await transport.append(subjects.ledger(shard, ledger.service, "k2", "lease"), b"garbage")
    async with ledger.journals(shard) as entries, ledger.leases(shard) as leases:
        assert [read and read.sequence for read in await take(entries, 3)] == [held.epoch + 1, last, None]
        assert [read and read.sequence for read in await take(leases, 2)] == [held.epoch, None]
    assert capsys.readouterr().out.count("ledger_unreadable") == 2


# Compaction


async def snapshot(ledger: Ledger, held: HeldEpoch, journal: Journal, state: bytes) -> None:
    for part in journal.parts(state, 100):
        await held.commit(encode_entry(held.epoch, journal.n + 1 + part.part, [part]), TIMEOUT_S)


async def test_what_lies_below_a_snapshot_may_be_purged(transport: Transport, ledger: Ledger) -> None:
    held = ledger.epoch("k", await claimed(ledger))
    other = ledger.epoch("other", await claimed(ledger, "other"))
    await commit(other)
    for n in range(1, 11):
        await held.commit(an_entry(held.epoch, n), TIMEOUT_S)
    await held.prove(TIMEOUT_S)
    await snapshot(ledger, held, await folded(ledger, "k"), b"10")
    whole = await folded(ledger, "k")
    assert await ledger.compact("k", whole.snapshot_sequence) == 11  # the begin, and ten entries
    compacted = await folded(ledger, "k")
    assert (compacted.snapshot, compacted.epoch, compacted.n) == (b"10", held.epoch, whole.n)
    assert list(compacted.outcomes.items()) == list(whole.outcomes.items())
    await held.commit(an_entry(held.epoch, whole.n + 1, "after"), TIMEOUT_S)
    assert [change.idempotency_key for change in (await folded(ledger, "k")).changes] == ["after"]
    kept = [part for part, _ in await contents(transport, ledger)]
    assert kept.count("lease") == kept.count("proof") == 1
    assert len(await contents(transport, ledger, "other")) == 3
