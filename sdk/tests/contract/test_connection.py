"""What every transport promises of its connection: outages, and the end."""

import asyncio
from collections.abc import Callable

import pytest

from aegis_sdk.errors import ConnectionUnavailable, DeadlineExceeded
from aegis_sdk.ledger import Fate, classify
from aegis_sdk.transport import ConnectionState, Transport

from .network import DEADLINE_S, Network, Received, interrupt, reached

NewReceived = Callable[[], Received]


# Outages


async def test_without_a_connection_everything_is_refused_at_once_and_nothing_is_sent_late(
    network: Network, transport: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(name, received)
    await network.stop()
    await reached(transport, ConnectionState.RECONNECTING)
    with pytest.raises(ConnectionUnavailable):
        transport.publish(name, b"late")
    with pytest.raises(ConnectionUnavailable):
        transport.publish_many([(name, b"late")])
    for refused in (
        transport.request(name, b"late", timeout=30),
        transport.append(name, b"late", timeout=30),
        transport.append_now(name, b"late", timeout=30),
        transport.last(name, name),
        transport.last_sequence(name),
        transport.flush(timeout=30),
    ):
        with pytest.raises(ConnectionUnavailable):
            async with asyncio.timeout(DEADLINE_S):
                await refused
    await network.start()
    await transport.wait_connected(DEADLINE_S)
    transport.publish(name, b"in time")
    assert await received.payloads(1) == [b"in time"]


async def test_subscriptions_outlive_an_outage_each_of_them_once(
    network: Network, transport: Transport, other: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(name, received)
    for _ in range(2):
        await interrupt(network, transport, other)
        await transport.flush()
    other.publish(name, b"after")
    other.publish(name, b"end")
    assert await received.payloads(2) == [b"after", b"end"]


async def test_a_subscription_made_or_ended_during_an_outage_is_so_after_it(
    network: Network, transport: Transport, received: Received, new_received: NewReceived, name: str
) -> None:
    ended = new_received()
    subscription = await transport.subscribe(name, ended)
    await network.stop()
    await reached(transport, ConnectionState.RECONNECTING)
    await subscription.unsubscribe()
    await transport.subscribe(name, received)
    await network.start()
    await transport.wait_connected(DEADLINE_S)
    transport.publish(name, b"after")
    assert await received.payloads(1) == [b"after"]
    assert not len(ended)


async def test_a_request_under_way_in_an_outage_has_no_answer_in_time(
    network: Network, transport: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(name, received)
    request = asyncio.create_task(transport.request(name, b"", timeout=0.5))
    await received.take()
    await interrupt(network, transport)
    with pytest.raises(DeadlineExceeded):
        await request


async def test_what_waits_for_a_stream_ends_with_the_connection_as_unknown(
    network: Network, transport: Transport, received: Received, name: str
) -> None:
    """Its answer is lost. It was sent, so it must not end as if it had not been."""
    await transport.subscribe(f"{name}.>", received)
    waiting = [
        asyncio.ensure_future(transport.append(f"{name}.a", b"", timeout=30)),
        transport.append_now(f"{name}.b", b"", timeout=30),
        asyncio.ensure_future(transport.append_batch([(f"{name}.c", b"", {})] * 3, timeout=30)),
    ]
    await received.take(5)
    assert not any(append.done() for append in waiting)
    await network.stop()
    await reached(transport, ConnectionState.RECONNECTING)
    async with asyncio.timeout(DEADLINE_S):
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DeadlineExceeded] * 3
    assert {classify(outcome) for outcome in outcomes if isinstance(outcome, Exception)} == {Fate.UNKNOWN}


async def test_listeners_hear_each_change_of_state_in_order(network: Network, transport: Transport) -> None:
    heard: list[ConnectionState] = []
    unheard: list[ConnectionState] = []

    def fail(state: ConnectionState) -> None:
        raise RuntimeError("as asked for")

    transport.on_state(fail)
    transport.on_state(heard.append)
    end = transport.on_state(unheard.append)
    end()
    end()
    assert transport.state is ConnectionState.CONNECTED
    await interrupt(network, transport)
    await transport.close()
    assert heard == [ConnectionState.RECONNECTING, ConnectionState.CONNECTED, ConnectionState.CLOSED]
    assert unheard == []


async def test_waiting_for_a_connection_ends_when_there_is_one_or_the_time_is_over(
    network: Network, transport: Transport
) -> None:
    await transport.wait_connected(0)
    await network.stop()
    await reached(transport, ConnectionState.RECONNECTING)
    with pytest.raises(ConnectionUnavailable):
        await transport.wait_connected(0.02)
    waiting = asyncio.create_task(transport.wait_connected(DEADLINE_S))
    await network.start()
    await waiting
    assert transport.state is ConnectionState.CONNECTED


# The end


async def test_a_closed_connection_refuses_everything_and_closing_twice_is_fine(
    transport: Transport, received: Received, name: str
) -> None:
    await transport.close()
    await transport.close()
    assert transport.state is ConnectionState.CLOSED
    with pytest.raises(ConnectionUnavailable):
        transport.publish(name, b"")
    for refused in (
        transport.request(name, b""),
        transport.subscribe(name, received),
        transport.flush(),
        transport.wait_connected(DEADLINE_S),
    ):
        with pytest.raises(ConnectionUnavailable):
            await refused


async def test_what_was_published_before_closing_is_sent(
    transport: Transport, other: Transport, received: Received, name: str
) -> None:
    await other.subscribe(name, received)
    await other.flush()
    transport.publish(name, b"last words")
    await transport.close()
    assert await received.payloads(1) == [b"last words"]


async def test_closing_wakes_those_who_wait(transport: Transport, received: Received, name: str) -> None:
    await transport.subscribe(name, received)
    request = asyncio.create_task(transport.request(name, b"", timeout=30))
    await received.take()
    await transport.close()
    with pytest.raises(ConnectionUnavailable):
        async with asyncio.timeout(DEADLINE_S):
            await request


async def test_handlers_of_a_closed_connection_are_not_called(
    transport: Transport, other: Transport, received: Received, new_received: NewReceived, name: str
) -> None:
    witness = new_received()
    await transport.subscribe(name, received)
    await other.subscribe(name, witness)
    await other.flush()
    await transport.close()
    other.publish(name, b"")
    await witness.take()
    assert not len(received)


async def test_the_rest_goes_on_when_one_connection_closes(
    network: Network, transport: Transport, other: Transport, received: Received, name: str
) -> None:
    third = await network.connect()
    await other.subscribe(name, received)
    await other.flush()
    await transport.close()
    third.publish(name, b"still here")
    assert await received.payloads(1) == [b"still here"]
