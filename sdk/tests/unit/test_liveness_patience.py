"""The decisions of an impatient directory, as single-active services keep it, and hints."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk.instances import InstanceRecord, InstanceStatus, Reason
from aegis_sdk.liveness import Patience
from aegis_sdk.liveness_events import Heard, Probe, Recorded, Refused, Suspected, Unanswered
from aegis_sdk.timers import AGGRESSIVE, PRESETS, Timers

from .liveness_world import A, Other, World

IMPATIENT = Patience.of(AGGRESSIVE)


def impatient() -> tuple[World, Other]:
    """A world with one instance that beats every 50 ms."""
    world = World(patience=IMPATIENT)
    return world, beating(world)


def beating(world: World, heartbeat_s: float = 0.05) -> Other:
    other = Other(InstanceRecord(service=A[0], instance=A[1], incarnation="one", heartbeat_s=heartbeat_s))
    world.others[A] = other
    world.tell(Recorded(other.record, 1))
    world.begin_beating(other)
    world.run(3.005)
    return other


def died(world: World, other: Other, *, after: float = 0.0) -> float:
    world.run(after)
    other.killed = True
    return world.now


phases = pytest.mark.parametrize("after", [0.0, 0.01, 0.02, 0.03, 0.04])
"""How long after a heartbeat something happens."""


@phases
def test_a_killed_instance_leaves_within_a_quarter_of_a_second(after: float) -> None:
    world, other = impatient()
    killed_at = died(world, other, after=after)
    world.run(1)
    at, departure = world.left()
    assert departure.reason is Reason.KILLED
    assert at - killed_at < 0.25
    assert len(world.probes) == 2


@phases
def test_a_hint_finds_a_killed_instance_in_the_time_between_two_refusals(after: float) -> None:
    world, other = impatient()
    killed_at = died(world, other, after=after)
    world.tell(Suspected(A))
    world.run(1)
    at, departure = world.left()
    assert departure.reason is Reason.KILLED
    assert 0.1 <= at - killed_at < 0.12


@phases
def test_a_stopped_instance_leaves_for_its_silence(after: float) -> None:
    world, other = impatient()
    world.run(after)
    other.stopped, stopped_at = True, world.now
    world.run(1)
    at, departure = world.left()
    assert departure.reason is Reason.SILENT
    assert at - stopped_at < 0.45
    assert departure.instance.age_s >= AGGRESSIVE.silence_s


@pytest.mark.parametrize("after", [0.0, 0.05])
def test_silence_begins_with_the_last_heartbeat_and_not_with_the_tick_before_it(after: float) -> None:
    world = World(patience=replace(IMPATIENT, silence_s=0.39))
    other = beating(world)
    world.run(after)
    other.stopped = True
    world.run(1)
    assert world.left()[1].instance.age_s >= 0.39


def test_a_hint_about_an_instance_that_lives_costs_one_question() -> None:
    world, _ = impatient()
    for _ in range(300):
        world.tell(Suspected(A))
    world.run(1)
    assert len(world.probes) == 1
    assert world.kinds == ["Joined"]


def test_a_hint_about_nobody_is_nothing() -> None:
    world, other = impatient()
    world.tell(Suspected(("quotes", "nobody")))
    died(world, other)
    world.run(1)
    asked = len(world.probes)
    world.tell(Suspected(A))
    world.run(1)
    assert len(world.probes) == asked


def test_a_hint_is_not_believed_just_after_we_reconnected() -> None:
    world, other = impatient()
    world.disconnect()
    world.connect()
    died(world, other)
    world.tell(Suspected(A))
    world.run(0.9)
    assert world.probes == []


def test_a_question_that_a_dying_process_swallowed_is_asked_again_at_once() -> None:
    world, other = impatient()
    other.stopped, killed_at = True, world.now
    world.tell(Suspected(A))
    world.run(0.01)
    other.stopped, other.killed = False, True
    world.run(1)
    at, departure = world.left()
    assert departure.reason is Reason.KILLED
    assert at - killed_at < 0.16


def test_a_client_that_reconnects_in_time_is_not_killed() -> None:
    """Its server died: for 94 ms nobody serves its subjects and nothing is heard of it."""
    world, other = impatient()
    for phase in range(10):
        world.run(0.005 * phase)
        other.killed = True
        for _ in range(19):
            world.tell(Suspected(A))
            world.run(0.0049)
        other.killed = False
        world.say(other)  # the first thing that a registration does
        world.begin_beating(other)
        world.run(0.5)
    assert len(world.probes) > 10
    assert world.kinds == ["Joined"]


def test_a_refusal_counts_though_the_instance_was_heard_a_moment_before() -> None:
    world, other = impatient()
    died(world, other)
    world.tell(Heard(A, other.beat()))
    world.tell(Refused(A))
    world.run(0.12)
    assert world.left()[1].reason is Reason.KILLED


def test_two_refusals_at_once_are_one() -> None:
    """A hint and a silence asked at the same time; only what was asked a while after the first refusal confirms it."""
    world, other = impatient()
    other.stopped = True
    world.tell(Refused(A))
    world.run(0.11)
    for _ in range(5):
        world.tell(Refused(A))
    assert world.nobody_left()


def test_a_refusal_is_void_once_a_heartbeat_was_heard() -> None:
    """Also for the question that was to confirm it, and that is under way."""
    world, other = impatient()
    world.tell(Refused(A))
    number = world.table.refusals
    world.tell(Heard(A, other.beat()))
    world.tell(Refused(A))
    world.tell(Refused(A, number))
    world.run(0.05)
    world.tell(Refused(A, number))
    assert world.nobody_left()


def test_a_refusal_is_void_where_somebody_was_there_to_be_asked_again() -> None:
    world, other = impatient()
    other.stopped = True
    world.tell(Refused(A))
    number = world.table.refusals
    world.run(0.1)
    world.tell(Unanswered(A, number))
    world.tell(Refused(A, number))
    assert world.nobody_left()


def test_a_refusal_does_not_count_just_after_we_reconnected() -> None:
    world, other = impatient()
    other.stopped = True
    world.tell(Refused(A))
    number = world.table.refusals
    world.run(0.15)
    world.disconnect()
    world.connect()
    world.tell(Refused(A, number))
    assert world.nobody_left()


def test_our_own_standstill_is_no_time_between_two_refusals() -> None:
    world, other = impatient()
    other.stopped = True
    world.tell(Refused(A))
    number = world.table.refusals
    world.now += 5  # blocked; both refusals were in the socket all the time
    world.tell(Refused(A, number))
    assert world.nobody_left()


def test_slow_heartbeats_are_due_between_two_refusals() -> None:
    """A refusal and its repetition would else fit between two heartbeats of one that lives, and drains."""
    world = World(patience=IMPATIENT)
    other = beating(world, heartbeat_s=0.5)
    world.others[A] = Other(other.record, killed=True)  # it serves no pings any more, but beats
    for _ in range(40):
        world.say(other)
        world.tell(Suspected(A))
        world.run(0.5)
    assert world.kinds == ["Joined"]


def test_an_instance_with_slow_heartbeats_may_be_silent_for_longer() -> None:
    world = World(patience=IMPATIENT)
    beating(world, heartbeat_s=1.0)
    world.run(20)
    assert world.probes == []
    assert world.kinds == ["Joined"]


def test_a_healthy_instance_is_never_even_asked() -> None:
    world, _ = impatient()
    world.run(30)
    assert world.probes == []


def test_heartbeats_are_handed_on_with_the_first_one() -> None:
    world, other = impatient()
    assert [beat.sequence for beat in world.beats] == list(range(1, other.sequence + 1))


def test_a_heartbeat_that_overtook_its_record_is_handed_on_when_the_record_is_there() -> None:
    world = World(patience=IMPATIENT)
    other = Other(InstanceRecord(service=A[0], instance=A[1], incarnation="one"))
    beat = other.beat()
    world.tell(Heard(A, beat))
    assert world.beats == []
    world.tell(Recorded(other.record, 1))
    assert world.kinds == ["Joined"]
    assert world.beats == [beat]


def test_heartbeats_of_the_past_are_not_handed_on() -> None:
    world, other = impatient()
    overtaken = other.beat()
    world.tell(Heard(A, other.beat()))
    world.beats.clear()
    world.tell(Heard(A, overtaken))
    world.tell(Heard(A, Other(InstanceRecord(service=A[0], instance=A[1], incarnation="zero")).beat()))
    world.tell(Heard(A, other.beat(InstanceStatus.GONE)))
    assert world.beats == []


def test_a_hint_makes_the_same_question_as_silence() -> None:
    world, _ = impatient()
    assert Probe(A) == Probe(A, 0.0, 0)
    world.tell(Suspected(A))
    world.run(0.001)
    assert len(world.probes) == 1


# Every preset

presets = pytest.mark.parametrize("timers", PRESETS.values(), ids=PRESETS.keys())


@presets
def test_a_killed_one_is_found_before_a_stopped_one_and_both_in_time(timers: Timers) -> None:
    departures: list[float] = []
    for fate in ("killed", "stopped"):
        world = World(patience=Patience.of(timers))
        other = beating(world, timers.heartbeat_s)
        setattr(other, fate, True)
        at = world.now
        world.run(10)
        departures.append(world.left()[0] - at)
    killed_s, stopped_s = departures
    assert killed_s < timers.ask_after_s + timers.confirm_s + 0.1
    assert timers.silence_s - timers.heartbeat_s <= stopped_s < timers.silence_s + 0.1
    assert killed_s < stopped_s


@presets
def test_a_gap_that_the_gate_lets_pass_makes_nobody_leave(timers: Timers) -> None:
    world = World(patience=Patience.of(timers))
    other = beating(world, timers.heartbeat_s)
    for _ in range(20):
        other.stopped = True
        world.run(timers.gate_s)
        other.stopped = False
        world.run(3 * timers.heartbeat_s)
    assert world.kinds == ["Joined"]


@given(st.lists(st.tuples(st.sampled_from(["calm", "asleep", "away", "deaf", "hint", "gap"]), st.floats(0.001, 1.5))))
def test_healthy_instances_stay_in_any_weather(weather: list[tuple[str, float]]) -> None:
    world, other = impatient()
    for kind, seconds in weather:
        match kind:
            case "asleep" | "away" | "deaf":
                world.weather(kind, seconds)
            case "hint":
                world.tell(Suspected(A))
            case "gap":
                other.stopped = True
                world.run(min(seconds, AGGRESSIVE.gate_s))
                other.stopped = False
                world.run(0.1)
            case _:
                world.run(seconds)
    assert world.kinds == ["Joined"]
    world.run(1.1)
    other.killed = True
    world.run(0.3)
    assert world.left()[1].reason is Reason.KILLED
