"""What every transport promises of atomic batches, of purging, and of a stream's first sequence."""

import asyncio
from collections.abc import Sequence

import pytest

from aegis_sdk.errors import (
    STREAM_NOT_FOUND,
    CodecError,
    ConnectionUnavailable,
    DeadlineExceeded,
    StreamError,
    Unavailable,
)
from aegis_sdk.messages import EXPECTED_SEQUENCE, EXPECTED_SUBJECT, Headers
from aegis_sdk.transport import StreamConfig, Transport

from .network import Network, interrupt
from .stored import make, payloads, stored, take

WRONG_LAST_SEQUENCE = 10071
GUARD_IN_FLIGHT = 10164
NOT_ATOMIC = 10174
INCOMPLETE = 10176
TOO_MANY_OPEN = 10210
MAX_OPEN = 50

Batch = Sequence[tuple[str, bytes, Headers]]


def plain(subject: str, count: int) -> Batch:
    return [(subject, b"%d" % i, {}) for i in range(count)]


def guard(sequence: int | str, subject: str) -> Headers:
    return {EXPECTED_SEQUENCE: str(sequence), EXPECTED_SUBJECT: subject}


async def refusal(transport: Transport, batch: Batch) -> int:
    """The code with which a batch is refused."""
    with pytest.raises(StreamError) as caught:
        await transport.append_batch(batch)
    return caught.value.code


# All or nothing


@pytest.mark.parametrize("count", [1, 2, 3, 400, 1000])
async def test_a_batch_is_stored_in_order_and_answered_with_its_last_sequence(
    transport: Transport, name: str, count: int
) -> None:
    await make(transport, name, atomic=True)
    assert await transport.append(f"{name}.before", b"") == 1
    assert await transport.append_batch(plain(f"{name}.a", count)) == 1 + count
    kept = await stored(transport, name, f"{name}.a")
    assert payloads(kept) == [b"%d" % i for i in range(count)]
    assert [message.sequence for message in kept] == list(range(2, 2 + count))


async def test_a_batch_keeps_subjects_payloads_and_headers(transport: Transport, name: str) -> None:
    await make(transport, name, atomic=True)
    assert await transport.append_batch([(f"{name}.a", b"1", {"Aegis-Epoch": "7"}), (f"{name}.b", b"2", {})]) == 2
    first, second = await stored(transport, name)
    assert (first.subject, first.payload, first.headers["Aegis-Epoch"]) == (f"{name}.a", b"1", "7")
    assert (second.subject, second.payload) == (f"{name}.b", b"2")
    assert "Aegis-Epoch" not in second.headers


async def test_concurrent_batches_do_not_mix(transport: Transport, other: Transport, name: str) -> None:
    """Messages of one batch have sequences next to each other, whatever else is stored at the same time."""
    await make(transport, name, atomic=True)
    batches = {f"{name}.batch{i}": (transport, other)[i % 2] for i in range(16)}
    outcomes = await asyncio.gather(
        *(connection.append_batch(plain(subject, 5)) for subject, connection in batches.items()),
        *(connection.append(f"{name}.single", b"") for connection in (transport, other) * 10),
    )
    for subject, last in zip(batches, outcomes[: len(batches)], strict=True):
        kept = await stored(transport, name, subject)
        assert [message.sequence for message in kept] == list(range(last - 4, last + 1))


async def test_a_batch_that_cannot_be_sent_leaves_nothing_behind(transport: Transport, name: str) -> None:
    """Neither messages nor an open batch: the server would hold one for seconds, and bear few of them."""
    await make(transport, name, atomic=True)
    for _ in range(MAX_OPEN + 1):
        with pytest.raises(CodecError):
            await transport.append_batch([*plain(f"{name}.a", 2), (f"{name}.a", bytes(2 << 20), {})])
        with pytest.raises(ValueError, match="line break"):
            await transport.append_batch([*plain(f"{name}.a", 2), (f"{name}.a", b"", {"Aegis-Epoch": "7\r\n"})])
    assert await transport.append_batch(plain(f"{name}.a", 2)) == 2


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_has_1_to_1000_messages(transport: Transport, name: str, count: int) -> None:
    await make(transport, name, atomic=True)
    with pytest.raises(ValueError, match=str(count)):
        await transport.append_batch(plain(f"{name}.a", count))
    assert await transport.last_sequence(name) == 0


