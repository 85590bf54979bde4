"""An instance of the accounts as a process, with its history, and with orders to harm itself.

    python -m chaos.instance SERVICE INSTANCE KEYS VENUE HISTORY_FILE URL...

It prints "ready" when it has joined the election. Orders come as JSON lines on its standard input: `block` the event
loop for `seconds`, print its `clocks`, `arm` a `point` to stop at, `recover_slowly`, be `deaf` to what others say of
their leases, `hand_over` a `key`. CHAOS_MUTATION takes a guard out before anything begins.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
import uvloop

from aegis_sdk import clock
from aegis_sdk.errors import AegisError
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.ledger.ledger import Ledger
from aegis_sdk.registry import Registration
from aegis_sdk.service import HostOptions, ServiceHost
from aegis_sdk.single_active.host import ActiveHost
from aegis_sdk.single_active.tails import Tails
from aegis_sdk.single_active.trace import Trace
from aegis_sdk.telemetry import configure_logging
from aegis_sdk.transport_nats import NatsTransport

from .accounts import Accounts
from .history import Fault, Recorder, Traced
from .mutations import MUTATIONS
from .preempted import Waits
from .venue import VenueConnection

REPLICAS = 3


class Orders:
    """What the harness tells this process to do to itself."""

    def __init__(self, service: Accounts, instance: str, recorder: Recorder) -> None:
        self._service = service
        self._instance = instance
        self._recorder = recorder
        self.active: ActiveHost | None = None
        self.tasks: set[asyncio.Task[Any]] = set()

    async def follow(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            order = json.loads(line)
            getattr(self, order.pop("do"))(**order)

    def block(self, seconds: float) -> None:
        began = clock.now()
        select.select((), (), (), seconds)  # `time.sleep` fails where the wall clock is faked
        self._recorder.write(Fault("blocked", self._instance, began, clock.now(), os.getpid()))

    def clocks(self) -> None:
        """Two wall clocks as this process sees them, and what never jumps."""
        walls = {"datetime": datetime.now(UTC).timestamp(), "time": time.time()}
        print(json.dumps({**walls, "monotonic": time.monotonic(), "boot": clock.now()}), flush=True)

    def arm(self, point: str) -> None:
        self._service.points.add(point)

    def recover_slowly(self, seconds: float) -> None:
        self._service.recover_s = seconds

    def deaf(self) -> None:
        self._service.is_deaf = True

    def hand_over(self, key: str, successor: str) -> None:
        assert self.active is not None
        task = asyncio.create_task(_quietly(self.active.hand_over(key, successor)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def _quietly(work: Any) -> None:
    try:
        await work
    except (AegisError, TimeoutError) as error:
        structlog.get_logger("chaos").warning("order_failed", reason=str(error))


def _stop_in_claims(service: Accounts) -> None:
    """A point between the claim's leaving and its answer."""
    claim = Ledger.claim

    async def claimed(self: Ledger, *arguments: Any, **options: Any) -> Any:
        answer = asyncio.ensure_future(claim(self, *arguments, **options))
        await asyncio.sleep(0.001)
        service.strike("in_claim")
        return await answer

    Ledger.claim = claimed


def _deafen(service: Accounts) -> None:
    """A reader of the ledger that may hang: from then on no lease and no journal entry is heard of."""
    begin, fold = Tails.__init__, Tails._fold
    tails: Any = Tails

    def begun(self: Tails, transport: Any, ledger: Any, on_lease: Any, *others: Any) -> None:
        begin(self, transport, ledger, lambda read: None if service.is_deaf else on_lease(read), *others)

    tails.__init__ = begun
    tails._fold = lambda self, read: None if service.is_deaf else fold(self, read)


async def main(name: str, instance: str, keys: str, venue: str, path: str, *urls: str) -> None:
    recorder = Recorder(Path(path))
    Accounts.name = name
    host_name, _, port = venue.partition(":")
    waits = Waits(instance, recorder)
    service = Accounts(keys.split(","), instance, VenueConnection(host_name, int(port)), recorder, waits)
    _stop_in_claims(service)
    _deafen(service)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def observe(trace: Trace) -> None:
        recorder.write(Traced.of(instance, os.getpid(), trace, waits.since_checked_s()))

    transport = await NatsTransport.connect(
        urls, user=os.environ["NATS_USER"], password=os.environ["NATS_PASSWORD"], name=instance, connect_timeout=30
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(transport.close)
        host = ServiceHost(transport, service, HostOptions(instance=instance, drain_timeout_s=3))
        active = ActiveHost(transport, service, host, replicas=REPLICAS, observer=observe)
        registration = Registration(
            transport,
            InstanceRecord(service=name, instance=instance),
            replicas=REPLICAS,
            interval_s=service.timers.heartbeat_s,
            vitals=active.vitals,
        )
        orders = Orders(service, instance, recorder)
        orders.active = active
        stack.push_async_callback(registration.stop)
        stack.push_async_callback(host.stop)
        stack.push_async_callback(active.stop)
        await registration.start()
        await host.start()
        await active.start(registration)
        registration.set_status(InstanceStatus.ACTIVE)
        following = asyncio.create_task(orders.follow())
        stack.callback(following.cancel)
        print("ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    configure_logging()
    if mutation := os.environ.get("CHAOS_MUTATION"):
        MUTATIONS[mutation]()
    uvloop.run(main(*sys.argv[1:]))
