"""A single-active service that can be looked into and made to misbehave, and instances of it, wired like programs."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from pydantic import BaseModel

from aegis_sdk import subjects
from aegis_sdk.active_call import Answer
from aegis_sdk.client import Client
from aegis_sdk.errors import DeadlineExceeded, Rejected
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.messages import NO_HEADERS, Headers, Message
from aegis_sdk.method import Method
from aegis_sdk.registry import Registration
from aegis_sdk.service import HostOptions, ServiceHost
from aegis_sdk.single_active import (
    AGGRESSIVE,
    ActiveContext,
    ActiveHost,
    Committed,
    OpenIntent,
    Settled,
    SingleActive,
    active,
)
from aegis_sdk.single_active.holding import Holding
from aegis_sdk.single_active.trace import Trace
from aegis_sdk.transport import Transport

from .network import DEADLINE_S, Network

KEY = "A1"
LOOK_S = 0.1
TIMERS = replace(AGGRESSIVE, silence_s=0.3, settle_s=0.31, write_s=0.25, outcome_s=0.8, suspended_s=0.5, recover_s=1.0)


class Order(BaseModel):
    amount: int = 0


class Balance(BaseModel):
    amount: int


class Overdrawn(Rejected):
    code = "contract_overdrawn"


class Venue:
    """What is outside: it takes an order of each name once, and keeps it when the desk's instances are gone."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.refuses = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked: list[str] = []
        self.is_away = False

    async def send(self, name: str) -> bool:
        self.orders.append(name)
        await self.answers.wait()
        return not self.refuses

    async def has(self, name: str) -> bool:
        self.asked.append(name)
        await self.answers.wait()
        if self.is_away:
            raise OSError("the venue is away")
        return name in self.orders


