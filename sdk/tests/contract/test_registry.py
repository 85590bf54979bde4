"""What a registration promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from aegis_sdk import codec, subjects
from aegis_sdk.errors import ConfigurationError
from aegis_sdk.instances import HEARTBEAT_S, Heartbeat, InstanceRecord, InstanceStatus, ServiceDefinition
from aegis_sdk.kv import KeyValue
from aegis_sdk.registry import INSTANCES, SERVICES, Registration
from aegis_sdk.transport import Transport

from .network import DEADLINE_S, Network, Received, interrupt

INTERVAL_S = 0.05


@asynccontextmanager
async def registered(
    transport: Transport, service: str, interval_s: float = INTERVAL_S, **fields: Any
) -> AsyncIterator[Registration]:
    registration = Registration(transport, InstanceRecord(service=service, instance="a", **fields), interval_s)
    await registration.start()
    try:
        yield registration
    finally:
        await registration.stop()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110  (nothing tells of it)
            await asyncio.sleep(0.01)


async def stored(transport: Transport, service: str, holds: Callable[[Any], bool]) -> Any:
    """The record in KV as plain JSON, once it is what we wait for."""
    bucket = KeyValue(transport, INSTANCES)
    async with asyncio.timeout(DEADLINE_S):
        while True:
            entry = await bucket.get(subjects.instance_key(service, "a"))
            record = None if entry is None else codec.decode_json(entry.value)
            if holds(record):
                return record
            await asyncio.sleep(0.01)


async def beat(received: Received) -> Heartbeat:
    [message] = await received.take()
    return msgspec.json.decode(message.payload, type=Heartbeat)


async def test_a_registered_instance_has_a_record_that_any_tool_can_read(transport: Transport, name: str) -> None:
    async with registered(transport, name, version="1.2.3", zone="east", tags=("ctp",), metrics_port=9100):
        record = await stored(transport, name, lambda record: record is not None)
    assert record["status"] == "STARTING"
    assert (record["version"], record["zone"], record["weight"], record["tags"]) == ("1.2.3", "east", 100, ["ctp"])
    assert record["metrics_port"] == 9100
    assert record["heartbeat_s"] == INTERVAL_S
    assert len(record["incarnation"]) == 16


async def test_secrets_of_the_configuration_are_not_stored(transport: Transport, name: str) -> None:
    configuration = {"nats_password": "hunter2", "nats_url": "nats://desk:hunter2@10.0.0.1:4222", "front": "tcp://x:1"}
    async with registered(transport, name, configuration=configuration):
        record = await stored(transport, name, lambda record: record is not None)
    assert record["configuration"] == {
        "nats_password": "***",
        "nats_url": "nats://***@10.0.0.1:4222",
        "front": "tcp://x:1",
    }


async def test_heartbeats_are_numbered_and_carry_the_status(
    transport: Transport, other: Transport, name: str, received: Received
) -> None:
    await other.subscribe(subjects.heartbeat(name, "a"), received)
    await other.flush()
    async with registered(transport, name) as registration:
        beats = [await beat(received), await beat(received)]
        registration.set_status(InstanceStatus.ACTIVE)
        while beats[-1].status is not InstanceStatus.ACTIVE:
            beats.append(await beat(received))  # one of before may have been on its way
    assert [each.sequence for each in beats] == list(range(1, len(beats) + 1))
    assert {each.status for each in beats[:-1]} == {InstanceStatus.STARTING}
    assert beats[0].incarnation == registration.record.incarnation


async def test_a_change_is_stored(transport: Transport, name: str) -> None:
    async with registered(transport, name) as registration:
        registration.change(status=InstanceStatus.ACTIVE, keys={"A1": 7})
        record = await stored(transport, name, lambda record: record["status"] == "ACTIVE")
    assert record["keys"] == {"A1": 7}


async def test_a_stopped_instance_says_goodbye_and_leaves_no_record(
    transport: Transport, other: Transport, name: str, received: Received
) -> None:
    async with registered(transport, name):
        await other.subscribe(subjects.heartbeat(name, "a"), received)
        await other.flush()
    async with asyncio.timeout(DEADLINE_S):
        while (await beat(received)).status is not InstanceStatus.GONE:
            pass
    await stored(transport, name, lambda record: record is None)
    await other.flush()
    assert len(received) == 0


async def test_a_second_instance_of_the_same_name_is_refused(transport: Transport, other: Transport, name: str) -> None:
    async with registered(transport, name, HEARTBEAT_S) as first:  # long enough to be heard in time on a busy machine
        with pytest.raises(ConfigurationError, match=f"'a' of {name} runs already.*{first.record.incarnation}"):
            async with registered(other, name):
                pass
        record = await stored(transport, name, lambda record: record is not None)
    assert record["incarnation"] == first.record.incarnation


async def test_the_name_of_a_dead_instance_is_free(transport: Transport, other: Transport, name: str) -> None:
    bucket = KeyValue(transport, INSTANCES)
    async with registered(transport, name):
        dead = InstanceRecord(service=name, instance="a", heartbeat_s=INTERVAL_S)
    await bucket.put(subjects.instance_key(name, "a"), codec.encode_model(dead))
    async with registered(other, name) as successor:
        record = await stored(transport, name, lambda record: record is not None)
    assert record["incarnation"] == successor.record.incarnation


async def test_of_two_that_start_at_once_one_is_refused(transport: Transport, other: Transport, name: str) -> None:
    both = [Registration(each, InstanceRecord(service=name, instance="a")) for each in (transport, other)]
    outcomes = await asyncio.gather(*(each.start() for each in both), return_exceptions=True)
    for each in both:
        await each.stop()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConfigurationError", "NoneType"]


async def test_an_instance_whose_name_was_taken_while_it_was_stopped_falls_silent(
    transport: Transport, other: Transport, name: str, received: Received
) -> None:
    bucket = KeyValue(other, INSTANCES)
    successor = InstanceRecord(service=name, instance="a")
    async with registered(transport, name) as registration:
        await bucket.put(subjects.instance_key(name, "a"), codec.encode_model(successor))
        registration.set_status(InstanceStatus.ACTIVE)
        await until(lambda: registration.replaced_by is not None)
        assert registration.replaced_by
        assert registration.replaced_by.incarnation == successor.incarnation
        with pytest.raises(ConfigurationError, match=successor.incarnation):
            await registration.replaced()
        await other.subscribe(subjects.heartbeat(name, "a"), received)
        registration.set_status(InstanceStatus.DRAINING)
    await transport.flush()
    await other.flush()
    assert len(received) == 0
    record = await stored(transport, name, lambda record: record is not None)
    assert record["incarnation"] == successor.incarnation


async def test_after_an_outage_heartbeats_go_on_and_a_lost_record_is_put_again(
    network: Network, transport: Transport, other: Transport, name: str, received: Received
) -> None:
    await other.subscribe(subjects.heartbeat(name, "a"), received)
    await other.flush()
    async with registered(transport, name) as registration:
        await beat(received)
        await KeyValue(other, INSTANCES).delete(subjects.instance_key(name, "a"))
        await interrupt(network, transport, other)
        before = len(received)
        await received.take(before + 2)
        record = await stored(transport, name, lambda record: record is not None)
        assert record["incarnation"] == registration.record.incarnation


async def test_the_definition_of_a_service_is_put_where_it_differs(transport: Transport, name: str) -> None:
    bucket = KeyValue(transport, SERVICES)
    revisions: list[int] = []
    for methods in (("quote",), ("quote",), ("quote", "cancel")):
        definition = ServiceDefinition(name=name, version="1", methods=methods, description="Quotes.")
        record = InstanceRecord(service=name, instance="a")
        registration = Registration(transport, record, INTERVAL_S, definition=definition)
        await registration.start()
        await registration.stop()
        entry = await bucket.get(name)
        assert entry is not None
        revisions.append(entry.revision)
        assert codec.decode_model(ServiceDefinition, entry.value) == definition
    assert revisions[0] == revisions[1] < revisions[2]


async def test_stopping_what_was_never_started_is_fine(transport: Transport, name: str) -> None:
    await Registration(transport, InstanceRecord(service=name, instance="a")).stop()
