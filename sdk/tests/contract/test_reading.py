"""What every transport promises of the ordered reader of a stream."""

import asyncio

import pytest

from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import Transport
from aegis_sdk.transport_nats import NatsTransport
from aegis_sdk.transport_nats.streams import api

from .network import DEADLINE_S, Network, interrupt
from .stored import make, payloads, stored, take


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


async def test_a_reader_of_several_subjects_has_them_in_the_order_of_the_stream(
    transport: Transport, network: Network, name: str
) -> None:
    await make(transport, name)
    for subject in ("a.x", "b.x", "c.x", "a.x", "b.y"):
        await transport.append(f"{name}.{subject}", subject.encode())
    several = [f"{name}.a.*", f"{name}.b.*"]
    async with transport.read(name, several) as messages:
        assert payloads(await take(messages, 5)) == [b"a.x", b"b.x", b"a.x", b"b.y", None]
        await transport.append(f"{name}.c.x", b"c")
        await transport.append(f"{name}.b.z", b"b.z")
        assert payloads(await take(messages, 1)) == [b"b.z"]
        await interrupt(network, transport)
        await transport.append(f"{name}.a.z", b"a.z")
        assert b"a.z" in payloads(await take(messages, 2))
    async with transport.read(name, several, last_per_subject=True) as messages:
        assert payloads(await take(messages, 6)) == [b"b.x", b"a.x", b"b.y", b"b.z", b"a.z", None]


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
    async with transport.read(name, idle_heartbeat_s=30) as messages:  # a slow machine is no silent server
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


async def test_a_reader_that_pauses_misses_nothing_and_keeps_the_order(transport: Transport, name: str) -> None:
    paused = asyncio.Event()

    async def pause() -> None:
        paused.set()
        await asyncio.sleep(0.001)

    await make(transport, name)
    await transport.append(f"{name}.a", b"before")
    async with transport.read(name, pause=pause) as messages:
        assert payloads(await take(messages, 2)) == [b"before", None]
        for i in range(700):
            await transport.append(f"{name}.a", b"%d" % i)
        assert payloads(await take(messages, 700)) == [b"%d" % i for i in range(700)]
        async with asyncio.timeout(DEADLINE_S):
            paused.clear()
            last = asyncio.ensure_future(anext(messages))
            await paused.wait()
            await transport.append(f"{name}.a", b"later")
            assert payloads([await last]) == [b"later"]


async def test_a_reader_that_pauses_does_not_fall_behind_a_busy_writer(transport: Transport, name: str) -> None:
    """What is here already is taken without a pause, though nothing was pending behind each message as it came."""
    pauses = 0

    async def pause() -> None:
        nonlocal pauses
        pauses += 1
        await asyncio.sleep(0.02)

    await make(transport, name)
    async with transport.read(name, pause=pause) as messages:
        await take(messages, 1)
        reading = asyncio.create_task(take(messages, 500))
        for _ in range(500):
            await transport.append(f"{name}.a", b"x")
        before = pauses
        await reading
    assert pauses - before < 5


async def test_a_reader_that_pauses_goes_on_after_an_outage(transport: Transport, network: Network, name: str) -> None:
    async def pause() -> None:
        await asyncio.sleep(0.001)

    await make(transport, name)
    async with transport.read(name, pause=pause) as messages:
        await transport.append(f"{name}.a", b"1")
        assert payloads(await take(messages, 2)) == [None, b"1"]
        await interrupt(network, transport)
        await transport.append(f"{name}.a", b"2")
        async with asyncio.timeout(DEADLINE_S):
            found = [await anext(messages)]
            while found[-1] is None:
                found.append(await anext(messages))
        assert payloads(found[-1:]) == [b"2"]
