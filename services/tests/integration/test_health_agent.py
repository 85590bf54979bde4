"""The agent, market data and the operations plane in this process, over a broker in memory, at 20 times the pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from aegis.contracts.health import (
    ESCALATED,
    REPORT,
    Escalation,
    HealthChanged,
    HealthReport,
    RecoveryAnswer,
)
from aegis.contracts.market import Quote
from aegis.contracts.marketdata import STATUS
from aegis.contracts.repairs import RENEW, RESUBSCRIBE, RenewRequest, ResubscribeRequest
from aegis.contracts.subscriptions import SUBSCRIBE, WishRequest
from aegis.marketdata.adapters.simulated import SimulatedFeed, SimulatedOptions
from aegis.marketdata.bootstrap import build
from aegis.marketdata.health.agent import HealthAgent
from aegis.marketdata.health.desk import Desk
from aegis.marketdata.health.domain.repairs import Kind, Patience, Repair
from aegis.marketdata.health.hooks import RecoveryHook
from aegis.marketdata.health.settings import HealthSettings
from aegis.marketdata.ports import FeedSink
from aegis_sdk import Client, Empty, Events, Service, rpc
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import Rejected, RpcError
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.registry import Registration
from aegis_sdk.service import HostOptions, ServiceHost
from aegis_sdk.single_active import ActiveHost, SingleActive
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
async def hosted(broker: MemoryBroker, service: Service, instance: str) -> AsyncGenerator[None]:
    """As `program.serve` runs it."""
    transport = MemoryTransport(broker)
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
    def __init__(self, broker: MemoryBroker, feed: Deaf, agents: list[HealthAgent]) -> None:
        self.transport = MemoryTransport(broker)
        self.client = Client(self.transport)
        self.feed = feed
        self.agents = agents

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

    async def warm(self) -> None:
        """All have been heard often enough to be judged."""
        await self.until(lambda report: report.in_all.verdicts == {"healthy": len(CONTRACTS)})

    def figures(self) -> dict[tuple[str, ...], float]:
        [agent] = self.repairers
        samples = (sample for metric in agent.metrics() for sample in metric.samples)
        return {(one.name, *one.labels.values()): one.value for one in samples}


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


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
    await stack.enter_async_context(hosted(broker, made, "marketdata-1"))
    if operations is not None:
        await stack.enter_async_context(hosted(broker, operations, "operations-1"))
    agents = [HealthAgent(HealthSettings(**settings), hook, patience) for _ in range(2)]
    for number, agent in enumerate(agents, 1):
        await stack.enter_async_context(hosted(broker, agent, f"health-{number}"))
    running = Running(broker, feed, agents)
    stack.push_async_callback(running.transport.close)
    await running.client.call(SUBSCRIBE, WishRequest(consumer="a", instruments=CONTRACTS), timeout=DEADLINE_S)
    await running.warm()
    return running


async def test_what_no_repair_heals_is_told_to_operations_which_may_have_it_tried_anew(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = Operations(RecoveryAnswer(decision="retry", note="mended"))
    running = await desk(stack, monkeypatch, operations)
    running.feed.muted.add(CONTRACTS[0])
    report = await running.until(lambda report: len(operations.told) == 2 and bool(report.escalated))
    assert (report.level, report.exit_code, report.escalated) == ("critical", 2, [CONTRACTS[0]])
    [case] = report.cases
    assert (case.instrument, case.verdict, case.attempts) == (CONTRACTS[0], "stalled", 5)
    ladder = [(one.kind, one.outcome) for one in report.repairs]
    steps = [
        ("resubscribe", "done"),
        ("resubscribe", "done"),
        ("renew", "done"),
        ("fail_over", "not_possible"),
        ("escalate", "done"),
    ]
    assert ladder[:5] == steps
    assert [kind for kind, _ in ladder[5:]] == [kind for kind, _ in steps]
    first, _ = operations.told
    assert (first.feed, first.named, first.instruments) == ("main", [CONTRACTS[0]], 1)
    assert [one.kind for one in first.tried] == [kind for kind, _ in steps]

    async with Events(running.transport).follow("event.health.main.escalated", Escalation) as events:
        assert (await anext(events)).body == first
    figures = running.figures()
    assert figures["aegis_health_level_state", "healthy"] == 0
    assert figures["aegis_health_repairs_total", "resubscribe", "done"] == 4
    assert figures["aegis_health_repairs_total", "escalate", "done"] == 2
    assert figures["aegis_health_instruments", "stalled"] == 1
    assert figures["aegis_health_coverage_ratio", "SHFE"] == pytest.approx(5 / 6)

    assert len(running.repairers) == 1, "of two agents"
    running.feed.muted.clear()
    await running.until(lambda report: report.level == "healthy" and not report.escalated)


async def test_operations_may_hold_all_repairs(stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    operations = Operations(RecoveryAnswer(decision="hold", hold_s=600))
    running = await desk(stack, monkeypatch, operations, IMPATIENT)
    running.feed.muted.add(CONTRACTS[0])
    await running.until(lambda report: bool(report.escalated))
    running.feed.muted.add(CONTRACTS[1])
    report = await running.until(lambda report: len(report.cases) == 2)
    assert len(report.repairs) == 5, "nothing was tried for the second one"


async def test_a_hook_that_hangs_or_fails_keeps_nobody_from_looking_and_telling(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis.marketdata.health.agent.ANSWER_S", 3.0)
    hook = Sick()
    running = await desk(stack, monkeypatch, patience=IMPATIENT, hook=hook)
    follow = Events(running.transport).follow("event.health.main.changed", HealthChanged)
    changes = await stack.enter_async_context(follow)
    running.feed.muted.add(CONTRACTS[0])
    await hook.asked.wait()
    running.feed.muted.add(CONTRACTS[1])
    async for change in changes:
        if change.body.named == sorted(CONTRACTS[:2]):
            break
    assert not hook.given_up.is_set(), "the second one was told while the hook was waited for"
    await hook.given_up.wait()
    await hook.failed.wait()
    running.feed.muted.clear()
    async for change in changes:
        if change.body.level == "healthy":
            break


async def test_an_agent_without_repairs_finds_the_same_and_touches_nothing(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await desk(stack, monkeypatch, repairs="off")
    before = await running.client.call(STATUS, Empty())
    running.feed.muted.add(CONTRACTS[0])
    report = await running.until(lambda report: bool(report.cases))
    assert (report.level, report.repairs_on) == ("critical", False), "five of six are less than nine in ten"
    running.feed.muted.clear()
    report = await running.until(lambda report: report.level == "healthy")
    after = await running.client.call(STATUS, Empty())
    assert report.repairs == []
    assert (after.session, after.subscribed) == (before.session, before.subscribed)


async def test_repairs_that_are_asked_for_too_often_are_refused(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await desk(stack, monkeypatch, repairs="off")
    call = running.client.call
    before = await call(STATUS, Empty())
    again = ResubscribeRequest(instruments=[*CONTRACTS[:2], "SHFE.none", "nonsense"])
    assert (await call(RESUBSCRIBE, again)).instruments == 2
    with pytest.raises(Rejected, match="one resubscription"):
        await call(RESUBSCRIBE, again)
    assert (await call(RENEW, RenewRequest())).session == before.session
    with pytest.raises(RpcError):
        await call(RENEW, RenewRequest())
    await running.until(lambda report: report.instances[0].session != before.session)


class Held(SingleActive):
    """A feed set that can change hands."""

    name = "marketdata"

    def keys(self) -> list[str]:
        return ["main"]


async def test_a_failover_is_the_handover_of_the_feed_set_and_not_possible_without_a_second_instance(
    stack: AsyncExitStack,
) -> None:
    await stack.enter_async_context(asyncio.timeout(DEADLINE_S))
    broker = MemoryBroker()
    transport = MemoryTransport(broker)
    stack.push_async_callback(transport.close)
    await stack.enter_async_context(hosted(broker, Held(), "marketdata-1"))
    directory = await stack.enter_async_context(Directory.open(transport, service="marketdata"))

    def holder() -> list[str]:
        return [one.record.instance for one in directory.instances() if "main" in one.record.keys]

    feeds = Desk(Client(transport), directory, "main")
    repair = Repair(kind=Kind.FAIL_OVER, reason="no ticks")
    await directory.wait_for(lambda _: holder() == ["marketdata-1"], DEADLINE_S)
    outcome, said = await feeds.do(repair, "marketdata-1")
    assert (outcome, said) == ("not_possible", "nobody but marketdata-1 is there to take main")
    await stack.enter_async_context(hosted(broker, Held(), "marketdata-2"))
    await directory.wait_for(lambda table: len(table.instances()) == 2, DEADLINE_S)
    outcome, said = await feeds.do(repair, "marketdata-1")
    assert (outcome, said) == ("done", "marketdata-1 has given main up")
    await directory.wait_for(lambda _: holder() == ["marketdata-2"], DEADLINE_S)