class Desk(SingleActive):
    """`told` is what its hooks were called with; the attributes below make them misbehave."""

    timers = TIMERS

    def __init__(self, venue: Venue, keys: Iterable[str]) -> None:
        self.venue = venue
        self.told: list[tuple[Any, ...]] = []
        self.balances: dict[str, int] = {}
        self.began = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.recover_lasts_s = 0.0
        self.recover_error: Exception | None = None
        self.hook_lasts_s = 0.0
        self.leaving_lasts_s = 0.0
        self.applies = True
        self.is_healthy = True
        self.settles = True
        self._keys = tuple(keys)

    def keys(self) -> Iterable[str]:
        return self._keys

    # State

    def restore(self, key: str, snapshot: bytes | None) -> None:
        self.told.append(("restore", key, snapshot))
        self.balances[key] = int(snapshot or 0)

    def apply(self, key: str, change: Committed) -> None:
        if not self.applies:
            raise ArithmeticError("cannot be applied")
        self.told.append(("apply", key, change.kind))
        if change.kind == "result" and (done := msgspec.json.decode(change.data)) is not None:
            self.balances[key] += done["amount"]

    def snapshot(self, key: str) -> bytes | None:
        return str(self.balances[key]).encode()

    # Coming and going

    async def recover(self, key: str, intents: Mapping[str, OpenIntent]) -> None:
        self.told.append(("recover", key, tuple(intents)))
        await asyncio.sleep(self.recover_lasts_s)
        if self.recover_error is not None:
            raise self.recover_error

    async def settle(self, key: str, intent: OpenIntent) -> Settled | None:
        self.told.append(("settle", key, intent.idempotency_key))
        if not self.settles:
            return None
        if await self.venue.has(intent.idempotency_key):
            return Settled(Balance(amount=-1), Order.model_validate_json(intent.data))
        return Settled(Overdrawn("the venue has never heard of it"))

    async def on_active(self, key: str, epoch: int) -> None:
        self.told.append(("on_active", key, epoch))
        try:
            await asyncio.sleep(self.hook_lasts_s)
        except asyncio.CancelledError:
            self.told.append(("on_active cancelled", key))
            raise

    async def on_leaving(self, key: str) -> None:
        self.told.append(("on_leaving", key, self.held(key).is_trusted))

    async def on_standby(self, key: str) -> None:
        self.told.append(("on_standby", key))
        await asyncio.sleep(self.leaving_lasts_s)
        if self.leaving_lasts_s:
            self.told.append(("left", key))

    async def healthy(self) -> bool:
        return self.is_healthy

    def hooks(self, *names: str) -> list[str]:
        """Which of these were called, in order."""
        return [each[0] for each in self.told if each[0] in names]

    # Handlers

    @active
    async def deposit(self, request: Order, context: ActiveContext) -> Balance:
        return await context.commit(request, Balance(amount=self.balances[context.key] + request.amount))

    @active
    async def order(self, request: Order, context: ActiveContext) -> Balance:
        told = Balance(amount=self.balances[context.key] + request.amount)
        await context.intend(request)
        if not await self.venue.send(context.idempotency_key):
            raise Overdrawn("the venue says no")
        return await context.commit(request, told)

    @active
    async def break_off(self, request: Order, context: ActiveContext) -> Balance:
        """Ends by an error, when the venue has the order."""
        await context.intend(request)
        await self.venue.send(context.idempotency_key)
        raise LookupError("broken")

    @active
    async def break_early(self, request: Order, context: ActiveContext) -> Balance:
        raise LookupError("broken before anything was done")

    @active
    async def wait(self, request: Order, context: ActiveContext) -> Balance:
        """Deposits when the test lets it."""
        self.began.set()
        await self.goes_on.wait()
        return await self.deposit(request, context)

    @active
    async def wait_alone(self, request: Order, context: ActiveContext) -> Balance:
        """Waits with the key's lock."""
        async with context.lock:
            told = Balance(amount=self.balances[context.key] + request.amount)
            self.began.set()
            await self.goes_on.wait()
            return await context.commit(request, told)

    @active
    async def deposit_alone(self, request: Order, context: ActiveContext) -> Balance:
        async with context.lock:
            return await self.deposit(request, context)

    @active
    async def withdraw(self, request: Order, context: ActiveContext) -> Balance:
        if self.balances[context.key] < request.amount:
            raise Overdrawn(f"{self.balances[context.key]} is all there is")
        return await context.commit(Order(amount=-request.amount), Balance(amount=0))

    @active
    async def swallow(self, request: Order, context: ActiveContext) -> Balance:
        """Answers as if all were well, whatever became of its commit."""
        try:
            return await context.commit(request, Balance(amount=7))
        except Exception:
            return Balance(amount=8)

    @active
    async def fail_late(self, request: Order, context: ActiveContext) -> Balance:
        """Ends by an error although it has committed."""
        await context.commit(request, Balance(amount=9))
        raise Overdrawn("too late to say so")

    @active
    async def bulk(self, request: Order, context: ActiveContext) -> Balance:
        return await context.commit(b'"' + b"x" * request.amount + b'"', Balance(amount=0))

    @active
    async def balance(self, request: Order, context: ActiveContext) -> Balance:
        return Balance(amount=self.balances[context.key])

    @active(stale_ok=True)
    async def peek(self, request: Order, context: ActiveContext) -> Balance:
        return Balance(amount=self.balances[context.key])