async def test_a_batch_without_a_connection_is_refused_at_once(
    network: Network, transport: Transport, name: str
) -> None:
    await make(transport, name, atomic=True)
    await transport.close()
    with pytest.raises(ConnectionUnavailable):
        await transport.append_batch(plain(f"{name}.a", 2))


# Guards


@pytest.mark.parametrize("guarded", [0, 1, 2])
async def test_one_guard_that_does_not_hold_refuses_the_whole_batch(
    transport: Transport, name: str, guarded: int
) -> None:
    await make(transport, name, atomic=True)
    lease = await transport.append(f"{name}.lease", b"")
    batch = [(f"{name}.journal", b"", guard(lease + (i == guarded), f"{name}.lease")) for i in range(3)]
    assert await refusal(transport, batch) == WRONG_LAST_SEQUENCE
    assert await transport.last_sequence(name) == lease


async def test_a_guard_on_the_first_message_is_enough(transport: Transport, name: str) -> None:
    await make(transport, name, atomic=True)
    lease = await transport.append(f"{name}.lease", b"")
    for stale, refused in ((False, False), (True, True)):
        batch = [
            (f"{name}.journal", b"", guard(lease - stale, f"{name}.lease")),
            *plain(f"{name}.journal", 2),
        ]
        if refused:
            assert await refusal(transport, batch) == WRONG_LAST_SEQUENCE
        else:
            assert await transport.append_batch(batch) == 4
    assert await transport.last_sequence(name) == 4


async def test_several_messages_may_carry_the_same_guard(transport: Transport, name: str) -> None:
    await make(transport, name, atomic=True)
    lease = await transport.append(f"{name}.lease", b"")
    batch = [(f"{name}.journal", b"", guard(lease, f"{name}.lease")) for _ in range(3)]
    assert await transport.append_batch(batch) == 4


@pytest.mark.parametrize("expected", [0, 1, 2, 77])
async def test_no_guard_may_look_at_a_subject_that_the_batch_itself_has_written(
    transport: Transport, name: str, expected: int
) -> None:
    await make(transport, name, atomic=True)
    lease = await transport.append(f"{name}.lease", b"")
    for later in (
        (f"{name}.lease", b"", {EXPECTED_SEQUENCE: str(expected)}),
        (f"{name}.journal", b"", guard(expected, f"{name}.lease")),
    ):
        batch = [(f"{name}.lease", b"", {EXPECTED_SEQUENCE: str(lease)}), later]
        assert await refusal(transport, batch) == GUARD_IN_FLIGHT
    assert await transport.last_sequence(name) == lease


async def test_the_last_sequence_is_expected_of_the_first_message_only(transport: Transport, name: str) -> None:
    await make(transport, name, atomic=True)
    await transport.append(f"{name}.a", b"")
    subject = f"{name}.a"
    first = {"Nats-Expected-Last-Sequence": "1"}
    assert await refusal(transport, [(subject, b"", {}), (subject, b"", first)]) == WRONG_LAST_SEQUENCE
    second = {"Nats-Expected-Last-Sequence": "2"}
    assert await refusal(transport, [(subject, b"", {}), (subject, b"", second)]) == GUARD_IN_FLIGHT
    assert await transport.append_batch([(subject, b"", first), (subject, b"", {})]) == 3


async def test_of_many_batches_with_the_same_guard_one_is_stored(
    transport: Transport, other: Transport, name: str
) -> None:
    await make(transport, name, atomic=True)
    claim = [(f"{name}.lease", b"", {EXPECTED_SEQUENCE: "0"}), (f"{name}.journal", b"", {})]
    outcomes = await asyncio.gather(
        *(connection.append_batch(claim) for connection in (transport, other) * 8), return_exceptions=True
    )
    assert [outcome for outcome in outcomes if not isinstance(outcome, StreamError)] == [2]
    assert await transport.last_sequence(name) == 2


async def test_many_keys_are_claimed_in_one_batch(transport: Transport, name: str) -> None:
    await make(transport, name, atomic=True)
    claims = [
        message
        for key in range(333)
        for message in (
            (f"{name}.{key}.lease", b"", {EXPECTED_SEQUENCE: "0"}),
            (f"{name}.{key}.journal", b"", {}),
        )
    ]
    assert await transport.append_batch(claims) == 666
    assert await refusal(transport, claims) == WRONG_LAST_SEQUENCE
    assert await transport.last_sequence(name) == 666


