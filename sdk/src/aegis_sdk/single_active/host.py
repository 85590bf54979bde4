"""The host of a single-active service: what its election decides, done.

Readers of the ledger, a directory of the service's instances and the holdings tell the election; it answers with what
to do: claim, adopt, release, demote. What takes time runs in tasks of one group, and tells the election how it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import structlog

from aegis_sdk import clock
from aegis_sdk.discovery import Directory
from aegis_sdk.election import Election, step
from aegis_sdk.election_events import (
    Adopt,
    Alarm,
    Claim,
    Connected,
    Contradicted,
    Demote,
    Disconnected,
    Event,
    LeasesCaughtUp,
    ProbeLedger,
    Release,
    Retired,
    Role,
    StoodStill,
    Stop,
    Ticked,
    Wanted,
    Withdraw,
)
from aegis_sdk.errors import Moved, Rejected
from aegis_sdk.gate import Gate
from aegis_sdk.instances import InstanceStatus, Vitals
from aegis_sdk.ledger.journal import Contradiction
from aegis_sdk.ledger.ledger import Ledger
from aegis_sdk.liveness import Patience
from aegis_sdk.registry import Registration
from aegis_sdk.service import ServiceHost
from aegis_sdk.single_active.announcements import Announcements
from aegis_sdk.single_active.declaration import SingleActive, keys_of
from aegis_sdk.single_active.figures import ActiveFigures
from aegis_sdk.single_active.health_watch import HealthWatch
from aegis_sdk.single_active.holding import Holding
from aegis_sdk.single_active.holdings import Holdings
from aegis_sdk.single_active.operations import operations
from aegis_sdk.single_active.peers import Peers
from aegis_sdk.single_active.probes import Probes
from aegis_sdk.single_active.reports import Reports
from aegis_sdk.single_active.requests import Requests
from aegis_sdk.single_active.tails import Tails
from aegis_sdk.single_active.takeover import Takeover
from aegis_sdk.single_active.trace import Became, GateBroke, Observer
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["ActiveHost"]

_log = structlog.get_logger("aegis.active")

_LEAST_TICK_S: Final = 0.001
_SETTLE_S: Final = 1.0


class ActiveHost:
    """Keeps an instance of a single-active service in its election, from `start` to `stop`.

    `vitals` is the registration's: its heartbeats tell the others what is held here.
    """

    def __init__(
        self,
        transport: Transport,
        service: SingleActive,
        host: ServiceHost,
        *,
        replicas: int = 1,
        observer: Observer | None = None,
    ) -> None:
        self._transport = transport
        self._service = service
        self._host = host
        self._replicas = replicas
        self._observer = observer
        self._timers = service.timers
        self._keys = keys_of(service)
        self.figures = ActiveFigures(len(self._keys))
        self._gate = Gate(self._timers.gate_s, clock.now())
        self._drain_timeout_s = host.options.drain_timeout_s
        self._roles: dict[str, Role] = {}
        self._health = HealthWatch(service, self._retire)
        self._draining = False
        self._holdings: Holdings | None = None
        self._group: asyncio.TaskGroup | None = None
        self._run_task: asyncio.Task[None] | None = None

    # Life

    async def start(self, registration: Registration) -> None:
        """Join the election of a service that is started and registered; returns when the ledger has been read.

        Keys come when the instance has settled. Raises what the streams of the port raise.
        """
        service, record = self._service, registration.record
        self._record = record
        self._election = Election(
            service=service.name,
            instance=record.instance,
            incarnation=record.incarnation,
            timers=self._timers,
            placement=service.placement,
            zone=record.zone,
            weight=record.weight,
            now=clock.now(),
        )
        self._ledger = await Ledger.open(self._transport, service.name, replicas=self._replicas)
        timeout_s = self._host.options.default_timeout_s
        requests = Requests(self._transport, service.name, self._host.admission, timeout_s, self._enter, self._observer)
        self._holdings = Holdings(self._transport, service, registration, requests, self.figures, self._enter)
        self._host.show(self.figures.endpoints)
        self._peers = Peers(service.name, record.instance, self._tell)
        self._tails = Tails(self._transport, self._ledger, self._tell, self._contradicted)
        self._announcements = Announcements(
            self._transport, service.name, record.instance, self._holdings.held, self._missed
        )
        self._takeover = Takeover(
            service,
            record,
            self._ledger,
            self._tails,
            self._holdings,
            self._announcements,
            self._tell,
        )
        self._reports = Reports(service, self._ledger, self._takeover, self._tell, self._start, self.figures)
        self._probes = Probes(self._ledger, self._timers.write_s, self._tell)
        await self._start_running(self._holdings)
        for endpoint in operations(service.name, self):
            await self._host.serve_directly(endpoint)

    async def _start_running(self, holdings: Holdings) -> None:
        started = asyncio.Event()
        self._run_task = asyncio.create_task(self._run(started), name=f"active {self._record.instance}")
        self._run_task.add_done_callback(lambda _: holdings.changed.set())  # nothing leaves any more
        await self.wait(started)

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set; raises what ended the host, if that comes first."""
        assert self._run_task is not None, "not started"
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopping, self._run_task], return_when=asyncio.FIRST_COMPLETED)
            if self._run_task.done():
                await self._run_task
        finally:
            stopping.cancel()

    async def stop(self) -> None:
        """Hand over what is held, as far as that is done within the drain timeout, and leave the election."""
        run, self._run_task = self._run_task, None
        if run is None or self._holdings is None:
            return
        self.drain()
        try:
            async with asyncio.timeout(self._drain_timeout_s + 2 * self._timers.write_s):  # what is undrained is ended
                while self._holdings.held and not run.done():
                    await self._next_change()
        except TimeoutError:
            _log.warning("keys_not_handed_over", keys=len(self._holdings.held))
        run.cancel()
        await asyncio.wait([run])
        await self._holdings.drop_all(self._drain_timeout_s)

    async def _next_change(self) -> None:
        assert self._holdings is not None
        self._holdings.changed.clear()
        await self._holdings.changed.wait()

    async def _run(self, started: asyncio.Event) -> None:
        patience = Patience.of(self._timers)
        opening = Directory.open(
            self._transport,
            service=self._service.name,
            patience=patience,
            on_beat=self._peers.on_beat,
            definitions=False,
        )
        async with AsyncExitStack() as stack:
            stack.callback(self._transport.on_state(self._on_state))
            self._directory = await stack.enter_async_context(opening)
            stack.callback(self._peers.watch(self._directory))
            await self._announcements.start()
            stack.push_async_callback(self._announcements.stop)
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._tails.run())
                group.create_task(self._health.run())
                group.create_task(self._settle_again())
                group.create_task(self._begin(started))
                try:
                    await self._tick(patience.tick_s)
                finally:
                    self._group = None  # it takes no more tasks, whatever is still told

    async def _begin(self, started: asyncio.Event) -> None:
        assert self._holdings is not None
        await self._tails.caught_up()
        for key in self._keys:
            await self._holdings.run_hook(key, self._service.on_standby(key))
        self._holdings.show(InstanceStatus.STANDBY)
        await self._health.look()
        self._tell(Wanted(self._keys))
        self._tell(LeasesCaughtUp())
        started.set()

    async def _tick(self, tick_s: float) -> None:
        """Pass the gate with each tick of the directory, and look at what is due when it is."""
        while True:
            self._enter()
            self._tell(Ticked())
            due_s = self._election.due_at - clock.now()
            if due_s < tick_s:
                await asyncio.sleep(max(due_s, _LEAST_TICK_S))
            else:
                await self._directory.next_tick()

    async def _settle_again(self) -> None:
        """Each second, what somebody's call has left open."""
        assert self._holdings is not None
        while True:
            await asyncio.sleep(_SETTLE_S)
            for holding in tuple(self._holdings.held.values()):
                if holding.is_open and holding.journal.intents:
                    self._start(self._takeover.settle_again, holding)

    # What others may ask of it

    @property
    def held(self) -> Mapping[str, Holding]:
        return {} if self._holdings is None else self._holdings.held

    async def hand_over(self, key: str, successor: str = "") -> int:
        """Give a key to another instance, the best one where none is named; the epoch that has ended.

        Raises Moved where the key is not held here, Rejected where nobody can take it, TimeoutError where it is not
        drained within the drain timeout.
        """
        holding = self.held.get(key)
        if holding is None:
            raise Moved(f"{key} is not held by {self._record.instance}")
        self._tell(Withdraw(key, successor))
        if self._election.role(key) is not Role.RELEASING:
            raise Rejected(f"{successor} cannot take {key} now" if successor else f"nobody else can take {key} now")
        async with asyncio.timeout(self._drain_timeout_s):
            while self.held.get(key) is holding:
                await self._next_change()
        return holding.epoch

    def drain(self) -> None:
        """Hand all keys over, and take none any more."""
        self._draining = True
        self._retire()

    def resume(self) -> None:
        """Take keys again, after `drain`."""
        self._draining = False
        self._retire()

    def _retire(self) -> None:
        assert self._holdings is not None
        self._tell(Retired(self._draining or not self._health.is_healthy))
        if self._draining:
            self._holdings.show(InstanceStatus.DRAINING)
        else:
            self._holdings.show(InstanceStatus.STANDBY if self._health.is_healthy else InstanceStatus.UNHEALTHY)

    def vitals(self) -> Vitals:
        """For the registration's heartbeats. The gate comes first: a heartbeat must not hide a stop."""
        self._enter()
        return Vitals() if self._holdings is None else self._holdings.vitals()

    # Told

    def _tell(self, event: Event) -> None:
        actions = step(self._election, event, clock.now())
        claims = [action for action in actions if isinstance(action, Claim)]
        if claims:
            self._start(self._takeover.claim, claims)
        for action in actions:
            match action:
                case Adopt():
                    self._adopt(action)
                case Release():
                    self._release(action)
                case Demote(key, epoch):
                    self._demote(key, epoch)
                case ProbeLedger(key, epoch):
                    self._start(self._probes.probe, key, epoch)
                case Alarm(key, problem):
                    _log.error("alarm", service=self._service.name, key=key, problem=problem)
                case Stop(key):
                    self._demote(key, self._epoch_of(key))
                case Claim():
                    pass
        if self._observer is not None:
            self._note_roles(self._observer, {getattr(each, "key", None) for each in (event, *actions)})

    def _note_roles(self, observer: Observer, concerned: set[str | None]) -> None:
        for key in self._keys & concerned:
            role = self._election.role(key)
            if self._roles.get(key, Role.STANDBY) is not role:
                self._roles[key] = role
                observer(Became(key, role, self._election.epoch(key), clock.now()))

    def _enter(self) -> None:
        """Pass the gate; after a standstill nothing that was known before is trusted."""
        now = clock.now()
        if self._gate.enter(now):
            gap_s = self._gate.gap_s
            self.figures.standstills += 1
            _log.warning("stood_still", gap_s=round(gap_s, 3))
            if self._observer is not None:
                self._observer(GateBroke(gap_s, now))
            for holding in tuple(self.held.values()):
                holding.suspend()
            if self._holdings is not None:
                self._tell(StoodStill())

    def _on_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTED:
            self._tell(Connected())
            self._announcements.again()
        else:
            self._tell(Disconnected())

    def _missed(self, key: str, epoch: int) -> None:
        """A caller found nobody in an epoch; if it is the latest that we know of, its holder may be gone."""
        holder = self._election.holder(key)
        if holder is not None and self._election.known_epoch(key) == epoch:
            self._directory.suspect(self._service.name, holder)

    def _contradicted(self, key: str, problem: Contradiction) -> None:
        self._tell(Contradicted(key, str(problem)))

    def _epoch_of(self, key: str) -> int:
        holding = self.held.get(key)
        return 0 if holding is None else holding.epoch

    # Done

    def _start(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        """Run it in the host's group, if that takes tasks; its error is logged, and ends nothing else."""
        if self._group is not None:
            self._group.create_task(_logged(work, *arguments))

    def _adopt(self, adopt: Adopt) -> None:
        assert self._holdings is not None
        holding = Holding(
            key=adopt.key,
            epoch=adopt.epoch,
            ledger=self._ledger.epoch(adopt.key, adopt.epoch),
            gate=self._gate,
            timers=self._timers,
            owner=self._reports,
            observer=self._observer,
        )
        before = self._holdings.add(holding)
        if before is not None:
            self._start(self._holdings.drop, before)
        self._start(self._takeover.adopt, holding, adopt.answer_from)

    def _release(self, release: Release) -> None:
        holding = self.held.get(release.key)
        if holding is not None and holding.epoch != release.epoch:
            holding = None
        if holding is not None:
            holding.release()
        # What is stuck in an unhealthy instance must not hold its keys up.
        drain_s = self._drain_timeout_s if self._health.is_healthy else self._timers.outcome_s
        self._start(self._takeover.release, release, holding, drain_s)

    def _demote(self, key: str, epoch: int) -> None:
        holding = self.held.get(key)
        if self._holdings is not None and holding is not None and holding.epoch == epoch:
            holding.end()
            _log.warning("deposed", service=self._service.name, key=key, epoch=epoch)
            self._start(self._holdings.drop, holding)


async def _logged(work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
    try:
        await work(*arguments)
    except Exception:
        _log.exception("active_host_failed", work=getattr(work, "__qualname__", "work"))
