"""Calls by zone and weight, where a thousand instances live and twenty of them hold keys: real processes and server."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from aegis_sdk import clock
from aegis_sdk.client import Client
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import DeadlineExceeded, Moved, Rejected, Unavailable
from aegis_sdk.instances import Instance, InstanceStatus
from aegis_sdk.method import Empty
from aegis_sdk.single_active.operations import Handover, drain_of, handover_of
from aegis_sdk.testing import nats_server
from aegis_sdk.transport_nats import NatsTransport

from .instance_processes import running
from .keyed_quotes import FAR, INSTANCES, KEYS, NEAR, Quotes

HERE = Path(__file__).parent
DEADLINE_S = 100
TIMEOUT_S = 5.0
RETRY_S = 0.1
OTHERS = 1000 - len(INSTANCES)
CALLERS = 2
CALLS = 10_000
AT_ONCE = 20  # of one caller
BETWEEN = 500  # calls, before and after each loss


class Call(NamedTuple):
    """Times are of the boot clock. `instance` is empty where it was asked, and died before it answered."""

    began_at: float
    ended_at: float
    instance: str = ""


class Caller:
    """A client with a directory of everybody, and what its calls by zone were answered by."""

    def __init__(self, client: Client, directory: Directory) -> None:
        self.client = client
        self.directory = directory
        self.calls: list[Call] = []

    async def call(self) -> None:
        began_at = clock.now()
        try:
            quote = await self.client.call(Quotes.quote, Empty(), zone="near", timeout=TIMEOUT_S)
        except DeadlineExceeded:
            self.calls.append(Call(began_at, clock.now()))
        else:
            self.calls.append(Call(began_at, clock.now(), quote.instance))

    async def call_times(self, count: int) -> None:
        for _ in range(count):
            await self.call()

    async def call_until(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            await self.call()

    def quotes(self) -> dict[str, Instance]:
        return {each.record.instance: each for each in self.directory.instances(Quotes.name)}

    def held(self) -> dict[str, set[str]]:
        """The keys of each instance, by its record."""
        return {name: set(each.record.keys) for name, each in self.quotes().items()}


class World(NamedTuple):
    callers: list[Caller]
    processes: dict[str, Process]  # by an instance that lives in each

    def calls(self) -> list[Call]:
        """In the order in which they ended."""
        return sorted((call for caller in self.callers for call in caller.calls), key=lambda call: call.ended_at)

    async def wait_until_all_see(self, instance: str, status: InstanceStatus | None) -> None:
        """Return when each caller's directory has the instance at this status; None: has it no more."""
        for caller in self.callers:

            def seen(_: Directory, caller: Caller = caller) -> bool:
                found = caller.quotes().get(instance)
                return found.status is status if found else status is None

            await caller.directory.wait_for(seen, DEADLINE_S)

    async def more_calls(self) -> None:
        """Return when some more have been answered."""
        wanted = len(self.calls()) + BETWEEN
        for caller in self.callers:
            await caller.directory.wait_for(lambda _: len(self.calls()) >= wanted, DEADLINE_S)


@asynccontextmanager
async def thousand_instances() -> AsyncGenerator[World]:
    """All of them are heard by all callers, and each of the twenty holds keys."""
    async with nats_server() as server, AsyncExitStack() as stack:
        user = server.credentials
        settings = {
            "AEGIS_NATS_URL": server.urls[0],
            "AEGIS_NATS_USER": user.user,
            "AEGIS_NATS_PASSWORD": user.password,
        }

        async def started(script: str, *arguments: str) -> Process:
            return await stack.enter_async_context(running(str(HERE / script), *arguments, **settings))

        near = {name: f"{name}:near:{weight}" for name, weight in NEAR.items()}
        processes = {
            "far": await started("keyed_quotes.py", *(f"{name}:far:100" for name in FAR)),
            "a": await started("keyed_quotes.py", near["a"], near["b"]),
            "c": await started("keyed_quotes.py", near["c"]),
            "d": await started("keyed_quotes.py", near["d"]),
            "others": await started("many_registrations.py", "others", str(OTHERS)),
        }
        callers: list[Caller] = []
        for _ in range(CALLERS):
            transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
            stack.push_async_callback(transport.close)
            directory = await stack.enter_async_context(Directory.open(transport))
            callers.append(Caller(Client(transport, directory), directory))
        for caller in callers:
            await caller.directory.wait_for(lambda _, caller=caller: all_are_there(caller), DEADLINE_S)
        await give_keys(callers[0])
        for caller in callers:
            await caller.directory.wait_for(lambda _, caller=caller: each_has_keys(caller), DEADLINE_S)
        yield World(callers, processes)


