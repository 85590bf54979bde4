"""A ledger made anew from an older copy: nothing is lost that the copy has, and no epoch is given out twice."""

import msgspec
import pytest

from aegis_sdk.election_events import Claim
from aegis_sdk.errors import ConfigurationError, StreamError
from aegis_sdk.ledger import Contradiction, Fate, HeldEpoch, Journal, Ledger, classify, restore
from aegis_sdk.ledger.records import Intent, Lease, LeaseState, Record, Result, Verdict, encode_entry
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

ABOVE = 10_000
TIMEOUT_S = 1


@pytest.fixture
async def copy() -> MemoryTransport:
    return MemoryTransport(MemoryBroker())


@pytest.fixture
async def target() -> MemoryTransport:
    return MemoryTransport(MemoryBroker())


async def claimed(ledger: Ledger, key: str, expected: int = 0) -> HeldEpoch:
    outcome = await ledger.claim(
        [Claim(key, expected, 0, 75)], holder="a-1", incarnation="i", attempt="t", timeout=TIMEOUT_S
    )
    epoch = outcome[key]
    assert isinstance(epoch, int)
    return ledger.epoch(key, epoch)


async def commit(held: HeldEpoch, n: int, *records: Record) -> None:
    await held.commit(encode_entry(held.epoch, n, records), TIMEOUT_S)


def result(key: str) -> Result:
    return Result(key, Verdict.OK, msgspec.Raw(b"1"))


async def folded(ledger: Ledger, key: str) -> Journal:
    journal = Journal()
    async with ledger.journals(ledger.shard(key), key) as entries:
        async for read in entries:
            if read is None:
                break
            journal.take(read.entry, read.sequence)
    return journal


async def test_every_journal_is_there_and_every_key_is_free(copy: MemoryTransport, target: MemoryTransport) -> None:
    """Also where the new ledger has more shards, and whatever lies behind the last snapshot."""
    before: dict[tuple[str, str], Journal] = {}
    for service in ("accounts", "orders"):
        old = await Ledger.open(copy, service)
        for number in range(8):
            held = await claimed(old, f"k{number}")
            await commit(held, 1, Intent("call-1", "deposit"))
            await commit(held, 2, (await folded(old, held.key)).parts(b'"state"')[0])
            ended_at = await held.end(Lease(LeaseState.VACANT, "a-1", "i"), TIMEOUT_S)
            held = await claimed(old, held.key, ended_at)
            await commit(held, 1, result("call-2"))
            before[service, held.key] = await folded(old, held.key)
    assert await restore(copy, target, above=ABOVE, replicas=3) == 16
    for (service, key), old_journal in before.items():
        ledger = await Ledger.open(target, service)
        assert ledger.shards == 3
        journal = await folded(ledger, key)
        assert (journal.snapshot, journal.epoch) == (b'"state"', old_journal.epoch)
        assert (journal.changes, journal.outcomes, journal.intents) == (
            old_journal.changes,
            old_journal.outcomes,
            old_journal.intents,
        )
        assert await ledger.lease(key) is None
        held = await claimed(ledger, key)
        assert held.epoch > ABOVE
        await commit(held, 1, result("call-3"))
        assert list((await folded(ledger, key)).outcomes) == ["call-2", "call-3"]


async def test_a_holder_from_before_writes_no_more(copy: MemoryTransport, target: MemoryTransport) -> None:
    """Its lease is not in the copy: the epoch that it holds must never be given out again."""
    held = await claimed(await Ledger.open(copy, "accounts"), "k")
    await restore(copy, target, above=ABOVE, replicas=1)
    ledger = await Ledger.open(target, "accounts")
    for epoch in (held.epoch, ABOVE):
        for _ in range(2):
            with pytest.raises(StreamError) as caught:
                await commit(ledger.epoch("k", epoch), 1, result("call"))
            assert classify(caught.value) is Fate.ENDED
            found = await ledger.lease("k")
            await claimed(ledger, "k", found[1] if found else 0)


async def test_epochs_must_begin_above_all_that_the_copy_has(copy: MemoryTransport, target: MemoryTransport) -> None:
    held = await claimed(await Ledger.open(copy, "accounts"), "k")
    with pytest.raises(ConfigurationError, match=f"above: {held.epoch} is below {held.epoch + 1}"):
        await restore(copy, target, above=held.epoch, replicas=1)


async def test_a_ledger_is_never_restored_in_place(copy: MemoryTransport) -> None:
    await claimed(await Ledger.open(copy, "accounts"), "k")
    with pytest.raises(ConfigurationError, match="target: has a ledger"):
        await restore(copy, copy, above=ABOVE, replicas=1)


async def test_a_copy_without_a_ledger_is_refused(copy: MemoryTransport, target: MemoryTransport) -> None:
    with pytest.raises(ConfigurationError, match="copy: has no ledger"):
        await restore(copy, target, above=ABOVE, replicas=1)


async def test_a_journal_that_nobody_can_trust_is_named(copy: MemoryTransport, target: MemoryTransport) -> None:
    held = await claimed(await Ledger.open(copy, "accounts"), "k")
    await commit(held, 1, result("call"))
    await commit(held, 2, result("call"))
    with pytest.raises(Contradiction, match="k: sequence 4 is another result for 'call'"):
        await restore(copy, target, above=ABOVE, replicas=1)


async def test_what_is_no_entry_is_left_out_and_logged(
    copy: MemoryTransport, target: MemoryTransport, capsys: pytest.CaptureFixture[str]
) -> None:
    held = await claimed(await Ledger.open(copy, "accounts"), "k")
    await held.commit(b"garbage", TIMEOUT_S)
    await commit(held, 1, result("call"))
    assert await restore(copy, target, above=ABOVE, replicas=1) == 1
    assert list((await folded(await Ledger.open(target, "accounts"), "k")).outcomes) == ["call"]
    assert "ledger_unreadable" in capsys.readouterr().out
