"""Claims of keys over every transport: one of two, whole batches, and what is not known."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from aegis_sdk.election_events import Claim
from aegis_sdk.errors import (
    DeadlineExceeded,
    EpochEnded,
    LedgerUnavailable,
    StreamError,
)
from aegis_sdk.ledger import Journal, JournalRead, Ledger
from aegis_sdk.ledger.records import (
    Begin,
    Entry,
    Lease,
    LeaseState,
)
from aegis_sdk.messages import Headers
from aegis_sdk.transport import Transport

from .ledgers import TIMEOUT_S, claim, claimed, contents
from .network import Network
from .stored import take


@pytest.fixture
async def ledger(transport: Transport, name: str) -> Ledger:
    """Of a service that no other test has."""
    return await Ledger.open(transport, name)


async def test_an_epoch_is_the_sequence_of_its_lease_and_its_begin_lies_behind(
    transport: Transport, ledger: Ledger
) -> None:
    epoch = await claimed(ledger)
    assert await contents(transport, ledger) == [("lease", epoch), ("journal", epoch + 1)]
    found = await ledger.lease("k")
    assert found == (Lease(LeaseState.ACTIVE, "a-1", "i", "t", proof_ms=75), epoch)
    async with ledger.journals(ledger.shard("k"), "k") as journal:
        assert await take(journal, 1) == [JournalRead("k", Entry(0, 0, (Begin("a-1", "i", "t"),)), epoch + 1)]


async def test_a_key_that_nobody_claimed_has_no_lease(ledger: Ledger) -> None:
    assert await ledger.lease("k") is None


async def test_a_lease_says_how_long_its_proofs_hold_and_for_how_long_the_holder_before_was_silent(
    ledger: Ledger,
) -> None:
    await ledger.claim([Claim("k", 0, 412, 75)], holder="a-1", incarnation="i", attempt="t", timeout=TIMEOUT_S)
    found = await ledger.lease("k")
    assert found is not None
    assert (found[0].gap_ms, found[0].proof_ms) == (412, 75)


async def test_many_keys_are_claimed_at_once_each_with_an_epoch_of_its_own(
    transport: Transport, ledger: Ledger
) -> None:
    """More than one batch takes."""
    keys = [f"k{number}" for number in range(450)]
    epochs = await claim(ledger, dict.fromkeys(keys, 0))
    assert set(epochs) == set(keys)
    async with ledger.leases(0) as leases:
        read = [lease for lease in await take(leases, 451) if lease is not None]
    assert {lease.key: lease.sequence for lease in read} == epochs
    async with ledger.journals(0) as journals:
        begins = [begin for begin in await take(journals, 451) if begin is not None]
    assert {begin.key: begin.sequence - 1 for begin in begins} == epochs
    journal = Journal()
    journal.take(begins[-1].entry, begins[-1].sequence)
    assert journal.epoch == epochs[begins[-1].key]


async def test_nothing_to_claim_is_nothing_claimed(ledger: Ledger) -> None:
    assert await claim(ledger, {}) == {}


async def test_a_claim_that_expects_an_older_lease_is_refused(transport: Transport, ledger: Ledger) -> None:
    first = await claimed(ledger)
    second = await claimed(ledger, expected=first, holder="a-2")
    held = await contents(transport, ledger)
    for expected in (0, first, second + 1):
        outcome = (await claim(ledger, {"k": expected}, holder="a-3"))["k"]
        assert isinstance(outcome, EpochEnded)
        assert (outcome.key, outcome.epoch) == ("k", expected)
    assert await contents(transport, ledger) == held


async def test_of_two_claims_at_a_time_one_is_stored(transport: Transport, other: Transport, name: str) -> None:
    ours, theirs = await Ledger.open(transport, name), await Ledger.open(other, name)
    keys = dict.fromkeys([f"k{number}" for number in range(20)], 0)
    one, two = await asyncio.gather(claim(ours, keys, holder="a-1"), claim(theirs, keys, holder="a-2"))
    for key in keys:
        stored_ones = [outcomes[key] for outcomes in (one, two) if isinstance(outcomes[key], int)]
        found = await ours.lease(key)
        assert found is not None
        assert stored_ones == [found[1]]


async def test_where_one_key_of_a_batch_is_refused_the_others_are_claimed(ledger: Ledger) -> None:
    first = await claimed(ledger, "taken")
    outcomes = await claim(ledger, {"free1": 0, "taken": 0, "free2": 0}, holder="a-2")
    assert isinstance(outcomes["taken"], EpochEnded)
    for key in ("free1", "free2"):
        found = await ledger.lease(key)
        assert found is not None
        assert (found[0].holder, found[1]) == ("a-2", outcomes[key])
    found = await ledger.lease("taken")
    assert found is not None
    assert found[1] == first


class Meddled:
    """A transport whose batches are meddled with; all else goes to the one it has."""

    def __init__(self, transport: Transport, meddle: Callable[[Callable[[], Awaitable[int]]], Awaitable[int]]) -> None:
        self._transport = transport
        self._meddle = meddle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    async def append_batch(self, messages: Sequence[tuple[str, bytes, Headers]], timeout: float = 5.0) -> int:
        return await self._meddle(lambda: self._transport.append_batch(messages, timeout))


def meddled(ledger: Ledger, transport: Transport, meddle: Callable[..., Awaitable[int]]) -> Ledger:
    return Ledger(cast("Transport", Meddled(transport, meddle)), ledger.service, ledger.shards)


@pytest.mark.parametrize("code", [10164, 10210])
async def test_a_claim_that_meets_a_write_in_flight_is_made_again(
    transport: Transport, ledger: Ledger, code: int
) -> None:
    refusals = iter(range(3))

    async def refuse_some(append: Callable[[], Awaitable[int]]) -> int:
        if next(refusals, None) is not None:
            raise StreamError("in flight", code)
        return await append()

    epoch = await claimed(meddled(ledger, transport, refuse_some))
    assert await contents(transport, ledger) == [("lease", epoch), ("journal", epoch + 1)]


async def test_a_claim_that_meets_nothing_but_writes_in_flight_is_given_up(
    transport: Transport, ledger: Ledger
) -> None:
    tries = 0

    async def refuse(append: Callable[[], Awaitable[int]]) -> int:
        nonlocal tries
        tries += 1
        raise StreamError("in flight", 10164)

    outcomes = await claim(meddled(ledger, transport, refuse), {"k1": 0, "k2": 0})
    assert {type(outcome) for outcome in outcomes.values()} == {LedgerUnavailable}
    assert tries == 60  # of the batch, then of each key


async def test_a_claim_whose_answer_is_lost_is_known_by_its_attempt(transport: Transport, ledger: Ledger) -> None:
    """It is not made again key by key: it may be stored, and is here."""

    async def lose_the_answer(append: Callable[[], Awaitable[int]]) -> int:
        await append()
        raise DeadlineExceeded("no answer")

    outcomes = await claim(meddled(ledger, transport, lose_the_answer), {"k1": 0, "k2": 0}, attempt="ours")
    for key in ("k1", "k2"):
        outcome = outcomes[key]
        assert isinstance(outcome, LedgerUnavailable)
        assert outcome.key == key
        found = await ledger.lease(key)
        assert found is not None
        assert found[0].attempt == "ours"
        assert len(await contents(transport, ledger, key)) == 2


async def test_claims_without_a_connection_end_with_their_time(network: Network, ledger: Ledger) -> None:
    await network.stop()
    async with asyncio.timeout(TIMEOUT_S):
        outcomes = await ledger.claim([Claim("k", 0, 0, 75)], holder="a-1", incarnation="i", attempt="t", timeout=0.2)
    assert isinstance(outcomes["k"], LedgerUnavailable)


@pytest.mark.parametrize(("number", "batches"), [(5, 0), (6, 1)])
async def test_a_few_proofs_of_one_moment_are_no_batch(
    transport: Transport, ledger: Ledger, number: int, batches: int
) -> None:
    """A server makes files for each batch, whatever it holds."""
    made = 0

    async def count(append: Callable[[], Awaitable[int]]) -> int:
        nonlocal made
        made += 1
        return await append()

    counted = meddled(ledger, transport, count)
    held = [counted.epoch(f"k{each}", await claimed(counted, f"k{each}")) for each in range(number)]
    made = 0
    proofs = await asyncio.gather(*(each.prove(TIMEOUT_S) for each in held))
    assert made == batches
    for each, proof in zip(held, proofs, strict=True):
        assert (await contents(transport, ledger, each.key))[-1] == ("proof", proof)


async def test_at_most_sixteen_batches_are_in_flight_of_claims_and_proofs_together(
    transport: Transport, ledger: Ledger
) -> None:
    in_flight = most = 0
    full, open_ = asyncio.Event(), asyncio.Event()
    open_.set()

    async def count(append: Callable[[], Awaitable[int]]) -> int:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        if in_flight == 16:
            full.set()
        try:
            await open_.wait()
            return await append()
        finally:
            in_flight -= 1

    counted = meddled(ledger, transport, count)
    await claimed(counted, "taken")
    held = [counted.epoch(f"held{each}", await claimed(counted, f"held{each}")) for each in range(8)]
    keys = [*(f"k{number}" for number in range(60)), "taken"]  # all are refused at first, and each goes alone then
    claiming = asyncio.create_task(claim(counted, dict.fromkeys(keys, 0)))
    async with asyncio.timeout(TIMEOUT_S):
        await full.wait()
        open_.clear()
        proofs = [each.prove(TIMEOUT_S) for each in held]
        for _ in range(10):  # turns in which they would be sent
            await asyncio.sleep(0)
        open_.set()
        outcomes = await claiming
        await asyncio.gather(*proofs)
    assert sum(isinstance(outcome, int) for outcome in outcomes.values()) == 60
    assert most == 16