def all_are_there(caller: Caller) -> bool:
    held = caller.held()
    return set(held) == set(INSTANCES) and set[str]().union(*held.values()) == set(KEYS) and is_full(caller)


def each_has_keys(caller: Caller) -> bool:
    return all_are_there(caller) and all(caller.held().values())


def is_full(caller: Caller) -> bool:
    return len(caller.directory.instances()) == OTHERS + len(INSTANCES)


async def give_keys(caller: Caller) -> None:
    """Hand a key over to each that came when others held all of them."""
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        for key, name in zip(KEYS, INSTANCES, strict=False):
            if not caller.held()[name]:
                group.create_task(give_key(caller, key, name))


async def give_key(caller: Caller, key: str, name: str) -> None:
    while key not in (held := caller.held()).get(name, ()):
        for holder in held:
            if key in held[holder]:
                with suppress(Moved, Rejected, Unavailable):  # until it has settled, and the records tell
                    await caller.client.call(handover_of(Quotes.name), Handover(key=key, to=name), instance=holder)
        await asyncio.sleep(RETRY_S)


@pytest.mark.slow
async def test_calls_by_zone_are_shared_by_weight_and_leave_it_only_when_nobody_healthy_is_in_it() -> None:
    async with thousand_instances() as world:
        each = CALLS // CALLERS // AT_ONCE
        await asyncio.gather(*(caller.call_times(each) for caller in world.callers for _ in range(AT_ONCE)))
        taken = Counter(call.instance for call in world.calls())
        assert taken.total() == CALLS
        assert set(taken) == set(NEAR), "none has left the zone"
        for name, weight in NEAR.items():
            assert abs(taken[name] / CALLS - weight / sum(NEAR.values())) < 0.02, taken
        for caller in world.callers:
            await caller.directory.wait_for(lambda _, caller=caller: is_full(caller), DEADLINE_S)

        async with calling(world):
            losses = {name: await drain(world, name) for name in ("a", "b")}
            losses |= {name: await kill(world, name) for name in ("c", "d")}

        calls = world.calls()[CALLS:]
        far = [call for call in calls if call.instance in FAR]
        assert all(call.ended_at > losses["d"].at for call in far), "d was still in the zone"
        assert {call.instance for call in calls if call.began_at > losses["d"].known_at} == set(FAR)
        for name, loss in losses.items():
            assert name not in {call.instance for call in calls if call.began_at > loss.known_at}
        alone = {call.instance for call in calls if losses["b"].known_at < call.began_at < losses["c"].at}
        assert alone - {""} == {"c", "d"}
        for call in calls:
            assert call.instance or any(is_through(call, losses[name]) for name in "cd")


class Loss(NamedTuple):
    """When an instance was healthy no more, and when all callers knew."""

    at: float
    known_at: float


def is_through(call: Call, loss: Loss) -> bool:
    return call.began_at < loss.known_at and call.ended_at > loss.at


@asynccontextmanager
async def calling(world: World) -> AsyncGenerator[None]:
    """All callers go on, before, through and after what happens; each call is answered."""
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for caller in world.callers:
            for _ in range(AT_ONCE):
                group.create_task(caller.call_until(enough))
        await world.more_calls()
        yield
        enough.set()


async def drain(world: World, name: str) -> Loss:
    at = clock.now()
    await world.callers[0].client.call(drain_of(Quotes.name), Empty(), instance=name)
    return await lost(world, name, InstanceStatus.DRAINING, at)


async def kill(world: World, name: str) -> Loss:
    """Kill the process of an instance."""
    at = clock.now()
    world.processes[name].kill()
    return await lost(world, name, None, at)


async def lost(world: World, name: str, status: InstanceStatus | None, at: float) -> Loss:
    await world.wait_until_all_see(name, status)
    known_at = clock.now()
    await world.more_calls()
    return Loss(at, known_at)
