"""What only the memory transport has: outages on demand, and time that is the event loop's."""

import asyncio

import pytest

from aegis_sdk.errors import ConnectionUnavailable, StreamError
from aegis_sdk.messages import Message
from aegis_sdk.transport import ConnectionState, StreamConfig
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport
from aegis_sdk.transport_memory.batches import OpenBatches
from aegis_sdk.transport_memory.consumers import DurableConsumer
from aegis_sdk.transport_memory.stream import MemoryStream


async def test_one_connection_is_cut_and_the_others_go_on() -> None:
    broker = MemoryBroker()
    cut, other = MemoryTransport(broker), MemoryTransport(broker)
    heard: list[bytes] = []
    await cut.subscribe("a", lambda message: heard.append(b"cut " + message.payload))
    await other.subscribe("a", lambda message: heard.append(b"other " + message.payload))
    broker.disconnect(cut)
    assert (cut.state, other.state) == (ConnectionState.RECONNECTING, ConnectionState.CONNECTED)
    other.publish("a", b"1")
    await other.flush()
    broker.reconnect(cut)
    other.publish("a", b"2")
    await other.flush()
    assert heard == [b"other 1", b"cut 2", b"other 2"]


async def test_a_connection_that_is_cut_stays_so_when_the_broker_starts_again() -> None:
    broker = MemoryBroker()
    transport = MemoryTransport(broker)
    broker.disconnect(transport)
    broker.stop()
    broker.start()
    assert transport.state is ConnectionState.RECONNECTING
    broker.reconnect(transport)
    assert transport.state is ConnectionState.CONNECTED


async def test_a_closed_connection_stays_closed_whatever_is_done_to_it() -> None:
    broker = MemoryBroker()
    transport = MemoryTransport(broker)
    await transport.close()
    broker.disconnect(transport)
    broker.reconnect(transport)
    broker.stop()
    broker.start()
    assert transport.state is ConnectionState.CLOSED


async def test_a_connection_made_while_the_broker_is_stopped_connects_when_it_starts() -> None:
    broker = MemoryBroker()
    broker.stop()
    transport = MemoryTransport(broker)
    assert transport.state is ConnectionState.CONNECTING
    with pytest.raises(ConnectionUnavailable):
        transport.publish("a", b"")
    broker.start()
    assert transport.state is ConnectionState.CONNECTED


async def test_messages_on_their_way_are_lost_in_an_outage_and_streams_are_kept() -> None:
    broker = MemoryBroker()
    transport = MemoryTransport(broker)
    await transport.ensure_stream(StreamConfig(name="S", subjects=["a"]))
    heard: list[Message] = []
    await transport.subscribe("a", heard.append)
    transport.publish("a", b"1")
    broker.stop()
    broker.start()
    await transport.flush()
    assert heard == []
    assert await transport.last_sequence("S") == 1


async def test_making_a_stream_waits_for_the_broker_to_start() -> None:
    broker = MemoryBroker()
    broker.stop()
    transport = MemoryTransport(broker)
    making = asyncio.create_task(transport.ensure_stream(StreamConfig(name="S", subjects=["a"])))
    await asyncio.sleep(0)
    broker.start()
    await making
    assert await transport.last_sequence("S") == 0


async def test_a_reader_that_is_cut_off_hears_later_what_was_stored_meanwhile() -> None:
    broker = MemoryBroker()
    cut, other = MemoryTransport(broker), MemoryTransport(broker)
    await other.ensure_stream(StreamConfig(name="S", subjects=["a"]))
    async with cut.read("S") as messages:
        assert await anext(messages) is None
        broker.disconnect(cut)
        waiting = asyncio.ensure_future(anext(messages))
        await other.append("a", b"1")
        await other.flush()
        assert not waiting.done()
        broker.reconnect(cut)
        message = await waiting
        assert message is not None
        assert (message.sequence, await anext(messages)) == (1, None)


async def test_what_has_arrived_is_handled_before_unsubscribing_returns() -> None:
    transport = MemoryTransport(MemoryBroker())
    heard: list[Message] = []
    subscription = await transport.subscribe("a", heard.append)
    transport.publish("a", b"1")
    await subscription.unsubscribe()
    assert len(heard) == 1


# A stream alone; time is an argument


def store(stream: MemoryStream, now: float, payload: bytes = b"", **headers: str) -> int:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    storage = stream.store(Message("a", payload, sent), now, int(now * 1e9))
    assert storage is not None
    return storage.sequence


