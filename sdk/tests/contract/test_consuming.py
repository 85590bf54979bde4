"""What every transport promises of durable consumers."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from aegis_sdk import clock
from aegis_sdk.errors import ConnectionUnavailable, StreamError
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import ConnectionState, Delivery, Transport
from aegis_sdk.transport_nats import NatsTransport
from aegis_sdk.transport_nats.streams import api

from .network import DEADLINE_S, Network, interrupt, reached
from .stored import make, take, until


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
        began, real = clock.now(), time.monotonic()
        await first.nak(0.2)
        await second.nak(0)
        again = await take(deliveries, 2)
    assert [(delivery.message.payload, delivery.attempt) for delivery in again] == [(b"2", 2), (b"1", 2)]
    assert max(clock.now() - began, time.monotonic() - real) > 0.15, "its time is the server's, where there is one"


async def test_a_terminated_message_never_comes_again(transport: Transport, name: str) -> None:
    await make(transport, name)
    await transport.append(f"{name}.a", b"1")
    async with transport.consume(name, "worker", f"{name}.a", ack_wait_s=0.05) as deliveries:
        await (await take(deliveries, 1))[0].term()
        await transport.flush()
    # Anew, as the next attempt may have been on its way before the server heard of the end.
    async with transport.consume(name, "worker", f"{name}.a", ack_wait_s=0.05) as deliveries:
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
        while (await take(deliveries, 1))[0].message.payload != b"2":
            pass  # the first one again: it was not acknowledged in time


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
