"""The decisions of a directory, played through in a world of simulated time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk.instances import (
    Changed,
    Heartbeat,
    Instance,
    InstanceRecord,
    InstanceStatus,
    Joined,
    Left,
    Reason,
)
from aegis_sdk.liveness import PROBE_TIMEOUT_S, TICK_S, Table, step
from aegis_sdk.liveness_events import (
    Answered,
    CaughtUp,
    Connected,
    Disconnected,
    Echoed,
    Event,
    Fetch,
    Forgotten,
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
    table: Table = field(init=False)
    log: list[tuple[float, Joined | Left | Changed]] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    fetched: list[Name] = field(default_factory=list)
    stored: dict[Name, tuple[InstanceRecord, int]] = field(default_factory=dict)
    others: dict[Name, Other] = field(default_factory=dict)
    echoes: bool = True
    connected: bool = True
    asleep_until: float = 0.0
    _queue: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _revisions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.table = Table(self.now)
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
                    if self.echoes and self.connected:
                        self.after(WIRE_S, partial(self._hear_echo, Echoed(*action)))
                case Probe(name, delay):
                    self.after(delay, partial(self._probe, name))
                case Fetch(name):
                    self.fetched.append(name)
                    if name in self.stored:
                        self.after(WIRE_S, partial(self.tell, Recorded(*self.stored[name], fetched=True)))
                case Joined() | Left() | Changed():
                    self.log.append((self.now, action))

    def _tick(self) -> None:
        self.tell(Ticked())
        self.after(TICK_S, self._tick)

    def _hear_echo(self, echo: Echoed) -> None:
        if self.connected:
            self.tell(echo)

    def _probe(self, name: Name) -> None:
        self.probes.append(self.now)
        other = self.others.get(name)
        if not self.connected or (other is not None and other.stopped):
            self.after(PROBE_TIMEOUT_S, lambda: self.tell(Unanswered(name)))
        elif other is None or other.killed:
            self.after(WIRE_S, lambda: self.tell(Refused(name)))
        else:
            self.after(WIRE_S, lambda: self.tell(Answered(name)))

    # What the others and we do

    def instance(self, incarnation: str = "one", name: Name = A, *, watched: bool = True, beats: bool = True) -> Other:
        """Start an instance: its record, then its first heartbeat."""
        other = Other(InstanceRecord(service=name[0], instance=name[1], incarnation=incarnation))
        self.others[name] = other
        self.put(other.record, watched=watched)
        if beats:
            self._beat(other)
        self.run(0.01)
        return other

    def put(self, record: InstanceRecord, *, watched: bool = True) -> None:
        revision = next(self._revisions)
        self.stored[record.service, record.instance] = record, revision
        if watched:
            self.after(WIRE_S, lambda: self.tell(Recorded(record, revision)))

    def _beat(self, other: Other) -> None:
        if other.speaks and self.others.get(other.name) is other:
            self.say(other)
        if not other.killed:
            self.after(other.record.heartbeat_s, lambda: self._beat(other))

    def say(self, other: Other, status: InstanceStatus | None = None) -> None:
        if self.connected:
            heard = Heard(other.name, other.beat(status))
            self.after(WIRE_S * 2, lambda: self.tell(heard))

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


def test_an_instance_is_in_the_table_when_its_record_and_a_heartbeat_are_there() -> None:
    world = World()
    world.instance()
    assert world.kinds == ["Joined"]
    [present] = world.instances()
    assert present.confirmed
    assert present.status is InstanceStatus.ACTIVE


def test_a_healthy_instance_is_never_even_probed() -> None:
    world = World()
    world.instance()
    world.run(30)
    assert world.probes == []
    assert world.kinds == ["Joined"]


def test_a_killed_instance_leaves_within_a_second_after_two_refusals() -> None:
    world = World()
    other = world.instance()
    world.run(5)
    other.killed, killed_at = True, world.now
    world.run(3)
    at, departure = world.left()
    assert departure.reason is Reason.KILLED
    assert at - killed_at < 0.85
    assert len(world.probes) == 2
    assert world.probes[1] - world.probes[0] >= 0.1
    assert world.instances() == []


def test_a_heartbeat_between_two_refusals_ends_suspicion() -> None:
    """A client that reconnects is away for 50 to 100 ms: one refusal is no proof."""
    world = World()
    other = world.instance()
    other.stopped = True
    world.run(0.8)
    assert len(world.probes) == 1
    world.tell(Refused(A))
    world.tell(Heard(A, other.beat()))
    world.tell(Refused(A))
    world.tell(Refused(A))
    assert world.nobody_left()


def test_a_stopped_instance_leaves_within_two_seconds_for_its_silence() -> None:
    world = World()
    other = world.instance()
    world.run(5)
    other.stopped, stopped_at = True, world.now
    world.run(3)
    at, departure = world.left()
    assert departure.reason is Reason.SILENT
    assert 1.0 < at - stopped_at < 1.7


def test_an_instance_that_goes_on_is_back_at_its_next_heartbeat() -> None:
    world = World()
    other = world.instance()
    other.stopped = True
    world.run(5)
    other.stopped, resumed_at = False, world.now
    world.run(1)
    assert world.kinds == ["Joined", "Left", "Joined"]
    assert world.log[-1][0] - resumed_at <= other.record.heartbeat_s + 0.01


def test_an_instance_whose_heartbeats_are_lost_stays_while_it_answers() -> None:
    world = World()
    other = world.instance()
    world.others[A] = Other(other.record)  # alive, but this one never beats
    world.run(10)
    assert 5 < len(world.probes) < 20
    assert world.kinds == ["Joined"]


def test_one_that_starts_is_not_dead_because_nobody_answers_yet() -> None:
    world = World()
    other = world.instance()
    other.status = InstanceStatus.STARTING
    world.say(other)
    world.run(0.1)
    other.stopped = True
    world.others[A] = Other(other.record, killed=True)  # its subjects are not served yet
    world.run(1.2)
    assert world.probes
    assert world.nobody_left()
    world.run(1)
    assert world.left()[1].reason is Reason.SILENT


# Ourselves being deaf, late or away


def test_nobody_is_suspected_while_our_connection_is_away() -> None:
    world = World()
    other = world.instance()
    other.killed = True
    world.disconnect()
    world.run(60)
    assert world.probes == []
    assert [each.record for each in world.instances()] == [other.record]
    assert world.table.age_s(world.now) > 59


def test_nobody_is_suspected_for_a_second_after_our_connection_came_back() -> None:
    world = World()
    world.instance()
    other = world.instance("two", ("quotes", "b"))
    world.run(1)
    world.disconnect()
    world.run(3)
    other.killed = True
    world.connect()
    world.run(1.4)
    assert world.probes == []
    world.run(1)
    at, departure = world.left()
    assert departure.instance.record.instance == "b"
    assert world.now - at < 1


def test_a_refusal_that_arrives_just_after_we_reconnected_is_no_proof() -> None:
    world = World()
    other = world.instance()
    world.run(1)
    other.stopped = True
    world.run(0.55)
    world.disconnect()
    world.connect()
    for _ in range(5):
        world.tell(Refused(A))
    assert world.nobody_left()


def test_nobody_is_suspected_while_our_own_echoes_do_not_come_back() -> None:
    world = World()
    other = world.instance()
    world.run(1)
    world.echoes, other.killed = False, True
    world.run(60)
    assert world.probes == []
    assert world.nobody_left()
    assert world.table.age_s(world.now) > 59


def test_the_age_is_small_while_we_hear() -> None:
    world = World()
    world.instance()
    world.run(3)
    assert world.table.age_s(world.now) <= TICK_S + 0.01


def test_our_own_stop_is_not_the_silence_of_others() -> None:
    world = World()
    world.instance()
    world.run(1)
    world.sleep(10)
    world.run(2)
    assert world.probes == []
    assert world.nobody_left()


def test_a_suspended_machine_wakes_without_suspicion() -> None:
    """All of us stood still, nothing waits in the socket, and the others are a little later than we."""
    world = World()
    other = world.instance()
    world.run(1)
    other.stopped = True
    world.sleep(10)
    other.stopped = False
    world.run(2)
    assert world.probes == []
    assert world.nobody_left()


# Records


def test_a_record_without_heartbeats_is_dropped_without_a_word() -> None:
    world = World()
    other = world.instance(beats=False)
    other.stopped = True
    assert world.instances() == []
    [shown] = world.instances(unconfirmed=True)
    assert not shown.confirmed
    world.run(1.2)
    assert len(world.probes) == 1
    assert world.instances(unconfirmed=True) == []
    assert world.log == []


def test_a_record_whose_instance_answers_the_probe_is_confirmed() -> None:
    world = World()
    world.instance(beats=False)
    world.run(1)
    assert world.kinds == ["Joined"]


def test_the_record_of_an_unknown_heartbeat_is_fetched_once() -> None:
    world = World()
    world.instance(watched=False)
    world.run(3)
    assert world.fetched == [A]
    assert world.kinds == ["Joined"]


def test_a_heartbeat_without_any_record_is_asked_for_once_a_second_and_forgotten_when_it_ends() -> None:
    world = World()
    other = world.instance(watched=False)
    del world.stored[A]
    world.run(10)
    assert 8 <= len(world.fetched) <= 11
    other.killed = True
    world.run(2)
    assert world.table.entries == {}


def test_a_newer_incarnation_replaces_the_older_at_once() -> None:
    world = World()
    world.instance("one").killed = True
    world.instance("two")
    assert world.kinds == ["Joined", "Left", "Joined"]
    assert world.left()[1].reason is Reason.REPLACED
    assert world.now - world.log[-1][0] < 0.05
    assert world.instances()[0].record.incarnation == "two"


def test_a_heartbeat_that_overtakes_its_record_is_not_lost() -> None:
    world = World()
    record = InstanceRecord(service=A[0], instance=A[1], incarnation="one")
    world.tell(Heard(A, Heartbeat("one", InstanceStatus.ACTIVE, 1)))
    world.tell(Recorded(record, 1))
    assert world.kinds == ["Joined"]


def test_heartbeats_of_a_replaced_incarnation_are_not_those_of_its_successor() -> None:
    world = World()
    old = world.instance("one")
    new = world.instance("two")
    new.stopped = True
    for _ in range(20):
        world.say(old)
        world.run(0.25)
    assert world.kinds == ["Joined", "Left", "Joined", "Left"]
    assert world.instances() == []


def test_a_fetched_record_does_not_undo_a_newer_one() -> None:
    world = World()
    other = world.instance("two")
    older = other.record.model_copy(update={"incarnation": "one"})
    world.tell(Recorded(older, 0, fetched=True))
    assert world.instances()[0].record.incarnation == "two"


def test_a_deleted_record_says_nothing_about_life() -> None:
    world = World()
    world.instance()
    world.tell(Forgotten(A))
    world.run(2)
    assert world.kinds == ["Joined"]
    assert len(world.instances()) == 1


def test_a_change_of_the_record_is_told_and_a_repetition_is_not() -> None:
    world = World()
    other = world.instance()
    world.put(other.record)
    world.put(other.record.model_copy(update={"keys": {"A1": 7}}))
    world.run(0.1)
    assert world.kinds == ["Joined", "Changed"]
    change = world.log[-1][1]
    assert isinstance(change, Changed)
    assert change.instance.record.keys == {"A1": 7}
    assert change.before.record.keys == {}


def test_the_status_is_that_of_the_latest_heartbeat() -> None:
    """Neither a record that is late nor a heartbeat that was overtaken brings back an older status."""
    world = World()
    other = world.instance()
    earlier = other.beat()
    other.status = InstanceStatus.DRAINING
    world.say(other)
    world.run(0.01)
    world.tell(Heard(A, earlier))
    world.put(other.record.model_copy(update={"status": InstanceStatus.ACTIVE}))
    world.run(0.1)
    assert world.kinds == ["Joined", "Changed"]
    assert world.instances()[0].status is InstanceStatus.DRAINING


# Farewells and bounds


def test_a_farewell_takes_the_instance_out_at_once() -> None:
    world = World()
    other = world.instance()
    world.say(other, InstanceStatus.GONE)
    other.killed = True
    world.run(0.01)
    assert world.left()[1].reason is Reason.STOPPED


def test_a_farewell_after_draining_says_so() -> None:
    world = World()
    other = world.instance()
    other.status = InstanceStatus.DRAINING
    world.say(other)
    world.say(other, InstanceStatus.GONE)
    other.killed = True
    world.run(0.01)
    assert world.left()[1].reason is Reason.DRAINED


def test_the_departed_are_forgotten_after_a_minute() -> None:
    world = World()
    world.instance().killed = True
    world.run(30)
    assert list(world.table.entries) == [A]
    world.run(35)
    assert world.table.entries == {}


def test_slow_heartbeats_are_waited_for() -> None:
    world = World()
    record = InstanceRecord(service=A[0], instance=A[1], incarnation="one", heartbeat_s=2.0)
    other = Other(record)
    world.others[A] = other
    world.tell(Recorded(record, 1))
    world._beat(other)
    world.run(20)
    assert world.kinds == ["Joined"]
    assert world.probes == []


# Any weather

_WEATHER = st.lists(
    st.tuples(st.sampled_from(["calm", "asleep", "away", "deaf", "late"]), st.floats(0.001, 4)), max_size=12
)


@given(_WEATHER)
def test_healthy_instances_stay_in_any_weather(weather: list[tuple[str, float]]) -> None:
    """Whatever befalls us, nobody who is healthy leaves, and one that then dies does leave."""
    world = World()
    names = [("quotes", text) for text in "abc"]
    others = [world.instance("one", name) for name in names]
    for kind, seconds in weather:
        match kind:
            case "asleep":
                world.sleep(seconds)
            case "away":
                world.disconnect()
                world.run(seconds)
                world.connect()
            case "deaf":
                world.echoes = False
                world.run(seconds)
                world.echoes = True
            case "late":  # the others' machine is starved, their heartbeats and answers come late
                for other in others:
                    other.stopped = True
                world.run(min(seconds, 0.3))
                for other in others:
                    other.stopped = False
                world.run(0.3)
            case _:
                world.run(seconds)
    assert world.kinds == ["Joined"] * 3
    world.run(1)
    others[0].killed = True
    world.run(2)
    assert world.left()[1].instance.record.instance == "a"