class Faulty:
    """A transport whose writes to streams can go wrong.

    `away`: they do not arrive. `deaf`: they arrive, and the answers are lost. `claims`: batches that claim keys.
    """

    def __init__(self, transport: Transport) -> None:
        self.real = transport
        self.away = False
        self.deaf = False
        self.claims = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def append_now(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> Future[int]:
        if not self.away and not self.deaf:
            return self.real.append_now(subject, payload, headers, timeout)
        if self.deaf:
            self.real.append_now(subject, payload, headers, timeout).add_done_callback(lambda done: done.exception())
        lost: Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(min(timeout, 0.05), _lose, lost)
        return lost

    async def append_batch(self, messages: Sequence[tuple[str, bytes, Headers]], timeout: float = 5.0) -> int:
        self.claims += any(subject.endswith(".lease") for subject, _, _ in messages)
        if not self.away:
            sequence = await self.real.append_batch(messages, timeout)
            if not self.deaf:
                return sequence
        await asyncio.sleep(min(timeout, 0.05))
        raise DeadlineExceeded("lost")


def _lose(lost: Future[int]) -> None:
    if not lost.done():
        lost.set_exception(DeadlineExceeded("lost"))


class Running:
    """One instance, as `program.serve` runs it."""

    def __init__(self, transport: Transport, desk: Desk, instance: str, drain_timeout_s: float) -> None:
        self.desk = desk
        self.instance = instance
        self.traces: list[Trace] = []
        self.transport = Faulty(transport)
        faulty: Any = self.transport
        self.host = ServiceHost(faulty, desk, HostOptions(instance=instance, drain_timeout_s=drain_timeout_s))
        self.active = ActiveHost(faulty, desk, self.host, observer=self.traces.append)
        self.registration = Registration(
            faulty,
            InstanceRecord(service=desk.name, instance=instance),
            desk.timers.heartbeat_s,
            vitals=self.active.vitals,
        )

    async def start(self) -> None:
        await self.registration.start()
        await self.host.start()
        await self.active.start(self.registration)

    async def stop(self) -> None:
        await self.active.stop()
        self.registration.set_status(InstanceStatus.DRAINING)
        await self.host.stop()
        await self.registration.stop()

    async def vanish(self) -> None:
        """Be gone without a word, like a killed process: nobody hears of it any more, nor it of anybody."""
        await self.transport.real.close()

    def holding(self, key: str = KEY) -> Holding:
        return self.active.held[key]

    def is_active(self, key: str = KEY) -> bool:
        return key in self.active.held and self.active.held[key].is_open

    async def takes(self, key: str = KEY) -> int:
        """Return when it is active for the key, and whoever calls its epoch finds it; the epoch."""
        await until(lambda: self.is_active(key))
        await self.transport.flush()
        return self.holding(key).epoch

    def knows(self, other: Running) -> bool:
        """Whether it would hand a key over to the other."""
        return any(known.instance == other.instance for known in self.active._election.candidates)


class Desks:
    """All instances of a test, and a client of theirs."""

    def __init__(self, network: Network, name: str) -> None:
        self.name = name
        self.network = network
        self.venue = Venue()
        self._running: list[Running] = []
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def start(
        self, instance: str = "a", keys: Iterable[str] = (KEY,), drain_timeout_s: float = 2.0, **settings: Any
    ) -> Running:
        kind: type[Desk] = type("Desk", (Desk,), {"name": self.name, **settings})
        running = Running(await self.network.connect(), kind(self.venue, keys), instance, drain_timeout_s)
        self._running.append(running)
        await running.start()
        return running

    async def active(self, **settings: Any) -> Running:
        """An instance that is active for KEY."""
        running = await self.start(**settings)
        await running.takes()
        return running

    async def pair(self, **settings: Any) -> tuple[Running, Running]:
        """The active instance, and one that stands by."""
        first = await self.active(**settings)
        second = await self.start("b", **settings)
        await until(lambda: first.knows(second) and second.knows(first))
        return first, second

    def method(self, name: str) -> Method[Order, Balance]:
        return Method(self.name, name, Order, Balance)

    async def call(
        self, name: str, amount: int = 0, key: str = KEY, timeout: float = DEADLINE_S, idempotency_key: str = ""
    ) -> Answer[Balance]:
        async with self._connecting:
            self._client = self._client or Client(await self.network.connect())
        return await self._client.call_active(
            self.method(name), key, Order(amount=amount), timeout=timeout, idempotency_key=idempotency_key
        )

    def begin(self, name: str, amount: int = 0, **options: Any) -> asyncio.Task[Answer[Balance]]:
        return asyncio.create_task(self.call(name, amount, **options))

    async def close(self) -> None:
        for running in self._running:
            running.desk.goes_on.set()
        self.venue.answers.set()
        for running in self._running:
            running.transport.away = running.transport.deaf = False
            running.active._drain_timeout_s = 0.01
            running.active._timers = replace(TIMERS, write_s=0.05)  # who has vanished cannot hand over
            await running.stop()


async def asked(running: Running, other: Transport, method: str, headers: Headers = NO_HEADERS) -> Message:
    """What the instance replies to a request, however late."""
    subject = subjects.active(running.desk.name, KEY, running.holding().epoch, method)
    return await other.request(subject, b'{"amount":2}', headers, timeout=DEADLINE_S)


async def until(condition: Callable[[], bool], within_s: float = DEADLINE_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - a host tells of no such change
            await asyncio.sleep(0.005)
