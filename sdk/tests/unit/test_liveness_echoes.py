"""Echoes that a directory leaves out would have decided nothing."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aegis_sdk.instances import InstanceRecord
from aegis_sdk.liveness import Patience
from aegis_sdk.liveness_events import Name, Recorded, Suspected
from aegis_sdk.timers import AGGRESSIVE

from .liveness_world import A, Other, World

PATIENCE: Final = {"patient": (Patience(), 0.25), "impatient": (Patience.of(AGGRESSIVE), AGGRESSIVE.heartbeat_s)}
B: Final[Name] = ("quotes", "b")
FATES: Final = ("calm", "asleep", "away", "deaf", "slow", "hint", "stopped", "killed", "again", "stranger")

of_each_patience = pytest.mark.parametrize(("patience", "heartbeat_s"), PATIENCE.values(), ids=PATIENCE.keys())
weathers = st.lists(st.tuples(st.sampled_from(FATES), st.floats(0.001, 2)), max_size=6)


def two_instances(patience: Patience, heartbeat_s: float, *, eager: bool) -> World:
    world = World(patience=patience, eager=eager)
    for name in (A, B):
        start(world, name, heartbeat_s)
    world.run(1.005)
    return world


def start(world: World, name: Name, heartbeat_s: float, incarnation: str = "one", *, told: bool = True) -> None:
    record = InstanceRecord(service=name[0], instance=name[1], incarnation=incarnation, heartbeat_s=heartbeat_s)
    world.others[name] = other = Other(record)
    world.put(record, watched=told)
    world.begin_beating(other)


def befall(world: World, kind: str, seconds: float, heartbeat_s: float) -> None:
    other = world.others[A]
    match kind:
        case "asleep" | "away" | "deaf":
            world.weather(kind, seconds)
        case "slow":
            world.lag = seconds / 5
        case "hint":
            world.tell(Suspected(A))
        case "stopped":
            other.stopped = True
            world.run(seconds)
            other.stopped = False
        case "killed":
            other.killed = True
        case "again":
            start(world, A, heartbeat_s, f"at-{world.now * 1e6:.0f}")
        case "stranger":  # the watch is behind
            start(world, A, heartbeat_s, f"at-{world.now * 1e6:.0f}", told=False)
        case _:
            pass
    world.run(seconds)


@of_each_patience
@given(weathers)
@example([("calm", 0.04), ("killed", 2)])
@example([("calm", 0.09), ("killed", 2)])
@example([("calm", 0.04), ("stopped", 2)])
@example([("calm", 0.09), ("stopped", 2)])
@example([("stranger", 2)])
@settings(max_examples=60, deadline=None)
def test_the_same_is_decided_at_the_same_moment_as_with_an_echo_at_each_tick(
    patience: Patience, heartbeat_s: float, weather: list[tuple[str, float]]
) -> None:
    sparing, eager = (two_instances(patience, heartbeat_s, eager=one) for one in (False, True))
    for kind, seconds in weather:
        for world in (sparing, eager):
            befall(world, kind, seconds, heartbeat_s)
    for world in (sparing, eager):
        world.run(3)
    assert told(sparing) == told(eager)
    assert sparing.probes == eager.probes
    assert sparing.fetched == eager.fetched


def told(world: World) -> list[tuple[float, str, str, str]]:
    return [
        (at, type(change).__name__, change.instance.record.instance, change.instance.record.incarnation)
        for at, change in world.log
    ]


@of_each_patience
def test_who_hears_everybody_asks_for_ten_echoes_a_second(patience: Patience, heartbeat_s: float) -> None:
    world = two_instances(patience, heartbeat_s, eager=False)
    world.asked_echoes = 0
    world.run(10)
    assert 80 <= world.asked_echoes <= 101
    assert world.probes == []


@of_each_patience
def test_who_departed_costs_no_echo(patience: Patience, heartbeat_s: float) -> None:
    world = two_instances(patience, heartbeat_s, eager=False)
    world.others[A].stopped = True
    world.run(5)
    assert world.left()[1].instance.record.instance == "a"
    world.asked_echoes = 0
    world.run(10)
    assert world.asked_echoes <= 101


@of_each_patience
def test_each_tick_has_an_echo_while_somebody_is_silent_for_too_long(patience: Patience, heartbeat_s: float) -> None:
    world = two_instances(patience, heartbeat_s, eager=False)
    world.others[A].stopped = True
    world.run(patience.suspicious_s + heartbeat_s)
    world.asked_echoes = 0
    world.run(0.1)
    assert world.asked_echoes >= 0.1 / patience.tick_s - 1


def test_a_table_without_instances_is_certain_all_the_same() -> None:
    world = World()
    ages: list[float] = []
    for _ in range(200):
        world.run(0.013)
        ages.append(world.table.age_s(world.now))
    assert max(ages) < 0.2


def test_a_record_that_nobody_beats_for_is_gone_in_time() -> None:
    world = World()
    world.tell(Recorded(InstanceRecord(service="quotes", instance="a", incarnation="one"), 1))
    world.run(3)
    assert world.instances(unconfirmed=True) == []
