"""A directory against real processes that are killed and stopped, and real servers that go away."""

from __future__ import annotations

import signal
from contextlib import suppress
from uuid import uuid4

import pytest

from aegis_sdk import clock
from aegis_sdk.changes import Change
from aegis_sdk.discovery import Directory, DirectoryState
from aegis_sdk.instances import InstanceRecord, InstanceStatus, Joined, Left, Reason
from aegis_sdk.registry import Registration
from aegis_sdk.testing import NatsAccess, nats_server
from aegis_sdk.transport_nats import NatsTransport

from .instance_processes import DEADLINE_S, Departures, accessed, directory_of, instances, present


@pytest.fixture
def service() -> str:
    return f"t{uuid4().hex[:12]}"


@pytest.mark.usefixtures("steady")
async def test_a_killed_process_leaves_within_a_second(nats_access: NatsAccess, service: str) -> None:
    async with directory_of(nats_access, service) as directory, instances(nats_access, service, "a", "b") as [a, _]:
        await present(directory, "a", "b")
        departures = Departures(directory)
        killed_at = clock.now()
        a.kill()
        left_at, name, reason = await departures.next()
        assert (name, reason) == ("a", Reason.KILLED)
        assert left_at - killed_at < 1.0
        await present(directory, "b")


@pytest.mark.usefixtures("steady")
async def test_a_stopped_process_leaves_within_two_seconds_and_is_back_when_it_goes_on(
    nats_access: NatsAccess, service: str
) -> None:
    async with directory_of(nats_access, service) as directory, instances(nats_access, service, "a", "b") as [a, _]:
        await present(directory, "a", "b")
        departures = Departures(directory)
        stopped_at = clock.now()
        a.send_signal(signal.SIGSTOP)
        left_at, name, reason = await departures.next()
        assert (name, reason) == ("a", Reason.SILENT)
        assert left_at - stopped_at < 2.0
        resumed_at = clock.now()
        a.send_signal(signal.SIGCONT)
        await present(directory, "a", "b")
        assert clock.now() - resumed_at < 2.0


async def test_a_process_that_ends_orderly_is_out_at_once(nats_access: NatsAccess, service: str) -> None:
    async with directory_of(nats_access, service) as directory, instances(nats_access, service, "a") as [a]:
        await present(directory, "a")
        departures = Departures(directory)
        a.terminate()
        _, _, reason = await departures.next()
        assert reason is Reason.STOPPED
        assert await a.wait() == 0


async def test_a_directory_that_was_stopped_itself_suspects_nobody(nats_access: NatsAccess, service: str) -> None:
    """A blocked event loop stands for SIGSTOP: when it goes on, the heartbeats of that time wait in its socket."""
    async with directory_of(nats_access, service) as directory, instances(nats_access, service, "a") as [_]:
        await present(directory, "a")
        departures = Departures(directory)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            signal.setitimer(signal.ITIMER_REAL, 1.8)
            signal.sigwait({signal.SIGALRM})
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        assert directory.state is DirectoryState.STALE
        await directory.wait_for(lambda table: table.state is DirectoryState.FRESH, DEADLINE_S)
        with suppress(TimeoutError):
            await directory.wait_for(lambda _: bool(departures.seen), 1)
        assert departures.seen == []


@pytest.mark.usefixtures("steady")
async def test_a_restart_of_the_server_makes_nobody_leave(service: str) -> None:
    async with nats_server() as server:
        access = accessed(server)
        async with directory_of(access, service) as directory, instances(access, service, "a", "b"):
            await present(directory, "a", "b")
            changes: list[Change] = []
            directory.on_change(changes.append)
            await server.stop()
            await directory.wait_for(lambda table: table.age_s > 0.8, DEADLINE_S)
            assert directory.state is DirectoryState.STALE
            await present(directory, "a", "b")
            await server.start()
            await directory.wait_for(lambda table: table.state is DirectoryState.FRESH, DEADLINE_S)
            with suppress(TimeoutError):
                await directory.wait_for(lambda _: bool(changes), 1.2)
            assert changes == []


@pytest.mark.usefixtures("steady")
async def test_a_cluster_that_loses_nodes_one_by_one_loses_nobody(service: str) -> None:
    """A rolling restart, each node killed hard, the one that our own connection leads to first."""
    async with nats_server(nodes=3) as server:
        access = accessed(server)
        transport = await NatsTransport.connect(access.urls, user=access.user, password=access.password)
        here = Registration(transport, InstanceRecord(service=service, instance="here"), replicas=3)
        await here.start()
        async with (
            instances(access, service, "a", "b", "c", replicas=3),
            Directory.open(transport, service=service) as directory,
        ):
            await present(directory, "a", "b", "c", "here")
            changes: list[Change] = []
            directory.on_change(lambda change: changes.append(change) if isinstance(change, Joined | Left) else None)
            for node in sorted(server.nodes, key=lambda node: node.url.endswith(transport.connected_to), reverse=True):
                await node.kill()
                with suppress(TimeoutError):
                    await directory.wait_for(lambda _: bool(changes), 1.2)
                await node.start()
            here.set_status(InstanceStatus.ACTIVE)
            await directory.wait_for(
                lambda table: all(each.status is InstanceStatus.ACTIVE for each in table.instances()), DEADLINE_S
            )
            await directory.wait_for(lambda table: table.state is DirectoryState.FRESH, DEADLINE_S)
            assert changes == []
            await present(directory, "a", "b", "c", "here")
        await here.stop()
        await transport.close()
