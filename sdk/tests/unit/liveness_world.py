"""A world of simulated time around a liveness table: other instances, the network, and what befalls us."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from aegis_sdk.instances import Changed, Heartbeat, Instance, InstanceRecord, InstanceStatus, Joined, Left
from aegis_sdk.liveness import Patience, Table, step
from aegis_sdk.liveness_events import (
    Answered,
    Beat,
    CaughtUp,
    Connected,
    Disconnected,
    Echoed,
    Event,
    Fetch,
    Heard,
    Name,
    Probe,
    Recorded,
    Refused,
    SendEcho,
    Ticked,
    Unanswered,
)

WIRE_S = 0.001
A: Name = ("quotes", "a")


@dataclass
class Other:
    """A simulated instance. Killed, it refuses; stopped, it says nothing."""

    record: InstanceRecord
    status: InstanceStatus = InstanceStatus.ACTIVE
    sequence: int = 0
    killed: bool = False
    stopped: bool = False

    @property
    def name(self) -> Name:
        return self.record.service, self.record.instance

    @property
    def speaks(self) -> bool:
        return not self.killed and not self.stopped

    def beat(self, status: InstanceStatus | None = None) -> Heartbeat:
        self.sequence += 1
        return Heartbeat(self.record.incarnation, status or self.status, self.sequence)


@dataclass
class World:
    """A table, the others, and the network between them; `log` is what happened to the table, with times."""

    now: float = 1000.0
    patience: Patience = field(default_factory=Patience)
    table: Table = field(init=False)
    log: list[tuple[float, Joined | Left | Changed]] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    beats: list[Heartbeat] = field(default_factory=list)
    fetched: list[Name] = field(default_factory=list)
    stored: dict[Name, tuple[InstanceRecord, int]] = field(default_factory=dict)
    others: dict[Name, Other] = field(default_factory=dict)
    echoes: bool = True
    eager: bool = False  # each tick has its echo, whether one was asked for or not
    asked_echoes: int = 0
    caught_up: bool = True
    lag: float = WIRE_S  # from the server to us, in order
    connected: bool = True
    asleep_until: float = 0.0
    _queue: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _revisions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.table = Table(self.now, self.patience)
        if self.caught_up:
            self.tell(CaughtUp())
        self._tick()

    # Things that happen

    def after(self, delay: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + delay, next(self._order), act))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            at, _, act = heapq.heappop(self._queue)
            self.now = max(at, self.now)
            if self.now < self.asleep_until and act != self._tick:
                self.after(self.asleep_until - self.now, act)  # it waits in the socket, in order
            elif self.now < self.asleep_until:
                self.after(self.asleep_until - self.now + 0.0001, act)
            else:
                act()
        self.now = end

    def tell(self, event: Event) -> None:
        for action in step(self.table, event, self.now):
            match action:
                case SendEcho():
                    self.asked_echoes += 1
                    self._send_echo(Echoed(*action))
                case Probe():
                    self.after(action.delay_s, partial(self._probe, action))
                case Beat():
                    self.beats.append(action.beat)
                case Fetch(name):
                    self.fetched.append(name)
                    if name in self.stored:
                        self.after(WIRE_S, partial(self.tell, Recorded(*self.stored[name], fetched=True)))
                case Joined() | Left() | Changed():
                    self.log.append((self.now, action))

    def _tick(self) -> None:
        before = self.asked_echoes
        self.tell(Ticked())
        if self.eager and self.asked_echoes == before:
            self._send_echo(Echoed(self.table.position, self.now))
        self.after(self.patience.tick_s, self._tick)

    def _send_echo(self, echo: Echoed) -> None:
        if self.echoes and self.connected:
            self.after(self.lag, partial(self._hear_echo, echo))

    def _hear_echo(self, echo: Echoed) -> None:
        if self.connected:
            self.tell(echo)

    def _probe(self, probe: Probe) -> None:
        self.probes.append(self.now)
        name = probe.name
        other = self.others.get(name)
        if not self.connected or (other is not None and other.stopped):
            self.after(self.patience.answer_s, lambda: self.tell(Unanswered(name, probe.confirms)))
        elif other is None or other.killed:
            self.after(WIRE_S, lambda: self.tell(Refused(name, probe.confirms)))
        else:
            self.after(WIRE_S, lambda: self.tell(Answered(name)))

    # What the others and we do

    def instance(self, incarnation: str = "one", name: Name = A, *, watched: bool = True, beats: bool = True) -> Other:
        """Start an instance: its record, then its first heartbeat."""
        other = Other(InstanceRecord(service=name[0], instance=name[1], incarnation=incarnation))
        self.others[name] = other
        self.put(other.record, watched=watched)
        if beats:
            self.begin_beating(other)
        self.run(0.01)
        return other

    def put(self, record: InstanceRecord, *, watched: bool = True) -> None:
        revision = next(self._revisions)
        self.stored[record.service, record.instance] = record, revision
        if watched:
            self.after(WIRE_S, lambda: self.tell(Recorded(record, revision)))

    def begin_beating(self, other: Other) -> None:
        if other.speaks and self.others.get(other.name) is other:
            self.say(other)
        if not other.killed:
            self.after(other.record.heartbeat_s, lambda: self.begin_beating(other))

    def say(self, other: Other, status: InstanceStatus | None = None) -> None:
        if self.connected:
            heard = Heard(other.name, other.beat(status))
            self.after(WIRE_S + self.lag, lambda: self.tell(heard))

    def weather(self, kind: str, seconds: float) -> None:
        """What befalls us, for so long: asleep, away, or deaf. Of any other kind nothing does."""
        match kind:
            case "asleep":
                self.sleep(seconds)
            case "away":
                self.disconnect()
                self.run(seconds)
                self.connect()
            case "deaf":
                self.echoes = False
                self.run(seconds)
                self.echoes = True
            case _:
                pass

    def disconnect(self) -> None:
        self.connected = False
        self.tell(Disconnected())

    def connect(self) -> None:
        self.connected = True
        self.tell(Connected())

    def sleep(self, seconds: float) -> None:
        """Our own process is stopped; the others go on."""
        self.asleep_until = self.now + seconds
        self.run(seconds)

    # What came of it

    def instances(self, *, unconfirmed: bool = False) -> list[Instance]:
        return list(self.table.instances(self.now, None, unconfirmed))

    @property
    def kinds(self) -> list[str]:
        return [type(change).__name__ for _, change in self.log]

    def left(self) -> tuple[float, Left]:
        departures = [(at, change) for at, change in self.log if isinstance(change, Left)]
        assert len(departures) == 1
        return departures[0]

    def nobody_left(self) -> bool:
        return not any(isinstance(change, Left) for _, change in self.log)
