"""The health agent: looks, tells, repairs. Of several for one feed set one repairs, by the lease of its name."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from pydantic import BaseModel

from aegis.contracts.health import (
    REPORT,
    SERVICE,
    Escalation,
    HealthChanged,
    HealthReport,
    RecoveryAnswer,
    RepairDone,
    RepairView,
)
from aegis.contracts.reasons import Reason, sentence_of
from aegis.marketdata.health.domain.findings import Findings, Level
from aegis.marketdata.health.domain.repairs import Kind, Outcome, Patience, Repair, RepairMemory, Repairs
from aegis.marketdata.health.domain.summary import left_to_people
from aegis.marketdata.health.figures import health_figures
from aegis.marketdata.health.hooks import ANSWER_S, OperationsHook, RecoveryHook
from aegis.marketdata.health.reports import MOST_NAMED, at, level_name, report_of
from aegis.marketdata.health.settings import HealthSettings
from aegis.marketdata.health.watch import LOOK_S, Watch
from aegis_sdk import clock, subjects
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError, Moved, RpcError, Suspended
from aegis_sdk.events import Events
from aegis_sdk.ledger.snapshot import Committed
from aegis_sdk.method import Empty
from aegis_sdk.metrics import Metric
from aegis_sdk.single_active import ActiveContext, SingleActive, active

__all__ = ["HealthAgent"]

_log = structlog.get_logger("aegis.health")

_MOST_REPAIRS: Final = 20
_AGAIN_S: Final = 1.0


class HealthAgent(SingleActive):
    """Watches one feed set. With `hook` somebody else than the service `operations` hears of escalations."""

    name = SERVICE
    description = "Whether a feed set brings the ticks that are wanted, and repairs where it does not."

    def __init__(
        self,
        settings: HealthSettings,
        hook: RecoveryHook | None = None,
        patience: Patience | None = None,
        *,
        replicas: int = 1,
    ) -> None:
        self.settings = settings
        self._replicas = replicas
        self._patience = patience or Patience()
        self.repairs = Repairs(self._patience)
        self.counted: Counter[tuple[Kind, Outcome]] = Counter()
        self._hook = hook
        self._done: deque[RepairView] = deque(maxlen=_MOST_REPAIRS)
        self._told: tuple[Level, tuple[str, ...]] | None = None
        self._latest: tuple[Level, Findings] | None = None
        self._memory = RepairMemory()  # as it was committed last, by whichever agent
        self._began_s = time.time() - clock.now()  # when our clock was 0
        self._taken = AsyncExitStack()

    def keys(self) -> Iterable[str]:
        return [self.settings.feed]

    def configuration(self) -> Mapping[str, Any]:
        return self.settings.model_dump(mode="json")

    async def on_start(self) -> None:
        """Begin to look. Raises Unavailable where the registry cannot be read."""
        client = Client(self.transport)
        self._events = Events(self.transport, replicas=self._replicas)
        await self._events.ensure()
        self._hook = self._hook or OperationsHook(client)
        self._watch = await self._taken.enter_async_context(Watch.open(self.transport, client, self.settings.feed))

    async def on_stop(self) -> None:
        await self._taken.aclose()

    # What the agent that acts leaves to the next one

    def restore(self, key: str, snapshot: bytes | None) -> None:
        self._memory = RepairMemory() if snapshot is None else RepairMemory.model_validate_json(snapshot)

    def apply(self, key: str, change: Committed) -> None:
        self._memory = RepairMemory.model_validate_json(change.data)

    def snapshot(self, key: str) -> bytes:
        return self._memory.model_dump_json().encode()

    async def on_active(self, key: str, epoch: int) -> None:
        self.repairs = Repairs.recalled(self._memory, self._patience, clock.now(), self._began_s)

    async def on_standby(self, key: str) -> None:
        """Whoever acts now says what is left to people: ours would be in our figures for ever."""
        self.repairs = Repairs(self._patience)

    async def _remember(self, memory: RepairMemory) -> None:
        try:
            await self.held(self.settings.feed).commit(memory)
        except RpcError as error:  # it is tried again
            _log.warning("repairs_not_remembered", reason=str(error))
            await asyncio.sleep(_AGAIN_S)

    @active(REPORT, stale_ok=True)
    async def report(self, request: Empty, context: ActiveContext) -> HealthReport:
        return report_of(
            self._watch,
            self.settings.feed,
            agent_epoch=context.epoch,
            repairs_on=self.settings.repairs == "on",
            attempts=self.repairs.attempts,
            repairs=list(self._done),
            escalated=self.repairs.escalated,
        )

    def metrics(self) -> Iterable[Metric]:
        if self._latest is not None:
            yield from health_figures(*self._latest, self.counted, self._watch.malformed)

    async def run(self) -> None:
        """Look five times a second. Nothing that is waited for, an event or a repair, keeps us from looking."""
        await self._watch.asked()
        async with asyncio.TaskGroup() as tasks:
            telling: asyncio.Task[None] | None = None
            repairing: asyncio.Task[None] | None = None
            remembering: asyncio.Task[None] | None = None
            while True:
                level, why, found = self._watch.look()
                told, says = left_to_people(level, why, self.repairs.escalated)
                self._latest = told, found
                if self._holds():
                    if _is_idle(telling) and (change := self._change(told, says, found)):
                        telling = tasks.create_task(self._publish("changed", change))
                    if _is_idle(repairing) and (work := self._next_repair(level, found)):
                        repairing = tasks.create_task(work)
                    memory = self.repairs.memory(self._began_s)
                    if _is_idle(remembering) and memory != self._memory:
                        remembering = tasks.create_task(self._remember(memory))
                await asyncio.sleep(LOOK_S)

    def _holds(self) -> bool:
        """Whether we are the one to act. Our lease is proven anew where something is to be done."""
        try:
            self.held(self.settings.feed)
        except Moved:
            self._told = None
            return False
        return True

    def _change(self, level: Level, why: tuple[Reason, ...], found: Findings) -> HealthChanged | None:
        """What is to be told: another level, or other instruments, than were told last."""
        named = tuple(one.instrument for one in found.cases)
        before, self._told = self._told, (level, named)
        if before == self._told or (before is None and level is Level.HEALTHY):
            return None
        tell = {Level.HEALTHY: _log.info, Level.DEGRADED: _log.warning}.get(level, _log.error)
        tell("health_changed", level=level_name(level), reason=sentence_of(why), cases=len(named), first=named[:5])
        return HealthChanged(
            feed=self.settings.feed,
            level=level_name(level),
            why=list(why),
            cases=len(named),
            named=list(named[:MOST_NAMED]),
            market_time=at(found.market_ns),
        )

    def _next_repair(self, level: Level, found: Findings) -> Coroutine[Any, Any, None] | None:
        """The repair that is due, to be done; the next one is decided on what is found when it is over."""
        if level is Level.UNKNOWN or self.settings.repairs == "off":
            return None
        publisher = self._watch.publisher
        if publisher is None and not found.is_down:  # for a moment
            return None
        repair = self.repairs.decide(found, clock.now())
        return None if repair is None else self._repair(repair, publisher.view.instance if publisher else "", found)

    async def _repair(self, repair: Repair, instance: str, found: Findings) -> None:
        try:
            await self.held(self.settings.feed).prove()
        except (Moved, Suspended):
            return
        outcome, result = await self._watch.desk.do(repair, instance)
        self.repairs.done(repair, outcome, clock.now())
        self.counted[repair.kind, outcome] += 1
        self._done.append(
            RepairView(
                at=datetime.now(UTC),
                kind=repair.kind.value,
                instruments=len(repair.instruments),
                why=list(repair.why),
                outcome=outcome,
                result=result,
            )
        )
        if repair.kind is Kind.ESCALATE:
            await self._escalate(repair, found)
        else:
            await self._tell_repair(repair, outcome, result)

    async def _tell_repair(self, repair: Repair, outcome: Outcome, result: Reason | None) -> None:
        named = list(repair.instruments[:MOST_NAMED])
        said = {"reason": repair.reason, "result": str(result or "")}
        _log.warning("repair_tried", kind=repair.kind, outcome=outcome, first=named[:5], **said)
        await self._publish(
            "repair",
            RepairDone(
                feed=self.settings.feed,
                kind=repair.kind.value,
                instruments=len(repair.instruments),
                named=named,
                why=list(repair.why),
                outcome=outcome,
                result=result,
            ),
        )

    async def _escalate(self, repair: Repair, found: Findings) -> None:
        """Tell a person by event, metric and level; ask the operations plane how to go on."""
        named = list(repair.instruments[:MOST_NAMED])
        escalation = Escalation(
            feed=self.settings.feed,
            level=level_name(Level.CRITICAL),
            why=list(repair.why or found.why),
            instruments=len(repair.instruments),
            named=named,
            tried=list(self._done),
        )
        _log.error("escalated", reason=sentence_of(escalation.why), instruments=escalation.instruments, first=named[:5])
        await self._publish("escalated", escalation)
        answer = await self._answer(escalation)
        _log.info("operations_answered", decision=answer.decision, hold_s=answer.hold_s, note=answer.note)
        if answer.decision == "retry":
            self.repairs.retry()
        elif answer.decision == "hold":
            self.repairs.hold(clock.now() + answer.hold_s)

    async def _answer(self, escalation: Escalation) -> RecoveryAnswer:
        """Of the hook, which is somebody else's: it may be late, and may raise or return anything."""
        assert self._hook is not None
        try:
            async with asyncio.timeout(ANSWER_S):
                return RecoveryAnswer.model_validate(await self._hook.escalated(escalation))
        except Exception as error:
            said = str(error) or type(error).__name__
            _log.warning("operations_did_not_answer", reason=said)
            return RecoveryAnswer(note=said[:500])

    async def _publish(self, name: str, body: BaseModel) -> None:
        """Store an event, however long that takes while we hold the key: whoever holds it next tells anew."""
        while True:
            try:
                await self._events.publish(subjects.event("health", self.settings.feed, name), body)
            except AegisError as error:
                _log.warning("event_not_stored", name=name, reason=str(error))
            else:
                return
            await asyncio.sleep(_AGAIN_S)
            if not self._holds():
                return


def _is_idle(task: asyncio.Task[None] | None) -> bool:
    return task is None or task.done()
