"""Whose turn it is: by weight, in the zone, and never a weight of 0."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk.balance import Balance, Wheel, able
from aegis_sdk.instances import Instance, InstanceRecord, InstanceStatus

WEIGHTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 1000), min_size=1)
LOTS = st.floats(0, 1, exclude_max=True)


def instance(name: str, zone: str = "", weight: int = 100, status: InstanceStatus = InstanceStatus.ACTIVE) -> Instance:
    record = InstanceRecord(service="till", instance=name, zone=zone, weight=weight)
    return Instance(record, status, age_s=0.0, confirmed=True)


def test_instances_of_the_zone_come_alone() -> None:
    assert able([instance("a", "east"), instance("b", "west", 7)], "west") == {"b": 7}


def test_without_a_zone_all_come() -> None:
    assert able([instance("a", "east"), instance("b", "west", 7)]) == {"a": 100, "b": 7}


@pytest.mark.parametrize(
    "only", [instance("b", "west", 0), instance("b", "west", status=InstanceStatus.DRAINING), instance("b", "south")]
)
def test_a_zone_that_has_no_able_instance_is_served_by_all(only: Instance) -> None:
    assert "a" in able([instance("a", "east"), only], "west")


@pytest.mark.parametrize("status", [InstanceStatus.STARTING, InstanceStatus.DRAINING, InstanceStatus.UNHEALTHY])
def test_who_does_not_serve_gets_no_turn(status: InstanceStatus) -> None:
    assert able([instance("a", status=status), instance("b", status=InstanceStatus.STANDBY)]) == {"b": 100}


def test_a_weight_of_0_gets_no_turn_even_when_nobody_else_is_there() -> None:
    assert able([instance("a", "east", 0)], "east") == {}


@given(WEIGHTS, LOTS, st.integers(1, 300))
def test_after_any_number_of_turns_each_has_had_its_share_to_within_a_few(
    weights: dict[str, int], lot: float, turns: int
) -> None:
    wheel = Wheel(lot)
    taken = Counter(wheel.turn(weights) for _ in range(turns))
    for name, weight in weights.items():
        assert abs(taken[name] - turns * weight / sum(weights.values())) <= 2


def test_the_turns_of_a_heavy_one_are_spread_out() -> None:
    wheel = Wheel(0.0)
    assert "".join(wheel.turn({"a": 5, "b": 1, "c": 1}) for _ in range(14)) == "aabacaaaabacaa"


def test_first_turns_are_shared_by_weight_too() -> None:
    firsts = Counter(Wheel(lot / 1000).turn({"a": 50, "b": 30, "c": 20}) for lot in range(1000))
    assert firsts == {"a": 500, "b": 300, "c": 200}


def test_one_that_comes_late_takes_its_share_and_no_more() -> None:
    wheel = Wheel(0.0)
    for _ in range(100):
        wheel.turn({"a": 1})
    taken = Counter(wheel.turn({"a": 1, "b": 1}) for _ in range(10))
    assert taken == {"a": 5, "b": 5}


class Desk:
    """A directory as far as a balance knows it, that counts how often it is read."""

    def __init__(self, *instances: Instance) -> None:
        self.present = instances
        self.reads = 0
        self.balance = Balance(self.instances, lambda: 0.0)

    def instances(self, service: str) -> tuple[Instance, ...]:
        self.reads += 1
        return self.present


def test_a_call_that_was_refused_goes_to_another_until_all_have_refused() -> None:
    desk = Desk(instance("a"), instance("b"), instance("c", "elsewhere"))
    assert desk.balance.choose("till", "", {"a", "c"}) == "b"
    assert desk.balance.choose("till", "", {"a", "b", "c"}) in {"a", "b", "c"}


def test_a_refused_call_does_not_leave_its_zone() -> None:
    desk = Desk(instance("a", "east"), instance("b", "west"))
    assert desk.balance.choose("till", "east", {"a"}) == "a"


def test_the_directory_is_read_again_only_when_it_has_changed() -> None:
    desk = Desk(instance("a"))
    assert {desk.balance.choose("till", "") for _ in range(10)} == {"a"}
    assert desk.reads == 1
    desk.present = (instance("b"),)
    desk.balance.changed()
    assert {desk.balance.choose("till", "") for _ in range(10)} == {"b"}
    assert desk.reads == 2


def test_nobody_is_nobody() -> None:
    assert Desk().balance.choose("till", "") == ""
