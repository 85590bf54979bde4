"""What every transport promises of storing: streams, appends, guards and limits."""

import asyncio
import time

import pytest

from aegis_sdk.errors import STREAM_NOT_FOUND, ConnectionUnavailable, StreamError, Unavailable
from aegis_sdk.transport import StreamConfig, Transport

from .network import Received
from .stored import make, payloads, stored, take, until

WRONG_LAST_SEQUENCE = 10071
MINUTE_NS = 60_000_000_000


# Streams


async def test_what_is_published_under_another_name_is_stored_in_its_place(transport: Transport, name: str) -> None:
    config = StreamConfig(name=name, subjects=[f"{name}.>", f"{name}-x.>"], renamed=(f"{name}-x", name))
    await transport.ensure_stream(config)
    live = Received()
    await transport.subscribe(f"{name}.>", live)
    await transport.append(f"{name}.a", b"1")
    await transport.append(f"{name}-x.a", b"2")
    await transport.append(f"{name}.a", b"3")
    assert [(one.subject, one.payload) for one in await stored(transport, name)] == [
        (f"{name}.a", b"1"),
        (f"{name}.a", b"2"),
        (f"{name}.a", b"3"),
    ]
    assert await live.payloads(2) == [b"1", b"3"]


async def test_a_message_for_another_stream_reaches_its_listeners_alone(transport: Transport, name: str) -> None:
    await make(transport, name)
    live = Received()
    await transport.subscribe(f"{name}.>", live)
    transport.publish(f"{name}.a", b"live", {"Nats-Expected-Stream": "_"})
    await transport.append(f"{name}.a", b"both")
    assert await live.payloads(2) == [b"live", b"both"]
    assert payloads(await stored(transport, name)) == [b"both"]


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


async def test_a_stream_tells_its_configuration(transport: Transport, name: str) -> None:
    plain = StreamConfig(name=name, subjects=[f"{name}.>"], storage="memory")
    other = StreamConfig(
        name=f"{name}-2",
        subjects=[f"{name}-2.a", f"{name}-2.b"],
        storage="memory",
        max_bytes=1000,
        max_age_s=600,
        max_per_subject=5,
        duplicate_window_s=30,
        allow_direct=False,
        work_queue=True,
        discard_new=True,
        deny_delete=True,
        message_ttl=True,
        marker_ttl_s=2,
        rollup=True,
        atomic=True,
        first_sequence=7,
        renamed=(f"{name}-2", f"{name}-3"),
    )
    kept = StreamConfig(name=f"{name}-4", subjects=[f"{name}-4"], storage="memory", deny_purge=True)  # hence no rollup
    for config in (plain, other, kept):
        await transport.ensure_stream(config)
        assert await transport.stream_config(config.name) == config


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

    asked = transport.last(name, name), transport.last_sequence(name), transport.stream_config(name)
    for refused in (*asked, read(), consume()):
        with pytest.raises(StreamError) as caught:
            await refused
        assert caught.value.code == STREAM_NOT_FOUND


# Appending


async def test_appended_messages_are_numbered_and_kept_as_they_were(transport: Transport, name: str) -> None:
    await make(transport, name)
    assert await transport.last_sequence(name) == 0
    assert await transport.append(f"{name}.a", b"one", {"Aegis-Epoch": "7"}) == 1
    assert await transport.append(f"{name}.b", b"two") == 2
    assert await transport.last_sequence(name) == 2
    message = await transport.last(name, f"{name}.a")
    assert message is not None
    assert message[:4] == (f"{name}.a", b"one", {"Aegis-Epoch": "7"}, 1)
    assert abs(message.timestamp_ns - time.time_ns()) < MINUTE_NS
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
    await make(transport, name)
    identified = {"Nats-Msg-Id": "m1"}
    assert await transport.append(f"{name}.a", b"1", identified) == 1
    assert await transport.append(f"{name}.a", b"2", {"Nats-Msg-Id": "m2"}) == 2
    assert await transport.append(f"{name}.a", b"again", identified) == 1
    assert await transport.last_sequence(name) == 2


async def test_a_message_id_is_forgotten_after_the_window(transport: Transport, name: str) -> None:
    await make(transport, name, duplicate_window_s=0.2)
    identified = {"Nats-Msg-Id": "m1"}
    assert await transport.append(f"{name}.a", b"1", identified) == 1

    async def stored_again() -> bool:
        return await transport.append(f"{name}.a", b"again", identified) == 2

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
    async with transport.read(name) as messages:
        assert await take(messages, 1) == [None]
        await transport.append(f"{name}.gone", b"1", {"Nats-TTL": "1"})
        await transport.append(f"{name}.replaced", b"2", {"Nats-TTL": "1s"})
        await transport.append(f"{name}.replaced", b"3", {"Nats-TTL": "never"})
        assert payloads(await take(messages, 3)) == [b"1", b"2", b"3"]
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
    assert await transport.append(f"{name}.a", b"") == 1

    async def is_gone() -> bool:
        return await transport.last(name, f"{name}.a") is None

    await until(is_gone)
    assert await transport.last_sequence(name) == 1