@pytest.mark.parametrize("at_once", [1, 2])
async def test_a_guard_whose_name_is_not_written_exactly_guards_nothing(
    transport: Transport, name: str, at_once: int
) -> None:
    """The server stores it as any other header: who writes guards uses the constants of `messages`."""
    await make(transport, name, atomic=True)
    await transport.append(f"{name}.lease", b"")
    stale = {header.lower(): value for header, value in guard(99, f"{name}.lease").items()}
    batch = [(f"{name}.journal", b"", stale), *plain(f"{name}.journal", at_once - 1)]
    assert await transport.append_batch(batch) == 1 + at_once


@pytest.mark.parametrize(
    ("expected", "code"), [("1", 0), ("01", 0), ("-1", WRONG_LAST_SEQUENCE), ("one", WRONG_LAST_SEQUENCE), ("", 10193)]
)
async def test_a_guard_must_be_a_number(transport: Transport, name: str, expected: str, code: int) -> None:
    await make(transport, name, atomic=True)
    assert await transport.append(f"{name}.lease", b"") == 1
    for count in (1, 2):
        batch = [(f"{name}.journal", b"", guard(expected, f"{name}.lease")), *plain(f"{name}.journal", count - 1)]
        if code:
            assert await refusal(transport, batch) == code
        else:
            await transport.append_batch(batch)


async def test_a_guard_by_subject_alone_is_refused(transport: Transport, name: str) -> None:
    await make(transport, name)
    assert await refusal(transport, [(f"{name}.journal", b"", {EXPECTED_SUBJECT: f"{name}.lease"})]) == 10193


# What else is refused


async def test_a_stream_that_is_not_atomic_refuses_a_batch(transport: Transport, name: str) -> None:
    """One message is no batch: it is stored."""
    await make(transport, name)
    assert await refusal(transport, plain(f"{name}.a", 3)) == NOT_ATOMIC
    assert await transport.append_batch(plain(f"{name}.a", 1)) == 1
    await make(transport, name, atomic=True)
    assert await transport.append_batch(plain(f"{name}.a", 3)) == 4


async def test_a_batch_is_for_one_stream(transport: Transport, name: str) -> None:
    await make(transport, name, atomic=True)
    inside, outside = (f"{name}.a", b"", {}), (f"other.{name}", b"", {})
    with pytest.raises(Unavailable):
        await transport.append_batch([outside, inside, inside])
    assert await refusal(transport, [inside, outside, inside]) == INCOMPLETE
    with pytest.raises(Unavailable):
        await transport.append_batch([inside, inside, outside])
    assert await transport.last_sequence(name) == 0


async def test_a_repeated_message_id_refuses_the_batch(transport: Transport, name: str) -> None:
    """Other than with a single message, where it is no error."""
    await make(transport, name, atomic=True)
    identified = (f"{name}.a", b"", {"Nats-Msg-Id": "m1"})
    assert await refusal(transport, [identified, identified]) == 10201
    assert await transport.append_batch([identified, *plain(f"{name}.a", 1)]) == 2
    assert await refusal(transport, [*plain(f"{name}.a", 1), identified]) == 10201
    assert await transport.last_sequence(name) == 2


async def test_a_rollup_may_not_replace_what_its_own_batch_holds(transport: Transport, name: str) -> None:
    await make(transport, name, atomic=True, rollup=True)
    await transport.append(f"{name}.a", b"old")
    rollup = (f"{name}.a", b"new", {"Nats-Rollup": "sub"})
    assert await refusal(transport, [*plain(f"{name}.a", 1), rollup]) == 10111
    assert await transport.append_batch([*plain(f"{name}.b", 1), rollup, *plain(f"{name}.a", 1)]) == 4
    assert payloads(await stored(transport, name)) == [b"0", b"new", b"0"]


async def test_a_batch_that_does_not_fit_is_refused_whole(transport: Transport, name: str) -> None:
    await make(transport, name, atomic=True, max_bytes=1000, discard_new=True)
    batch = [(f"{name}.a", bytes(200), {})] * 8
    assert await refusal(transport, batch) == 10077
    assert await transport.last_sequence(name) == 0