def test_a_message_id_is_known_until_its_window_has_passed() -> None:
    stream = MemoryStream(StreamConfig(name="S", subjects=["a"], duplicate_window_s=10))
    assert store(stream, 0, Nats_Msg_Id="m") == 1
    assert stream.store(Message("a", b"", {"Nats-Msg-Id": "m"}), 9.9, 0) == (1, True)
    assert store(stream, 10, Nats_Msg_Id="m") == 2


def test_a_stream_forgets_by_age_and_by_the_time_to_live_of_each_message() -> None:
    stream = MemoryStream(StreamConfig(name="S", subjects=["a"], max_age_s=10, message_ttl=True))
    store(stream, 0)
    store(stream, 0, Nats_TTL="3s")
    store(stream, 0, Nats_TTL="never")
    assert stream.next_expiry == 3
    stream.expire(3, 0)
    assert (stream.get(2), stream.next_expiry) == (None, 10)
    stream.expire(10, 0)
    assert stream.get(1) is None
    assert stream.get(3) is not None
    assert stream.next_expiry is None


@pytest.mark.parametrize(("ttl", "seconds"), [("7", 7), ("7s", 7), ("2m", 120), ("1h", 3600), ("1500ms", 1.5)])
def test_a_time_to_live_has_a_unit(ttl: str, seconds: float) -> None:
    stream = MemoryStream(StreamConfig(name="S", subjects=["a"], message_ttl=True))
    store(stream, 0, Nats_TTL=ttl)
    assert stream.next_expiry == seconds


def test_a_marker_of_an_expired_message_expires_itself() -> None:
    settings = StreamConfig(name="S", subjects=["a"], message_ttl=True, rollup=True, marker_ttl_s=2)
    stream = MemoryStream(settings)
    store(stream, 0, Nats_TTL="5")
    stream.expire(5, 0)
    marker = stream.last("a")
    assert marker is not None
    assert marker.headers["Nats-Marker-Reason"] == "MaxAge"
    stream.expire(7, 0)
    assert stream.last("a") is None
    assert stream.next_expiry is None


def test_a_refused_message_changes_nothing() -> None:
    stream = MemoryStream(StreamConfig(name="S", subjects=["a"], max_bytes=100, discard_new=True))
    store(stream, 0, b"kept")
    for payload, headers in ((bytes(200), {}), (b"", {"Nats_Expected_Stream": "T"}), (b"", {"Nats_Rollup": "sub"})):
        with pytest.raises(StreamError):
            store(stream, 0, payload, **headers)
    assert stream.last_sequence == 1
    assert stream.last("a") is not None


def test_a_consumer_waits_for_acknowledgements_when_a_thousand_are_missing() -> None:
    stream = MemoryStream(StreamConfig(name="S", subjects=["a"]))
    consumer = DurableConsumer(stream)
    for _ in range(1001):
        store(stream, 0)
    assert all(consumer.take(0) for _ in range(1000))
    assert consumer.take(0) is None
    consumer.settle(7)
    taken = consumer.take(0)
    assert taken is not None
    assert taken.message.sequence == 1001


def test_a_rollup_of_all_replaces_every_subject() -> None:
    stream = MemoryStream(StreamConfig(name="S", subjects=[">"], rollup=True))
    for subject in ("a", "b"):
        stream.store(Message(subject, b""), 0, 0)
    stream.store(Message("c", b"", {"Nats-Rollup": "all"}), 0, 0)
    assert [stream.get(sequence) is None for sequence in (1, 2, 3)] == [True, True, False]


def test_a_batch_that_is_not_completed_is_abandoned_after_ten_seconds() -> None:
    """Otherwise fifty of them would bar the stream for good."""

    def begin(identifier: str, now: float) -> None:
        assert (
            open_batches.collect(Message("a", b"", {"Nats-Batch-Id": identifier, "Nats-Batch-Sequence": "1"}), now)
            is None
        )

    open_batches = OpenBatches()
    for i in range(50):
        begin(f"{i}", now=0)
    with pytest.raises(StreamError):
        begin("one more", now=9)
    begin("one more", now=11)


def test_a_batch_with_a_gap_is_given_up() -> None:
    batch = [Message("a", b"", {"Nats-Batch-Id": "1", "Nats-Batch-Sequence": f"{number}"}) for number in (1, 2, 3)]
    open_batches = OpenBatches()
    open_batches.collect(batch[0], now=0)
    for missed in (batch[2], batch[1]):
        with pytest.raises(StreamError) as caught:
            open_batches.collect(missed, now=0)
        assert caught.value.code == 10176
