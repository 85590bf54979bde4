"""A directory as single-active services keep it, against real processes and a cluster; bounds are loose."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack, suppress
from uuid import uuid4

import pytest

from aegis_sdk import clock
from aegis_sdk.changes import Change
from aegis_sdk.instances import Joined, Left, Reason
from aegis_sdk.liveness import Patience
from aegis_sdk.testing import NatsAccess, nats_server
from aegis_sdk.timers import AGGRESSIVE

from .instance_processes import (
    BUSY,
    DEADLINE_S,
    Departures,
    accessed,
    directory_of,
    instances,
    present,
    running,
    serving,
)

IMPATIENT = Patience.of(AGGRESSIVE)
BEAT_S = AGGRESSIVE.heartbeat_s
pytestmark = pytest.mark.usefixtures("steady")


@pytest.fixture
def service() -> str:
    return f"t{uuid4().hex[:12]}"


async def test_a_killed_process_leaves_within_a_moment(nats_access: NatsAccess, service: str) -> None:
    async with (
        directory_of(nats_access, service, IMPATIENT) as directory,
        instances(nats_access, service, "a", "b", heartbeat_s=BEAT_S) as [a, _],
    ):
        await present(directory, "a", "b")
        departures = Departures(directory)
        killed_at = clock.now()
        a.kill()
        left_at, name, reason = await departures.next()
        assert (name, reason) == ("a", Reason.KILLED)
        assert left_at - killed_at < 0.5
        await present(directory, "b")


async def test_a_hint_finds_a_killed_process_sooner(nats_access: NatsAccess, service: str) -> None:
    async with (
        directory_of(nats_access, service, IMPATIENT) as directory,
        instances(nats_access, service, "a", "b", heartbeat_s=BEAT_S) as [a, _],
    ):
        await present(directory, "a", "b")
        departures = Departures(directory)
        killed_at = clock.now()
        a.kill()
        directory.suspect(service, "a")
        directory.suspect(service, "b")
        left_at, name, reason = await departures.next()
        assert (name, reason) == ("a", Reason.KILLED)
        assert left_at - killed_at < 0.35
        await present(directory, "b")


async def test_a_stopped_process_leaves_for_its_silence_and_is_back_when_it_goes_on(
    nats_access: NatsAccess, service: str
) -> None:
    async with (
        directory_of(nats_access, service, IMPATIENT) as directory,
        instances(nats_access, service, "a", "b", heartbeat_s=BEAT_S) as [a, _],
    ):
        await present(directory, "a", "b")
        departures = Departures(directory)
        stopped_at = clock.now()
        a.send_signal(signal.SIGSTOP)
        left_at, name, reason = await departures.next()
        assert (name, reason) == ("a", Reason.SILENT)
        assert AGGRESSIVE.silence_s - BEAT_S - 0.02 < left_at - stopped_at < 0.8
        a.send_signal(signal.SIGCONT)
        await present(directory, "a", "b")


@pytest.mark.slow
async def test_healthy_processes_stay_while_the_machine_is_very_busy(nats_access: NatsAccess, service: str) -> None:
    """For the most patient and for the most impatient; again where the machine stood still for who looks."""
    async with (
        directory_of(nats_access, service) as patient,
        directory_of(nats_access, service, IMPATIENT) as impatient,
        instances(nats_access, service, "a", "b", heartbeat_s=BEAT_S),
        AsyncExitStack() as stack,
    ):
        changes: list[Change] = []
        for directory in (patient, impatient):
            await serving(directory, "a", "b")
            directory.on_change(changes.append)
        for _ in range(8):
            await stack.enter_async_context(running("-c", BUSY))
        until = time.monotonic() + DEADLINE_S
        excused = True
        while excused and time.monotonic() < until:
            await serving(impatient, "a", "b")
            changes.clear()
            before_s = stood_still_s()
            with suppress(TimeoutError):
                await impatient.wait_for(lambda _: bool(changes), 10)
            excused = bool(changes) and stood_still_s() - before_s >= AGGRESSIVE.silence_s / 4
        assert changes == []


def stood_still_s() -> float:
    """What our own loop did not count of the time, as it did not run."""
    return time.monotonic() - asyncio.get_running_loop().time()


@pytest.mark.slow
async def test_a_rolling_restart_makes_nobody_leave_whatever_is_hinted(service: str) -> None:
    """Clients whose node dies are refused for 50 to 100 ms, and whoever misses them says so."""
    async with nats_server(nodes=3) as server:
        access = accessed(server)
        async with (
            instances(access, service, "a", heartbeat_s=BEAT_S, replicas=3),
            instances(access, service, "b", "c", heartbeat_s=BEAT_S, replicas=3),
            directory_of(access, service, IMPATIENT) as directory,
        ):
            await present(directory, "a", "b", "c")
            changes: list[Change] = []
            directory.on_change(lambda change: changes.append(change) if isinstance(change, Joined | Left) else None)
            for node in server.nodes:
                await node.kill()
                until = clock.now() + 0.5
                while clock.now() < until:
                    for name in "abc":
                        directory.suspect(service, name)
                    await asyncio.sleep(0.005)
                await node.start()
                await directory.wait_for(lambda table: table.age_s < 0.1, DEADLINE_S)
            assert changes == []
            await present(directory, "a", "b", "c")
