"""Market data whose contracts can be muted, agents, and an operations plane, in one process at 20 times the pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from aegis.contracts.health import ESCALATED, REPORT, Escalation, HealthReport, RecoveryAnswer
from aegis.contracts.market import Quote
from aegis.contracts.reasons import explained
from aegis.contracts.subscriptions import SUBSCRIBE, WishRequest
from aegis.marketdata.adapters.simulated import SimulatedFeed, SimulatedOptions
from aegis.marketdata.bootstrap import build
from aegis.marketdata.health.agent import HealthAgent
from aegis.marketdata.health.domain.repairs import Patience
from aegis.marketdata.health.hooks import RecoveryHook
from aegis.marketdata.health.settings import HealthSettings
from aegis.marketdata.ports import FeedSink
from aegis_sdk import Client, Empty, Service, rpc
from aegis_sdk.errors import Rejected
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.registry import Registration
from aegis_sdk.service import HostOptions, ServiceHost
from aegis_sdk.single_active import ActiveHost, SingleActive
from aegis_sdk.transport import Transport
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

DEADLINE_S = 30.0
QUICK = Patience(resubscribe_s=1.1, renew_s=0.8, fail_over_s=0.3, down_s=1.0, calm_s=1.0)
IMPATIENT = Patience(resubscribe_s=0.1, renew_s=0.2, fail_over_s=0.1)
CONTRACTS = [f"SHFE.{symbol}" for symbol in ("rb2502", "hc2502", "cu2502", "al2502", "zn2502", "ni2502")]


class Muting:
    """A sink that loses the quotes of some contracts on their way."""

    def __init__(self, sink: FeedSink, muted: set[str]) -> None:
        self._sink = sink
        self._muted = muted

    def offer(self, quote: Quote) -> None:
        if f"{quote.exchange}.{quote.symbol}" not in self._muted:
            self._sink.offer(quote)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sink, name)


class Deaf(SimulatedFeed):
    def __init__(self) -> None:
        super().__init__(SimulatedOptions(start_day="20250102", speed=20))
        self.muted: set[str] = set()

    async def open(self, sink: FeedSink) -> None:
        await super().open(Muting(sink, self.muted))  # type: ignore[arg-type]


class OneSession(Deaf):
    """As a replay: it has no other session."""

    async def renew(self) -> None:
        raise explained(Rejected, "one_session")


class Operations(Service):
    """The operations plane: it answers as the test wants."""

    name = "operations"

    def __init__(self, *answers: RecoveryAnswer) -> None:
        self.told: list[Escalation] = []
        self._answers = list(answers)

    @rpc(ESCALATED)
    async def escalated(self, request: Escalation) -> RecoveryAnswer:
        self.told.append(request)
        return self._answers.pop(0) if self._answers else RecoveryAnswer()


class Sick:
    """A hook of somebody else: it never answers the first escalation, and fails at all others."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.given_up = asyncio.Event()
        self.failed = asyncio.Event()

    async def escalated(self, escalation: Escalation) -> RecoveryAnswer:
        if self.asked.is_set():
            self.failed.set()
            raise ValueError("out of order")
        self.asked.set()
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            self.given_up.set()


@asynccontextmanager
async def hosted(transport: Transport, service: Service, instance: str) -> AsyncGenerator[None]:
    """As `program.serve` runs it."""
    host = ServiceHost(transport, service, HostOptions(instance=instance, drain_timeout_s=1))
    active = ActiveHost(transport, service, host) if isinstance(service, SingleActive) else None
    record = InstanceRecord(service=service.name, instance=instance)
    registration = Registration(transport, record, vitals=active.vitals) if active else Registration(transport, record)
    await registration.start()
    await host.start()
    if active is None:
        registration.set_status(InstanceStatus.ACTIVE)
    else:
        await active.start(registration)
    try:
        yield
    finally:
        if active is not None:
            await active.stop()
        await host.stop()
        await registration.stop()
        await transport.close()


class Running:
    def __init__(self, transport: Transport, feed: Deaf, agents: list[HealthAgent]) -> None:
        self.transport = transport
        self.client = Client(self.transport)
        self.feed = feed
        self.agents = agents
        self.market = AsyncExitStack()  # close it, and market data ends

    @property
    def repairers(self) -> list[HealthAgent]:
        """The agents that have tried to repair something."""
        return [one for one in self.agents if one.counted]

    async def report(self) -> HealthReport:
        return (await self.client.call_active(REPORT, "main", Empty(), timeout=DEADLINE_S)).value

    async def until(self, holds: Callable[[HealthReport], bool]) -> HealthReport:
        while True:
            if holds(report := await self.report()):
                return report
            await asyncio.sleep(0.02)

    async def subscribe(self, instance: str) -> None:
        wish = WishRequest(consumer="a", instruments=CONTRACTS)
        await self.client.call(SUBSCRIBE, wish, instance=instance, timeout=DEADLINE_S)

    async def warm(self) -> None:
        """All have been heard often enough to be judged."""
        await self.until(lambda report: report.in_all.verdicts == {"healthy": len(CONTRACTS)})

    def figures(self) -> dict[tuple[str, ...], float]:
        [agent] = self.repairers
        samples = (sample for metric in agent.metrics() for sample in metric.samples)
        return {(one.name, *one.labels.values()): one.value for one in samples}


async def desk(
    stack: AsyncExitStack,
    monkeypatch: pytest.MonkeyPatch,
    operations: Operations | None = None,
    patience: Patience = QUICK,
    hook: RecoveryHook | None = None,
    **settings: Any,
) -> Running:
    """Market data with some contracts, two agents of which one may repair, and perhaps an operations plane."""
    broker, feed = MemoryBroker(), Deaf()
    monkeypatch.setattr("aegis.marketdata.bootstrap.SimulatedFeed", lambda _: feed)
    await stack.enter_async_context(asyncio.timeout(DEADLINE_S))
    made = build({"AEGIS_NATS_URL": "nats://127.0.0.1:1", "AEGIS_WANTED": "nothing"})
    market = await stack.enter_async_context(AsyncExitStack())
    await market.enter_async_context(hosted(MemoryTransport(broker), made, "marketdata-1"))
    if operations is not None:
        await stack.enter_async_context(hosted(MemoryTransport(broker), operations, "operations-1"))
    agents = [HealthAgent(HealthSettings(**settings), hook, patience) for _ in range(2)]
    for number, agent in enumerate(agents, 1):
        await stack.enter_async_context(hosted(MemoryTransport(broker), agent, f"health-{number}"))
    running = Running(MemoryTransport(broker), feed, agents)
    running.market = market
    stack.push_async_callback(running.transport.close)
    await running.subscribe("marketdata-1")
    await running.warm()
    return running
