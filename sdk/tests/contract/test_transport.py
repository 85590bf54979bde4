"""What every transport promises of core messages."""

import asyncio
from collections.abc import Callable

import pytest

from aegis_sdk.errors import CodecError, DeadlineExceeded, Unavailable
from aegis_sdk.messages import NO_RESPONDERS, STATUS, Message
from aegis_sdk.transport import ConnectionState, Transport

from .network import DEADLINE_S, Received

NewReceived = Callable[[], Received]


async def test_a_message_arrives_as_it_was_sent(
    transport: Transport, other: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(name, received)
    await transport.flush()
    other.publish(name, b"\x00payload\r\n", {"Aegis-Epoch": "7", "traceparent": "äé"}, "answer.here")
    assert await received.take() == [
        Message(name, b"\x00payload\r\n", {"Aegis-Epoch": "7", "traceparent": "äé"}, "answer.here")
    ]


async def test_a_message_without_headers_and_reply_has_none(
    transport: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(name, received)
    transport.publish(name, b"")
    assert await received.take() == [Message(name, b"", {}, "")]


async def test_messages_of_one_publisher_arrive_in_the_order_sent(
    transport: Transport, other: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(f"{name}.>", received)
    await transport.flush()
    for i in range(0, 300, 3):
        other.publish(f"{name}.one", b"%d" % i)
        other.publish_many([(f"{name}.two", b"%d" % (i + 1)), (f"{name}.three", b"%d" % (i + 2))])
    assert await received.payloads(300) == [b"%d" % i for i in range(300)]


async def test_many_messages_share_their_headers(transport: Transport, received: Received, name: str) -> None:
    await transport.subscribe(f"{name}.*", received)
    transport.publish_many([(f"{name}.a", b"1"), (f"{name}.b", b"2")], {"Aegis-Codec": "msgpack"})
    headers = {"Aegis-Codec": "msgpack"}
    assert await received.take(2) == [Message(f"{name}.a", b"1", headers), Message(f"{name}.b", b"2", headers)]


async def test_headers_changed_after_publish_do_not_change_the_message(
    transport: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(name, received)
    headers = {"Aegis-Epoch": "1"}
    transport.publish(name, b"", headers)
    headers["Aegis-Epoch"] = "2"
    assert (await received.take())[0].headers == {"Aegis-Epoch": "1"}


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("a", ["a"], ["b", "a.b"]),
        ("a.*", ["a.b"], ["a", "a.b.c", "b.b"]),
        ("*.b", ["a.b"], ["a.c", "b"]),
        ("a.>", ["a.b", "a.b.c"], ["a", "b.c"]),
        ("*.b.>", ["a.b.c", "x.b.c.d"], ["a.b", "a.c.d"]),
    ],
)
async def test_wildcards_match_one_token_or_the_rest(
    transport: Transport, received: Received, name: str, pattern: str, matching: list[str], others: list[str]
) -> None:
    await transport.subscribe(f"{name}.{pattern}", received)
    for subject in [*others, *matching, *others]:
        transport.publish(f"{name}.{subject}", b"")
    await transport.flush()
    assert [message.subject for message in await received.take(len(matching))] == [f"{name}.{s}" for s in matching]
    assert not len(received)


async def test_every_subscription_gets_a_message_but_of_a_queue_group_one(
    transport: Transport, other: Transport, new_received: NewReceived, name: str
) -> None:
    alone, one, two, third = new_received(), new_received(), new_received(), new_received()
    await transport.subscribe(name, alone)
    await transport.subscribe(name, one, queue="workers")
    await other.subscribe(name, two, queue="workers")
    await other.subscribe(name, third, queue="auditors")
    await other.flush()
    await transport.flush()
    transport.publish_many([(name, b"%d" % i) for i in range(100)])
    expected = [b"%d" % i for i in range(100)]
    assert await alone.payloads(100) == expected
    assert await third.payloads(100) == expected
    await transport.flush()
    await other.flush()
    shared = await one.payloads(len(one)) + await two.payloads(len(two))
    assert sorted(shared, key=int) == expected


async def test_every_member_of_a_queue_group_gets_its_part(
    transport: Transport, other: Transport, new_received: NewReceived, name: str
) -> None:
    members = [new_received() for _ in range(3)]
    for member in members:
        await transport.subscribe(name, member, queue="workers")
    await transport.flush()
    other.publish_many([(name, b"")] * 300)
    for member in members:
        await member.take(10)


async def test_a_handler_is_called_in_a_later_turn_of_the_loop(
    transport: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(name, received)
    transport.publish(name, b"")
    assert not len(received)
    await received.take()


async def test_a_handler_may_publish(transport: Transport, received: Received, name: str) -> None:
    await transport.subscribe(f"{name}.question", lambda message: transport.publish(f"{name}.answer", message.payload))
    await transport.subscribe(f"{name}.answer", received)
    transport.publish(f"{name}.question", b"why")
    assert await received.payloads(1) == [b"why"]


async def test_a_handler_that_raises_stops_nobody(
    transport: Transport, received: Received, new_received: NewReceived, name: str
) -> None:
    def fail(message: Message) -> None:
        received(message)
        raise RuntimeError("as asked for")

    after = new_received()
    await transport.subscribe(name, fail)
    await transport.subscribe(name, after)
    transport.publish(name, b"1")
    transport.publish(name, b"2")
    assert await received.payloads(2) == [b"1", b"2"]
    assert await after.payloads(2) == [b"1", b"2"]


async def test_an_ended_subscription_gets_what_was_sent_before_and_nothing_after(
    transport: Transport, other: Transport, received: Received, new_received: NewReceived, name: str
) -> None:
    witness = new_received()
    await transport.subscribe(name, witness)
    subscription = await transport.subscribe(name, received)
    await transport.flush()
    other.publish(name, b"before")
    await other.flush()
    await subscription.unsubscribe()
    transport.publish(name, b"after")
    await witness.take(2)
    assert await received.payloads(len(received)) == [b"before"]


async def test_what_was_published_before_an_unsubscribe_still_arrives(
    transport: Transport, received: Received, name: str
) -> None:
    """Also within one turn of the loop, and from a connection to itself."""
    subscription = await transport.subscribe(name, received)
    transport.publish(name, b"last word")
    await subscription.unsubscribe()
    assert await received.payloads(len(received)) == [b"last word"]


async def test_unsubscribing_twice_is_fine(transport: Transport, received: Received, name: str) -> None:
    subscription = await transport.subscribe(name, received)
    await subscription.unsubscribe()
    await subscription.unsubscribe()


# Requests


async def test_a_request_returns_the_first_reply(transport: Transport, other: Transport, name: str) -> None:
    def answer(message: Message) -> None:
        other.publish(message.reply, b"first " + message.payload, {"Aegis-Epoch": message.headers["Aegis-Epoch"]})
        other.publish(message.reply, b"second")

    await other.subscribe(name, answer)
    await other.flush()
    reply = await transport.request(name, b"?", {"Aegis-Epoch": "3"})
    assert (reply.payload, reply.headers) == (b"first ?", {"Aegis-Epoch": "3"})


async def test_many_requests_at_once_each_get_their_own_reply(
    transport: Transport, other: Transport, name: str
) -> None:
    await other.subscribe(name, lambda message: other.publish(message.reply, message.payload))
    await other.flush()
    replies = await asyncio.gather(*(transport.request(name, b"%d" % i) for i in range(100)))
    assert [reply.payload for reply in replies] == [b"%d" % i for i in range(100)]


async def test_a_request_that_nobody_listens_to_is_unavailable_at_once(transport: Transport, name: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(Unavailable):
            await transport.request(name, b"", timeout=30)


async def test_a_request_that_nobody_answers_exceeds_its_deadline(
    transport: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(name, received)
    with pytest.raises(DeadlineExceeded):
        await transport.request(name, b"", timeout=0.05)


async def test_a_reply_after_the_deadline_is_dropped(transport: Transport, received: Received, name: str) -> None:
    await transport.subscribe(name, received)
    with pytest.raises(DeadlineExceeded):
        await transport.request(name, b"1", timeout=0.02)
    late = (await received.take())[0]
    transport.publish(late.reply, b"late")
    await transport.subscribe(f"{name}.echo", lambda message: transport.publish(message.reply, b"mine"))
    assert (await transport.request(f"{name}.echo", b"")).payload == b"mine"


async def test_who_names_an_inbox_himself_is_told_of_no_responders(
    transport: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(f"{name}.inbox", received)
    transport.publish(f"{name}.nobody", b"", {}, f"{name}.inbox")
    told = (await received.take())[0]
    assert (told.headers[STATUS], told.payload) == (NO_RESPONDERS, b"")


# Size


async def test_a_message_too_large_is_refused_and_the_connection_goes_on(
    transport: Transport, received: Received, name: str
) -> None:
    await transport.subscribe(name, received)
    with pytest.raises(CodecError):
        transport.publish(name, bytes((1 << 20) + 1))
    with pytest.raises(CodecError):
        transport.publish(name, bytes(1 << 20), {"headers": "count too"})
    with pytest.raises(CodecError):
        transport.publish_many([(name, b"not sent either"), (name, bytes((1 << 20) + 1))])
    transport.publish(name, b"small")
    await transport.flush()
    assert await received.payloads(1) == [b"small"]
    assert transport.state is ConnectionState.CONNECTED


@pytest.mark.parametrize("headers", [{"Aegis-Epoch": "1\r\nforged: 2"}, {"Aegis-Epoch": "1\n"}, {"a\rb": "1"}])
async def test_a_header_with_a_line_break_is_refused(
    transport: Transport, received: Received, name: str, headers: dict[str, str]
) -> None:
    await transport.subscribe(name, received)
    with pytest.raises(ValueError, match="line break"):
        transport.publish(name, b"", headers)
    with pytest.raises(ValueError, match="line break"):
        transport.publish_many([(name, b"")], headers)
    transport.publish(name, b"good")
    assert await received.payloads(1) == [b"good"]