async def test_too_many_open_batches_refuse_one_more_with_their_reason(transport: Transport, name: str) -> None:
    """What the server answers the first message is what counts: the others it finds incomplete."""
    await make(transport, name, atomic=True)
    for i in range(MAX_OPEN):
        transport.publish(f"{name}.a", b"", {"Nats-Batch-Id": f"{name}{i}", "Nats-Batch-Sequence": "1"})
    assert await refusal(transport, plain(f"{name}.a", 3)) == TOO_MANY_OPEN
    assert await transport.last_sequence(name) == 0


async def test_a_batch_without_an_answer_ends_with_its_deadline(transport: Transport, name: str) -> None:
    await transport.subscribe(f"{name}.>", lambda _: None)
    await transport.flush()
    with pytest.raises(DeadlineExceeded):
        await transport.append_batch(plain(f"{name}.a", 3), timeout=0.05)


async def test_batches_go_on_after_an_outage(network: Network, transport: Transport, name: str) -> None:
    await make(transport, name, atomic=True)
    assert await transport.append_batch(plain(f"{name}.a", 2)) == 2
    await interrupt(network, transport)
    assert await transport.append_batch(plain(f"{name}.a", 2)) == 4


# Purging


async def test_a_purge_deletes_one_subject_below_a_sequence(transport: Transport, name: str) -> None:
    await make(transport, name)
    for i in range(1, 9):
        await transport.append(f"{name}.{'ab'[i % 2]}", b"%d" % i)
    assert await transport.purge(name, f"{name}.a", 6) == 2
    assert payloads(await stored(transport, name)) == [b"1", b"3", b"5", b"6", b"7", b"8"]
    assert await transport.purge(name, f"{name}.a", 6) == 0
    assert await transport.purge(name, f"{name}.*", 8) == 5
    assert await transport.purge(name, f"{name}.none", 99) == 0
    assert payloads(await stored(transport, name)) == [b"8"]
    assert await transport.append(f"{name}.a", b"9") == 9


@pytest.mark.parametrize("before", [-1, 0, 1])
async def test_nothing_lies_below_the_first_sequence(transport: Transport, name: str, before: int) -> None:
    """The server itself takes 0 for no bound, and would delete all."""
    await make(transport, name)
    await transport.append(f"{name}.a", b"")
    assert await transport.purge(name, f"{name}.a", before) == 0
    assert len(await stored(transport, name)) == 1


async def test_purged_messages_no_longer_hold_a_guard(transport: Transport, name: str) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"")
    assert await transport.purge(name, f"{name}.a", 99) == 1
    assert await refusal(transport, [(f"{name}.a", b"", {EXPECTED_SEQUENCE: "1"})]) == WRONG_LAST_SEQUENCE
    assert await transport.append(f"{name}.a", b"", {EXPECTED_SEQUENCE: "0"}) == 2


async def test_a_stream_that_is_missing_cannot_be_purged(transport: Transport, name: str) -> None:
    with pytest.raises(StreamError) as caught:
        await transport.purge(name, f"{name}.a", 5)
    assert caught.value.code == STREAM_NOT_FOUND


# The first sequence


async def test_a_new_stream_begins_with_its_first_sequence(transport: Transport, name: str) -> None:
    await make(transport, name, atomic=True, first_sequence=1000)
    async with transport.read(name) as messages:
        assert await take(messages, 1) == [None]
        assert await transport.append(f"{name}.a", b"1", {EXPECTED_SEQUENCE: "0"}) == 1000
        assert payloads(await take(messages, 1)) == [b"1"]
    assert await transport.append_batch(plain(f"{name}.a", 2)) == 1002
    assert await transport.last_sequence(name) == 1002


async def test_the_first_sequence_of_a_stream_that_exists_is_left_alone(transport: Transport, name: str) -> None:
    await make(transport, name, first_sequence=1000)
    await transport.append(f"{name}.a", b"")
    for first_sequence in (0, 5, 1000, 5000):
        await make(transport, name, first_sequence=first_sequence)
        await make(transport, name, first_sequence=first_sequence, max_per_subject=50 + first_sequence)
    assert await transport.append(f"{name}.a", b"") == 1001
    assert len(await stored(transport, name)) == 2


async def test_a_stream_that_began_with_1_goes_on(transport: Transport, name: str) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"")
    await transport.ensure_stream(
        StreamConfig(name=name, subjects=[f"{name}.>"], storage="memory", first_sequence=1000)
    )
    assert await transport.append(f"{name}.a", b"") == 2
