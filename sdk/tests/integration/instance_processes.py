"""Processes that are instances, and who watches them."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from aegis_sdk import clock
from aegis_sdk.changes import Change
from aegis_sdk.discovery import Directory
from aegis_sdk.instances import HEARTBEAT_S, InstanceStatus, Left, Reason
from aegis_sdk.liveness import Patience
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.testing import NatsAccess
from aegis_sdk.transport_nats import NatsTransport

SCRIPT = Path(__file__).with_name("registered_instance.py")
BUSY = "while True: pass"
DEADLINE_S = 60


@asynccontextmanager
async def running(*command: str, **environment: str) -> AsyncIterator[Process]:
    """A process that is gone afterwards, whatever state it is in."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdin=DEVNULL, stdout=PIPE, env={**os.environ, **environment}
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def ready(process: Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        async for line in process.stdout:
            if line == b"ready\n":
                return
    raise AssertionError("it ended before it was ready")


@asynccontextmanager
async def instances(
    access: NatsAccess, service: str, *names: str, replicas: int = 1, heartbeat_s: float = HEARTBEAT_S
) -> AsyncIterator[Sequence[Process]]:
    """One process for each name; all of them are registered."""
    settings = {"NATS_USER": access.user, "NATS_PASSWORD": access.password}
    settings |= {"REPLICAS": str(replicas), "HEARTBEAT_S": str(heartbeat_s)}
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(running(str(SCRIPT), service, name, *access.urls, **settings))
            for name in names
        ]
        for process in processes:
            await ready(process)
        yield processes


@asynccontextmanager
async def directory_of(access: NatsAccess, service: str, patience: Patience | None = None) -> AsyncIterator[Directory]:
    transport = await NatsTransport.connect(access.urls, user=access.user, password=access.password)
    try:
        async with Directory.open(transport, service=service, patience=patience or Patience()) as directory:
            yield directory
    finally:
        await transport.close()


def accessed(server: EmbeddedServer) -> NatsAccess:
    user = server.credentials
    return NatsAccess(urls=server.urls, user=user.user, password=user.password)


async def present(directory: Directory, *names: str) -> None:
    await directory.wait_for(
        lambda table: sorted(each.record.instance for each in table.instances()) == sorted(names), DEADLINE_S
    )


async def serving(directory: Directory, *names: str) -> None:
    """Until these are there and have nothing more to tell of their start."""
    ready = [(name, InstanceStatus.ACTIVE, True) for name in sorted(names)]
    await directory.wait_for(
        lambda table: (
            sorted((each.record.instance, each.status, each.confirmed) for each in table.instances()) == ready
        ),
        DEADLINE_S,
    )


class Departures:
    """Who left, when, and why."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.seen: list[tuple[float, str, Reason]] = []
        directory.on_change(self._note)

    def _note(self, change: Change) -> None:
        if isinstance(change, Left):
            self.seen.append((clock.now(), change.instance.record.instance, change.reason))

    async def next(self) -> tuple[float, str, Reason]:
        await self._directory.wait_for(lambda _: bool(self.seen), DEADLINE_S)
        return self.seen.pop(0)
