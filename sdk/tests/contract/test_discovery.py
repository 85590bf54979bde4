"""What a directory promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from aegis_sdk import codec, subjects
from aegis_sdk.changes import Change
from aegis_sdk.discovery import Directory, DirectoryState
from aegis_sdk.instances import (
    Changed,
    Heartbeat,
    InstanceRecord,
    InstanceStatus,
    Joined,
    Left,
    Reason,
    ServiceDefinition,
    Vitals,
    digest,
)
from aegis_sdk.kv import KeyValue
from aegis_sdk.liveness import Table, step
from aegis_sdk.liveness_events import Event, Recorded, Ticked
from aegis_sdk.messages import Message
from aegis_sdk.registry import INSTANCES, Registration
from aegis_sdk.transport import ConnectionState, Transport

from .network import DEADLINE_S, Network, reached


@asynccontextmanager
async def registered(transport: Transport, service: str, instance: str = "a") -> AsyncIterator[Registration]:
    """An instance that answers pings, as a service host does."""

    def answer(message: Message) -> None:
        transport.publish(message.reply, b"{}")

    subscription = await transport.subscribe(subjects.direct(service, instance, "ping"), answer)
    definition = ServiceDefinition(name=service, methods=("quote",))
    registration = Registration(transport, InstanceRecord(service=service, instance=instance), definition=definition)
    await registration.start()
    registration.set_status(InstanceStatus.ACTIVE)
    try:
        yield registration
    finally:
        await registration.stop()
        await subscription.unsubscribe()


async def active(directory: Directory, count: int = 1) -> None:
    def are_active(table: Directory) -> bool:
        found = table.instances()
        return len(found) == count and all(each.status is InstanceStatus.ACTIVE for each in found)

    await directory.wait_for(are_active, DEADLINE_S)


async def test_a_directory_knows_who_was_there_before_it(transport: Transport, other: Transport, name: str) -> None:
    async with registered(transport, name) as registration, Directory.open(other, service=name) as directory:
        await active(directory)
        [found] = directory.instances(name)
        assert found.record.incarnation == registration.record.incarnation
        assert found.age_s < 1
        assert directory.instances("another") == ()


async def test_a_directory_knows_the_services(transport: Transport, other: Transport, name: str) -> None:
    async with Directory.open(other, service=name) as directory, registered(transport, name):
        await directory.wait_for(lambda table: len(table.services()) == 1, DEADLINE_S)
        [service] = directory.services()
        assert (service.name, service.methods) == (name, ("quote",))


async def test_changes_are_told_in_order(transport: Transport, other: Transport, name: str) -> None:
    async with Directory.open(other, service=name) as directory:
        with directory.changes() as changes:
            async with registered(transport, name) as registration:
                await active(directory)
                registration.change(keys={"A1": 7})
                await directory.wait_for(lambda table: table.instances()[0].record.keys == {"A1": 7}, DEADLINE_S)
                registration.set_status(InstanceStatus.DRAINING)
            seen: list[Change] = []
            async with asyncio.timeout(DEADLINE_S):
                async for change in changes:
                    seen.append(change)
                    if isinstance(change, Left):
                        break
    assert isinstance(seen[0], Joined)
    assert {type(change) for change in seen[1:-1]} == {Changed}
    assert isinstance(seen[-1], Left)
    assert seen[-1].reason is Reason.DRAINED
    assert seen[-1].instance.record.incarnation == registration.record.incarnation


async def test_one_that_stops_is_out_at_once(transport: Transport, other: Transport, name: str) -> None:
    async with Directory.open(other, service=name) as directory:
        with directory.changes() as changes:
            async with registered(transport, name):
                await active(directory)
            async with asyncio.timeout(DEADLINE_S):
                async for change in changes:
                    if isinstance(change, Left):
                        assert change.reason is Reason.STOPPED
                        break
        assert directory.instances() == ()


async def test_one_whose_connection_is_gone_leaves_within_a_second(
    transport: Transport, other: Transport, name: str
) -> None:
    loop = asyncio.get_running_loop()
    async with Directory.open(other, service=name) as directory, registered(transport, name):
        await active(directory)
        with directory.changes() as changes:
            await transport.close()
            closed_at = loop.time()
            async with asyncio.timeout(DEADLINE_S):
                change = await anext(changes)
        assert isinstance(change, Left)
        assert change.reason is Reason.KILLED
        assert loop.time() - closed_at < 1.0


async def test_a_listener_that_raises_harms_nobody(transport: Transport, other: Transport, name: str) -> None:
    heard: list[Change] = []

    def broken(change: Change) -> None:
        raise RuntimeError("no")

    async with Directory.open(other, service=name) as directory:
        end_broken, end_heard = directory.on_change(broken), directory.on_change(heard.append)
        async with registered(transport, name):
            await active(directory)
        await directory.wait_for(lambda table: not table.instances(), DEADLINE_S)
        assert isinstance(heard[0], Joined)
        assert isinstance(heard[-1], Left)
        count = len(heard)
        end_heard()
        end_broken()
        async with registered(transport, name):
            await active(directory)
        assert len(heard) == count


async def test_a_record_of_the_dead_is_not_shown(transport: Transport, other: Transport, name: str) -> None:
    async with registered(transport, name):
        pass  # now there is a bucket
    dead = InstanceRecord(service=name, instance="dead")
    await KeyValue(transport, INSTANCES).put(subjects.instance_key(name, "dead"), codec.encode_model(dead))
    async with Directory.open(other, service=name) as directory:
        assert directory.instances() == ()
        assert [each.confirmed for each in directory.instances(unconfirmed=True)] == [False]
        await directory.wait_for(lambda table: table.instances(unconfirmed=True) == (), DEADLINE_S)


async def test_what_cannot_be_read_is_counted_and_ignored(transport: Transport, other: Transport, name: str) -> None:
    async with registered(transport, name), Directory.open(other, service=name) as directory:
        await KeyValue(transport, INSTANCES).put(subjects.instance_key(name, "junk"), b"not a record")
        transport.publish(subjects.heartbeat(name, "junk"), b"not a heartbeat")
        await directory.wait_for(lambda table: table.malformed == 2, DEADLINE_S)
        await active(directory)


async def test_through_our_own_outage_the_table_stays_and_says_its_age(
    network: Network, transport: Transport, other: Transport, name: str
) -> None:
    async with registered(transport, name), Directory.open(other, service=name) as directory:
        await active(directory)
        assert directory.state is DirectoryState.FRESH
        changes: list[Change] = []
        directory.on_change(changes.append)
        await network.stop()
        await reached(other, ConnectionState.RECONNECTING)
        await directory.wait_for(lambda table: table.age_s > 0.8, DEADLINE_S)
        assert directory.state is DirectoryState.STALE
        assert len(directory.instances()) == 1
        await network.start()
        await directory.wait_for(lambda table: table.state is DirectoryState.FRESH, DEADLINE_S)
        assert directory.age_s < 0.5
        await directory.wait_for(lambda table: table.instances()[0].age_s < 0.3, DEADLINE_S)
        assert changes == []


async def test_a_predicate_that_never_holds_times_out(transport: Transport, name: str) -> None:
    async with Directory.open(transport, service=name) as directory:
        with pytest.raises(TimeoutError):
            await directory.wait_for(lambda table: False, 0.05)


async def test_an_error_in_the_body_comes_out_as_it_is(transport: Transport, name: str) -> None:
    with pytest.raises(LookupError):
        async with Directory.open(transport, service=name):
            raise LookupError


async def test_an_error_of_its_own_is_logged_and_the_directory_goes_on(
    transport: Transport, other: Transport, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing: set[type[object]] = set()

    def step_or_fail(table: Table, event: Event, now: float) -> Any:
        if type(event) in failing:
            failing.discard(type(event))
            raise RuntimeError("the real cause")
        return step(table, event, now)

    monkeypatch.setattr("aegis_sdk.discovery.step", step_or_fail)
    async with Directory.open(other, service=name) as directory:
        with capture_logs() as logs:
            failing |= {Ticked, Recorded}
            async with registered(transport, name):
                await active(directory)
        assert not failing
        assert [log["work"] for log in logs if log["event"] == "directory_failed"].count("_tick") == 1
        await directory.wait_for(lambda table: table.state is DirectoryState.FRESH, DEADLINE_S)


async def test_a_probe_that_fails_is_logged(
    network: Network, transport: Transport, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await network.connect()
    whole = other.request

    async def broken(subject: str, payload: bytes, *rest: Any, **settings: Any) -> Message:
        if subject.startswith("direct."):
            raise RuntimeError("the real cause")
        return await whole(subject, payload, *rest, **settings)

    async with Directory.open(other, service=name) as directory, registered(transport, name):
        await active(directory)
        monkeypatch.setattr(other, "request", broken)
        with capture_logs() as logs:
            await transport.close()
            failed: set[str] = set()
            async with asyncio.timeout(DEADLINE_S):
                while "_probe" not in failed:
                    await directory.wait_for(lambda _: bool(logs), DEADLINE_S)
                    failed = {log["work"] for log in logs if log["event"] == "directory_failed"}
                    await asyncio.sleep(0.02)


async def test_what_is_heard_while_a_directory_closes_starts_nothing(transport: Transport, name: str) -> None:
    async with Directory.open(transport, service=name) as directory:
        pass
    beat = Heartbeat("1f", InstanceStatus.ACTIVE, 1)
    late = Message(subjects.heartbeat(name, "unknown"), codec.encode_json(beat))
    directory._on_heartbeat(late)  # pyright: ignore[reportPrivateUsage]


async def test_heartbeats_are_handed_on_with_what_they_say_of_keys(
    transport: Transport, other: Transport, name: str
) -> None:
    pairs = {"A1": 7}
    heard: list[tuple[tuple[str, str], Heartbeat]] = []

    async def told(pairs: dict[str, int]) -> None:
        await directory.wait_for(lambda _: any(beat.pairs == pairs for _, beat in heard), DEADLINE_S)

    record = InstanceRecord(service=name, instance="a")
    registration = Registration(
        transport, record, 60.0, vitals=lambda: Vitals(len(pairs), digest(pairs), dict(pairs), ("A1",))
    )
    async with Directory.open(other, service=name, on_beat=lambda *beat: heard.append(beat)) as directory:
        await registration.start()
        await told({"A1": 7})
        assert heard[0] == (
            (name, "a"),
            Heartbeat(record.incarnation, InstanceStatus.STARTING, 1, 1, digest(pairs), {"A1": 7}, ("A1",)),
        )
        assert [each.record.instance for each in directory.instances()] == ["a"]
        pairs["A2"] = 9
        registration.set_status(InstanceStatus.ACTIVE)
        await told({"A1": 7, "A2": 9})
        await registration.stop()


async def test_a_listener_of_heartbeats_that_fails_harms_nobody(
    transport: Transport, other: Transport, name: str
) -> None:
    def fail(_: object, __: Heartbeat) -> None:
        raise RuntimeError("the listener is broken")

    with capture_logs() as logs:
        async with Directory.open(other, service=name, on_beat=fail) as directory, registered(transport, name):
            await active(directory)
    assert "beat_listener_failed" in [log["event"] for log in logs]


async def test_a_hint_asks_the_instance_itself(transport: Transport, other: Transport, name: str) -> None:
    asked = asyncio.Event()
    subscription = await transport.subscribe(subjects.direct(name, "a", "ping"), lambda _: asked.set())
    registration = Registration(transport, InstanceRecord(service=name, instance="a"))
    await registration.start()
    async with Directory.open(other, service=name) as directory:
        await directory.wait_for(lambda table: len(table.instances()) == 1, DEADLINE_S)
        directory.suspect(name, "a")
        async with asyncio.timeout(DEADLINE_S):
            await asked.wait()
    await registration.stop()
    await subscription.unsubscribe()
