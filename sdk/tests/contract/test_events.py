"""What events promise, over both transports. They share the stream EVENTS: each test has a domain of its own."""

import asyncio

import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs

from aegis_sdk import subjects
from aegis_sdk.errors import StreamError
from aegis_sdk.events import Event, Events, NewEvent
from aegis_sdk.transport import Transport

DEADLINE_S = 10.0


class Opened(BaseModel):
    number: int


async def publish(events: Events, name: str, *numbers: int) -> list[int]:
    subject = subjects.event(name, "opened")
    return [await events.publish(subject, Opened(number=number)) for number in numbers]


async def begun(transport: Transport) -> Events:
    events = Events(transport)
    await events.ensure()
    return events


async def test_events_are_read_in_order_first_the_stored_ones_then_the_new_ones(
    transport: Transport, other: Transport, name: str
) -> None:
    events = await begun(transport)
    await publish(events, name, 1, 2)
    async with asyncio.timeout(DEADLINE_S), Events(other).follow(f"event.{name}.>", Opened) as stream:
        first = [await anext(stream) for _ in range(2)]
        await publish(events, name, 3)
        third: Event[Opened] = await anext(stream)
    assert [event.body.number for event in (*first, third)] == [1, 2, 3]
    assert first[0].sequence < first[1].sequence < third.sequence
    assert first[0].subject == f"event.{name}.opened"
    assert third.timestamp_ns >= first[0].timestamp_ns


async def test_reading_goes_on_behind_a_sequence(transport: Transport, name: str) -> None:
    events = await begun(transport)
    _, second, _ = await publish(events, name, 1, 2, 3)
    async with asyncio.timeout(DEADLINE_S), events.follow(f"event.{name}.>", Opened, after=second) as stream:
        assert (await anext(stream)).body.number == 3


async def test_an_event_published_again_with_its_id_is_stored_once(transport: Transport, name: str) -> None:
    events = await begun(transport)
    subject = subjects.event(name, "opened")
    once = await events.publish(subject, Opened(number=1), id=f"{name}-1")
    again = await events.publish(subject, Opened(number=1), id=f"{name}-1")
    await publish(events, name, 2)
    assert once == again
    async with asyncio.timeout(DEADLINE_S), events.follow(f"event.{name}.>", Opened) as stream:
        assert [(await anext(stream)).body.number for _ in range(2)] == [1, 2]


async def test_an_event_that_does_not_come_behind_the_one_it_names_is_refused(transport: Transport, name: str) -> None:
    """Of its own subject: what others hold does not matter."""
    events = await begun(transport)
    subject, another = subjects.event(name, "opened"), subjects.event(name, "closed")
    first = await events.publish(subject, Opened(number=1), behind=0)
    await events.publish(another, Opened(number=2), behind=0)
    second = await events.publish(subject, Opened(number=3), behind=first)
    for behind in (0, first, second + 1):
        with pytest.raises(StreamError) as refused:
            await events.publish(subject, Opened(number=4), behind=behind)
        assert refused.value.code == 10071
        with pytest.raises(StreamError) as refused:
            await events.publish_batch(
                [NewEvent(another, Opened(number=4), f"{name}-4"), NewEvent(subject, Opened(number=4), "", behind)]
            )
        assert refused.value.code == 10071
    last = await events.publish_batch(
        [
            NewEvent(subject, Opened(number=5), f"{name}-5", second),
            NewEvent(another, Opened(number=6), f"{name}-6"),
            NewEvent(subject, Opened(number=7), f"{name}-7"),
        ]
    )
    await events.publish(subject, Opened(number=8), behind=last)
    async with asyncio.timeout(DEADLINE_S), events.follow(f"event.{name}.>", Opened) as stream:
        assert [(await anext(stream)).body.number for _ in range(7)] == [1, 2, 3, 5, 6, 7, 8]


async def test_a_malformed_event_is_passed_over_by_readers_and_never_comes_again_to_consumers(
    transport: Transport, name: str
) -> None:
    events = await begun(transport)
    await transport.append(f"event.{name}.opened", b'{"number": "many"}')
    await publish(events, name, 1)
    async with asyncio.timeout(DEADLINE_S):
        async with events.follow(f"event.{name}.>", Opened) as stream:
            assert (await anext(stream)).body.number == 1
        async with events.consume(f"event.{name}.>", Opened, durable=name, ack_wait_s=0.2) as deliveries:
            delivery = await anext(deliveries)
            assert (delivery.event.body.number, delivery.attempt) == (1, 1)
            await delivery.ack()


async def test_members_of_a_durable_consumer_share_events_and_what_is_not_acknowledged_comes_again(
    transport: Transport, other: Transport, name: str
) -> None:
    events = await begun(transport)
    await publish(events, name, 1)
    async with asyncio.timeout(DEADLINE_S):
        async with events.consume(f"event.{name}.>", Opened, durable=name, ack_wait_s=0.3) as deliveries:
            assert (await anext(deliveries)).attempt == 1
        async with Events(other).consume(f"event.{name}.>", Opened, durable=name, ack_wait_s=0.3) as deliveries:
            again = await anext(deliveries)
            assert (again.event.body.number, again.attempt) == (1, 2)
            await again.ack()
            await publish(events, name, 2)
            assert (await anext(deliveries)).event.body.number == 2


@pytest.mark.parametrize("ack_wait_s", [0.2, 30])
async def test_a_consumer_that_dies_again_and_again_handles_every_event(
    transport: Transport, name: str, ack_wait_s: float
) -> None:
    """What was fetched ahead is given back at once, and no number of restarts uses it up."""
    events = await begun(transport)
    await publish(events, name, *range(10))
    handled: set[int] = set()
    async with asyncio.timeout(DEADLINE_S):
        while len(handled) < 10:
            async with events.consume(f"event.{name}.>", Opened, durable=name, ack_wait_s=ack_wait_s) as deliveries:
                delivery = await anext(deliveries)
                handled.add(delivery.event.body.number)
                await delivery.ack()


async def test_a_bounded_number_of_attempts_is_spent_by_handlers_only(transport: Transport, name: str) -> None:
    events = await begun(transport)
    await publish(events, name, *range(5))
    attempts: list[int] = []
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(5):
            async with events.consume(f"event.{name}.>", Opened, durable=name, max_deliver=2) as deliveries:
                delivery = await anext(deliveries)
                attempts.append(delivery.attempt)
                await delivery.ack()
    assert attempts == [1] * 5


async def test_an_event_given_up_is_logged(transport: Transport, name: str) -> None:
    events = await begun(transport)
    await publish(events, name, 1)
    with capture_logs() as logs:
        async with asyncio.timeout(DEADLINE_S):
            async with events.consume(f"event.{name}.>", Opened, durable=name, max_deliver=2) as deliveries:
                for _ in range(2):
                    await (await anext(deliveries)).nak(0)
    assert [(log["subject"], log["attempts"]) for log in logs if log["event"] == "event_given_up"] == [
        (f"event.{name}.opened", 2)
    ]
