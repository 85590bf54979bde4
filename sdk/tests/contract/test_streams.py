"""What every transport promises of streams: storing, reading and consuming."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from aegis_sdk.errors import ConnectionUnavailable, StreamError, Unavailable
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import ConnectionState, Delivery, StreamConfig, Transport
from aegis_sdk.transport_nats import NatsTransport
from aegis_sdk.transport_nats.streams import api

from .network import DEADLINE_S, Network, Received, interrupt, reached

WRONG_LAST_SEQUENCE = 10071
STREAM_NOT_FOUND = 10059


async def make(transport: Transport, name: str, **settings: Any) -> None:
    """A stream `name` that captures `name.>`."""
    await transport.ensure_stream(StreamConfig(name=name, subjects=[f"{name}.>"], storage="memory", **settings))


async def take(messages: AsyncIterator[Any], count: int) -> list[Any]:
    async with asyncio.timeout(DEADLINE_S):
        return [await anext(messages) for _ in range(count)]


async def stored(transport: Transport, stream: str, subject: str = ">") -> list[StoredMessage]:
    """All that a stream holds now."""
    found: list[StoredMessage] = []
    async with asyncio.timeout(DEADLINE_S), transport.read(stream, subject) as messages:
        async for message in messages:
            if message is None:
                break
            found.append(message)
    return found


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():  # noqa: ASYNC110 - the server tells nobody when this changes
            await asyncio.sleep(0.02)


def payloads(messages: Sequence[StoredMessage | None]) -> list[bytes | None]:
    return [message and message.payload for message in messages]


# Streams


async def test_a_stream_is_made_once_and_changed_where_it_differs(transport: Transport, name: str) -> None:
    await make(transport, name)
    for i in range(4):
        await transport.append(f"{name}.a", b"%d" % i)
    await make(transport, name)
    assert len(await stored(transport, name)) == 4
    await make(transport, name, max_per_subject=2)
    assert payloads(await stored(transport, name)) == [b"2", b"3"]


async def test_what_cannot_be_changed_is_refused(transport: Transport, name: str) -> None:
    await make(transport, name)
    with pytest.raises(StreamError):
        await transport.ensure_stream(StreamConfig(name=name, subjects=[f"{name}.>"], storage="file"))
    with pytest.raises(StreamError):
        await make(transport, name, work_queue=True)


async def test_two_streams_do_not_capture_the_same_subject(transport: Transport, name: str) -> None:
    await make(transport, name)
    with pytest.raises(StreamError):
        await transport.ensure_stream(StreamConfig(name=f"{name}x", subjects=[f"{name}.a.*"], storage="memory"))


async def test_a_stream_that_is_missing_is_named_as_such(transport: Transport, name: str) -> None:
    async def read() -> None:
        async with transport.read(name):
            pass

    async def consume() -> None:
        async with transport.consume(name, "worker", ">"):
            pass

    for refused in (transport.last(name, name), transport.last_sequence(name), read(), consume()):
        with pytest.raises(StreamError) as caught:
            await refused
        assert caught.value.code == STREAM_NOT_FOUND


# Appending


async def test_appended_messages_are_numbered_and_kept_as_they_were(transport: Transport, name: str) -> None:
    await make(transport, name)
    before = time.time_ns()
    assert await transport.last_sequence(name) == 0
    assert await transport.append(f"{name}.a", b"one", {"Aegis-Epoch": "7"}) == 1
    assert await transport.append(f"{name}.b", b"two") == 2
    assert await transport.last_sequence(name) == 2
    message = await transport.last(name, f"{name}.a")
    assert message is not None
    assert message[:4] == (f"{name}.a", b"one", {"Aegis-Epoch": "7"}, 1)
    assert before - 1_000_000_000 < message.timestamp_ns < time.time_ns() + 1_000_000_000
    assert await stored(transport, name, f"{name}.a") == [message]


async def test_appending_where_no_stream_captures_is_unavailable(transport: Transport, name: str) -> None:
    with pytest.raises(Unavailable):
        await transport.append(name, b"")


async def test_what_is_published_to_a_captured_subject_is_stored_too(
    transport: Transport, received: Received, name: str
) -> None:
    await make(transport, name)
    await transport.subscribe(f"{name}.>", received)
    transport.publish(f"{name}.a", b"1")
    transport.publish_many([(f"{name}.b", b"2"), (f"{name}.c", b"3")])
    assert await transport.append(f"{name}.d", b"4") == 4
    assert await received.payloads(4) == [b"1", b"2", b"3", b"4"]
    assert payloads(await stored(transport, name)) == [b"1", b"2", b"3", b"4"]


async def test_append_now_has_its_place_among_what_is_published(transport: Transport, name: str) -> None:
    await make(transport, name)
    transport.publish(f"{name}.a", b"1")
    second = transport.append_now(f"{name}.a", b"2")
    transport.publish_many([(f"{name}.a", b"3")])
    fourth = transport.append_now(f"{name}.a", b"4")
    assert (await second, await fourth) == (2, 4)
    assert payloads(await stored(transport, name)) == [b"1", b"2", b"3", b"4"]


async def test_append_now_raises_nothing_itself(transport: Transport, name: str) -> None:
    await make(transport, name)
    refused = transport.append_now(f"{name}.a", b"", {"Nats-Expected-Last-Sequence": "9"})
    nobody = transport.append_now(f"other.{name}", b"")
    with pytest.raises(StreamError):
        await refused
    with pytest.raises(Unavailable):
        await nobody
    await transport.close()
    closed = transport.append_now(f"{name}.a", b"")
    with pytest.raises(ConnectionUnavailable):
        await closed


async def test_the_last_message_is_that_of_the_subject(transport: Transport, name: str) -> None:
    await make(transport, name)
    assert await transport.last(name, f"{name}.a") is None
    for subject, payload in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("b.c", b"4")):
        await transport.append(f"{name}.{subject}", payload)
    assert payloads([await transport.last(name, f"{name}.{subject}") for subject in ("a", "b", "*", ">", "x")]) == [
        b"3",
        b"2",
        b"3",
        b"4",
        None,
    ]


# Guards


@pytest.mark.parametrize(
    ("subject", "guard", "holds"),
    [
        ("a", {"Nats-Expected-Last-Subject-Sequence": "1"}, True),
        ("a", {"Nats-Expected-Last-Subject-Sequence": "2"}, False),
        ("a", {"Nats-Expected-Last-Subject-Sequence": "0"}, False),
        ("new", {"Nats-Expected-Last-Subject-Sequence": "0"}, True),
        ("new", {"Nats-Expected-Last-Subject-Sequence": "2"}, False),
        ("new", {"Nats-Expected-Last-Sequence": "2"}, True),
        ("new", {"Nats-Expected-Last-Sequence": "1"}, False),
        (
            "new",
            {"Nats-Expected-Last-Subject-Sequence": "1", "Nats-Expected-Last-Subject-Sequence-Subject": "{name}.a"},
            True,
        ),
        (
            "new",
            {"Nats-Expected-Last-Subject-Sequence": "0", "Nats-Expected-Last-Subject-Sequence-Subject": "{name}.a"},
            False,
        ),
    ],
)
async def test_an_append_is_stored_only_while_its_guard_holds(
    transport: Transport, name: str, subject: str, guard: dict[str, str], *, holds: bool
) -> None:
    """`a` has sequence 1, `b` has 2, `new` has none."""
    await make(transport, name)
    await transport.append(f"{name}.a", b"")
    await transport.append(f"{name}.b", b"")
    headers = {header: value.replace("{name}", name) for header, value in guard.items()}
    if holds:
        assert await transport.append(f"{name}.{subject}", b"", headers) == 3
        return
    with pytest.raises(StreamError) as caught:
        await transport.append(f"{name}.{subject}", b"", headers)
    assert caught.value.code == WRONG_LAST_SEQUENCE
    assert await transport.last_sequence(name) == 2


async def test_of_many_guarded_appends_at_once_one_is_stored(transport: Transport, other: Transport, name: str) -> None:
    await make(transport, name)
    guard = {"Nats-Expected-Last-Subject-Sequence": "0"}
    outcomes = await asyncio.gather(
        *(connection.append(f"{name}.lease", b"", guard) for connection in (transport, other) * 10),
        return_exceptions=True,
    )
    assert [outcome for outcome in outcomes if not isinstance(outcome, StreamError)] == [1]
    assert await transport.last_sequence(name) == 1


async def test_a_message_id_is_stored_once_within_the_window(transport: Transport, name: str) -> None:
    await make(transport, name, duplicate_window_s=0.2)
    identified = {"Nats-Msg-Id": "m1"}
    assert await transport.append(f"{name}.a", b"1", identified) == 1
    assert await transport.append(f"{name}.a", b"2", {"Nats-Msg-Id": "m2"}) == 2
    assert await transport.append(f"{name}.a", b"again", identified) == 1
    assert await transport.last_sequence(name) == 2

    async def stored_again() -> bool:
        return await transport.append(f"{name}.a", b"again", identified) == 3

    await until(stored_again)


async def test_a_guard_that_does_not_hold_refuses_a_repeated_message_too(transport: Transport, name: str) -> None:
    await make(transport, name)
    headers = {"Nats-Msg-Id": "m1", "Nats-Expected-Last-Subject-Sequence": "0"}
    await transport.append(f"{name}.a", b"", headers)
    with pytest.raises(StreamError) as caught:
        await transport.append(f"{name}.a", b"", headers)
    assert caught.value.code == WRONG_LAST_SEQUENCE


# Limits


async def test_only_the_last_messages_of_a_subject_are_kept(transport: Transport, name: str) -> None:
    await make(transport, name, max_per_subject=2)
    for i in range(6):
        await transport.append(f"{name}.{'ab'[i % 2]}", b"%d" % i)
    assert payloads(await stored(transport, name)) == [b"2", b"3", b"4", b"5"]


async def test_a_full_stream_forgets_its_oldest(transport: Transport, name: str) -> None:
    await make(transport, name, max_bytes=1000)
    for i in range(10):
        await transport.append(f"{name}.a", bytes([i]) * 200)
    kept = await stored(transport, name)
    assert 2 <= len(kept) <= 4
    assert kept[-1].payload == bytes([9]) * 200
    assert await transport.last_sequence(name) == 10


async def test_a_full_stream_refuses_where_it_is_told_to(transport: Transport, name: str) -> None:
    await make(transport, name, max_bytes=1000, discard_new=True)
    for _ in range(3):
        await transport.append(f"{name}.a", bytes(200))
    with pytest.raises(StreamError):
        await transport.append(f"{name}.a", bytes(800))
    assert [message.sequence for message in await stored(transport, name)] == [1, 2, 3]


async def test_a_rollup_replaces_what_its_subject_held(transport: Transport, name: str) -> None:
    await make(transport, name, rollup=True)
    for subject in ("a", "b", "a"):
        await transport.append(f"{name}.{subject}", b"old")
    await transport.append(f"{name}.a", b"new", {"Nats-Rollup": "sub"})
    assert payloads(await stored(transport, name)) == [b"old", b"new"]


@pytest.mark.parametrize("headers", [{"Nats-Rollup": "sub"}, {"Nats-TTL": "1s"}])
async def test_what_a_stream_does_not_allow_it_refuses(
    transport: Transport, name: str, headers: dict[str, str]
) -> None:
    await make(transport, name)
    with pytest.raises(StreamError):
        await transport.append(f"{name}.a", b"", headers)
    assert await transport.last_sequence(name) == 0


async def test_a_time_to_live_that_is_none_is_refused(transport: Transport, name: str) -> None:
    await make(transport, name, message_ttl=True)
    for wrong in ("soon", "10ms", "-1"):
        with pytest.raises(StreamError):
            await transport.append(f"{name}.a", b"", {"Nats-TTL": wrong})


async def test_messages_end_with_their_time_to_live_and_leave_a_marker_where_asked_for(
    transport: Transport, name: str
) -> None:
    await make(transport, name, message_ttl=True, rollup=True, marker_ttl_s=1)
    await transport.append(f"{name}.gone", b"1", {"Nats-TTL": "1"})
    await transport.append(f"{name}.replaced", b"2", {"Nats-TTL": "1s"})
    await transport.append(f"{name}.replaced", b"3", {"Nats-TTL": "never"})
    async with transport.read(name) as messages:
        assert payloads(await take(messages, 4)) == [b"1", b"2", b"3", None]
        marker = (await take(messages, 1))[0]
    assert (marker.subject, marker.payload) == (f"{name}.gone", b"")
    assert marker.headers["Nats-Marker-Reason"] == "MaxAge"

    async def only_those_that_stay() -> bool:
        return payloads(await stored(transport, name)) == [b"3"]

    await until(only_those_that_stay)


async def test_no_message_lives_shorter_than_its_marker_would(transport: Transport, name: str) -> None:
    await make(transport, name, message_ttl=True, rollup=True, marker_ttl_s=60)
    await transport.append(f"{name}.a", b"", {"Nats-TTL": "1"})
    await make(transport, f"{name}-plain", message_ttl=True)
    async with transport.read(f"{name}-plain") as plain:
        await transport.append(f"{name}-plain.a", b"", {"Nats-TTL": "1"})
        await take(plain, 2)

        async def plain_is_gone() -> bool:
            return await transport.last(f"{name}-plain", f"{name}-plain.a") is None

        await until(plain_is_gone)
    kept = await transport.last(name, f"{name}.a")
    assert kept is not None
    assert "Nats-Marker-Reason" not in kept.headers


async def test_messages_end_with_the_age_of_their_stream(transport: Transport, name: str) -> None:
    await make(transport, name, max_age_s=0.2)
    await transport.append(f"{name}.a", b"")
    assert await transport.last(name, f"{name}.a") is not None

    async def is_gone() -> bool:
        return await transport.last(name, f"{name}.a") is None

    await until(is_gone)
    assert await transport.last_sequence(name) == 1


# Reading


async def test_a_reader_gets_all_that_is_stored_then_a_mark_then_what_comes(
    transport: Transport, other: Transport, name: str
) -> None:
    await make(transport, name)
    for i in range(3):
        await transport.append(f"{name}.a", b"%d" % i)
    async with transport.read(name) as messages:
        assert payloads(await take(messages, 4)) == [b"0", b"1", b"2", None]
        await other.append(f"{name}.b", b"3")
        other.publish(f"{name}.b", b"4")
        found = await take(messages, 2)
    assert payloads(found) == [b"3", b"4"]
    assert [message.sequence for message in found] == [4, 5]


async def test_the_mark_stands_between_what_was_there_at_the_start_and_what_came_since(
    transport: Transport, name: str
) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"before")
    async with transport.read(name) as messages:
        await transport.append(f"{name}.a", b"since")
        assert payloads(await take(messages, 3)) == [b"before", None, b"since"]


async def test_an_empty_stream_is_caught_up_with_at_once(transport: Transport, name: str) -> None:
    await make(transport, name)
    async with transport.read(name) as messages:
        assert await take(messages, 1) == [None]


async def test_a_reader_gets_its_subjects_only(transport: Transport, name: str) -> None:
    await make(transport, name)
    for subject in ("a.x", "b.x", "a.y", "b.y"):
        await transport.append(f"{name}.{subject}", subject.encode())
    async with transport.read(name, f"{name}.a.*") as messages:
        assert payloads(await take(messages, 3)) == [b"a.x", b"a.y", None]
        await transport.append(f"{name}.b.z", b"b.z")
        await transport.append(f"{name}.a.z", b"a.z")
        assert payloads(await take(messages, 1)) == [b"a.z"]


@pytest.mark.parametrize(("after", "expected"), [(0, [b"1", b"2", b"3"]), (2, [b"3"]), (3, []), (9, [])])
async def test_a_reader_starts_behind_a_sequence(
    transport: Transport, name: str, after: int, expected: list[bytes]
) -> None:
    await make(transport, name)
    for i in range(3):
        await transport.append(f"{name}.a", b"%d" % (i + 1))
    async with transport.read(name, after=after) as messages:
        assert payloads(await take(messages, len(expected) + 1)) == [*expected, None]


async def test_a_reader_may_start_with_the_last_of_each_subject(transport: Transport, name: str) -> None:
    await make(transport, name)
    for i in range(6):
        await transport.append(f"{name}.{'abb'[i % 3]}", b"%d" % i)
    async with transport.read(name, last_per_subject=True) as messages:
        assert payloads(await take(messages, 3)) == [b"3", b"5", None]
        await transport.append(f"{name}.a", b"6")
        await transport.append(f"{name}.a", b"7")
        assert payloads(await take(messages, 2)) == [b"6", b"7"]
    async with transport.read(name, f"{name}.b", last_per_subject=True) as messages:
        assert payloads(await take(messages, 2)) == [b"5", None]


async def test_a_reader_goes_on_behind_what_it_saw_after_an_outage(
    network: Network, transport: Transport, other: Transport, name: str
) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"1")
    async with transport.read(name, idle_heartbeat_s=0.1) as messages:
        assert payloads(await take(messages, 2)) == [b"1", None]
        await interrupt(network, transport, other)
        await other.append(f"{name}.a", b"2")
        await other.append(f"{name}.a", b"3")
        found = payloads(await take(messages, 3))
        assert [payload for payload in found if payload] == [b"2", b"3"]
        await other.append(f"{name}.a", b"4")
        rest = payloads(await take(messages, 1))
    assert [*found, *rest].count(None) == 1
    assert rest == [b"4"]


async def test_a_reader_ends_when_its_connection_is_closed(transport: Transport, other: Transport, name: str) -> None:
    await make(transport, name)
    async with transport.read(name) as messages:
        await take(messages, 1)

        async def rest() -> list[StoredMessage | None]:
            return [message async for message in messages]

        waiting = asyncio.create_task(rest())
        await other.flush()
        await transport.close()
        async with asyncio.timeout(DEADLINE_S):
            assert await waiting == []


async def test_readers_leave_nothing_behind_on_the_server(transport: Transport, name: str) -> None:
    """A consumer left behind by each reader would fill the server up until it refuses all readers."""
    await make(transport, name)
    for _ in range(5):
        await stored(transport, name)
    if isinstance(transport, NatsTransport):
        assert (await api(transport, f"STREAM.INFO.{name}"))["state"]["consumer_count"] == 0


async def test_a_reader_that_is_slow_misses_nothing(transport: Transport, other: Transport, name: str) -> None:
    await make(transport, name)
    async with transport.read(name) as messages:
        await take(messages, 1)
        other.publish_many([(f"{name}.a", b"%d" % i) for i in range(5000)])
        await other.flush()
        assert payloads(await take(messages, 5000)) == [b"%d" % i for i in range(5000)]


# Durable consumers


async def test_what_is_acknowledged_does_not_come_again(transport: Transport, other: Transport, name: str) -> None:
    await make(transport, name)
    for i in range(4):
        await transport.append(f"{name}.a", b"%d" % i)
    async with transport.consume(name, "worker", f"{name}.a", batch=1) as deliveries:
        for delivery in await take(deliveries, 2):
            assert delivery.attempt == 1
            await delivery.ack()
    await transport.flush()
    async with other.consume(name, "worker", f"{name}.a", batch=1) as deliveries:
        rest = await take(deliveries, 2)
    assert [delivery.message.payload for delivery in rest] == [b"2", b"3"]


async def test_what_is_not_acknowledged_comes_again_and_counts_its_attempts(transport: Transport, name: str) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"1", {"Aegis-Epoch": "7"})
    async with transport.consume(name, "worker", f"{name}.a", ack_wait_s=0.1) as deliveries:
        found = await take(deliveries, 3)
    assert [delivery.attempt for delivery in found] == [1, 2, 3]
    assert {(delivery.message.payload, delivery.message.sequence) for delivery in found} == {(b"1", 1)}
    assert found[2].message.headers == {"Aegis-Epoch": "7"}


async def test_a_message_is_delivered_a_bounded_number_of_times(transport: Transport, name: str) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"poison")
    async with transport.consume(name, "worker", f"{name}.a", ack_wait_s=0.05, max_deliver=3) as deliveries:
        assert [delivery.attempt for delivery in await take(deliveries, 3)] == [1, 2, 3]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await anext(deliveries)


async def test_nak_delivers_again_after_its_delay_and_others_meanwhile(transport: Transport, name: str) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"1")
    await transport.append(f"{name}.a", b"2")
    async with transport.consume(name, "worker", f"{name}.a") as deliveries:
        first, second = await take(deliveries, 2)
        began = time.monotonic()
        await first.nak(0.2)
        await second.nak(0)
        again = await take(deliveries, 2)
    assert [(delivery.message.payload, delivery.attempt) for delivery in again] == [(b"2", 2), (b"1", 2)]
    assert time.monotonic() - began > 0.15


async def test_a_terminated_message_never_comes_again(transport: Transport, name: str) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"1")
    async with transport.consume(name, "worker", f"{name}.a", ack_wait_s=0.05) as deliveries:
        await (await take(deliveries, 1))[0].term()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(deliveries)


async def test_a_consumer_gets_its_subject_only_and_waits_for_more(
    transport: Transport, other: Transport, name: str
) -> None:
    await make(transport, name)
    await transport.append(f"{name}.b", b"no")
    async with transport.consume(name, "worker", f"{name}.a") as deliveries:
        waiting = asyncio.create_task(take(deliveries, 1))
        await other.append(f"{name}.b", b"no")
        await other.append(f"{name}.a", b"yes")
        assert [delivery.message.payload for delivery in await waiting] == [b"yes"]


async def test_those_who_share_a_durable_name_share_its_messages(
    transport: Transport, other: Transport, name: str
) -> None:
    await make(transport, name)
    async with AsyncExitStack() as stack:
        sides = [
            await stack.enter_async_context(side.consume(name, "worker", f"{name}.a", batch=1))
            for side in (transport, other)
        ]
        seen: list[bytes] = []
        all_seen = asyncio.Event()

        async def work(deliveries: AsyncIterator[Delivery]) -> None:
            async for delivery in deliveries:
                seen.append(delivery.message.payload)
                await delivery.ack()
                if len(seen) == 40:
                    all_seen.set()

        workers = [asyncio.create_task(work(side)) for side in sides]
        transport.publish_many([(f"{name}.a", b"%d" % i) for i in range(40)])
        async with asyncio.timeout(DEADLINE_S):
            await all_seen.wait()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    assert sorted(seen, key=int) == [b"%d" % i for i in range(40)]


async def test_different_durable_names_each_get_everything(transport: Transport, name: str) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"1")
    for durable in ("one", "two"):
        async with transport.consume(name, durable, f"{name}.a") as deliveries:
            assert [delivery.message.payload for delivery in await take(deliveries, 1)] == [b"1"]


async def test_a_work_queue_forgets_what_is_acknowledged_or_terminated(transport: Transport, name: str) -> None:
    await make(transport, name, work_queue=True)
    for i in range(3):
        await transport.append(f"{name}.a", b"%d" % i)
    async with transport.consume(name, "worker", f"{name}.a") as deliveries:
        first, second, _ = await take(deliveries, 3)
        await first.ack()
        await second.term()

        async def two_are_gone() -> bool:
            first_of_each = [await transport.last(name, f"{name}.a"), await _first(transport, name)]
            return [message and message.sequence for message in first_of_each] == [3, 3]

        await until(two_are_gone)


async def _first(transport: Transport, name: str) -> StoredMessage | None:
    """The first stored message; work queues have no readers, so ask the server itself."""
    if isinstance(transport, NatsTransport):
        first = (await api(transport, f"STREAM.INFO.{name}"))["state"]["first_seq"]
        return StoredMessage("", b"", {}, first, 0)
    async with transport.read(name) as messages:
        return (await take(messages, 1))[0]


async def test_two_consumers_of_a_work_queue_do_not_share_a_subject(transport: Transport, name: str) -> None:
    await make(transport, name, work_queue=True)
    async with transport.consume(name, "one", f"{name}.a"):
        with pytest.raises(StreamError):
            async with transport.consume(name, "two", f"{name}.*"):
                pass
        async with transport.consume(name, "two", f"{name}.b"):
            pass


async def test_a_consumer_goes_on_after_an_outage(
    network: Network, transport: Transport, other: Transport, name: str
) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"1")
    async with transport.consume(name, "worker", f"{name}.a", ack_wait_s=0.3) as deliveries:
        await (await take(deliveries, 1))[0].ack()
        await transport.flush()
        await interrupt(network, transport, other)
        await other.append(f"{name}.a", b"2")
        found = await take(deliveries, 1)
    assert [delivery.message.payload for delivery in found] == [b"2"]


async def test_a_consumer_ends_when_its_connection_is_closed(transport: Transport, name: str) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"1")
    async with transport.consume(name, "worker", f"{name}.a") as deliveries:
        await take(deliveries, 1)

        async def rest() -> list[Delivery]:
            return [delivery async for delivery in deliveries]

        waiting = asyncio.create_task(rest())
        await transport.flush()
        await transport.close()
        async with asyncio.timeout(DEADLINE_S):
            assert await waiting == []


async def test_without_a_connection_an_acknowledgement_is_refused(
    network: Network, transport: Transport, name: str
) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"1")
    async with transport.consume(name, "worker", f"{name}.a") as deliveries:
        delivery = (await take(deliveries, 1))[0]
        await network.stop()
        await reached(transport, ConnectionState.RECONNECTING)
        for verdict in (delivery.ack(), delivery.nak(1), delivery.term()):
            with pytest.raises(ConnectionUnavailable):
                await verdict
