"""How keys are shared, handed over and slowed down, played through in a world of simulated time."""

from __future__ import annotations

from collections import Counter
from math import inf

import pytest

from aegis_sdk.election import successor_of
from aegis_sdk.election_events import (
    Role,
    Wanted,
)
from aegis_sdk.ledger.records import Lease, LeaseState
from aegis_sdk.placement import Placement, ranking

from .election_holders import held_by_one_of
from .election_nodes import KILLED_S, T
from .election_world import WIRES_S, World

# At the start


def test_a_vacant_key_is_claimed_by_the_best_after_it_has_settled() -> None:
    world = World()
    nodes = [world.node(name) for name in "abc"]
    world.run(T.settle_s - 0.01)
    assert world.epochs() == []
    world.run(WIRES_S)
    holder, _ = held_by_one_of(world)
    best = ranking("s", "k", holder.election.candidates, Placement())[0]
    assert holder.instance == best
    assert sum(len(node.claims) for node in nodes) == 1


def test_keys_are_spread_over_those_that_start_within_a_second_of_each_other() -> None:
    """The first to settle does not take what belongs to those that have just joined."""
    world = World(keys=[f"k{n}" for n in range(300)])
    for name in "abc":
        world.node(name, run=0.3)
    world.run(3.0)
    shares = Counter(holder.instance for n in range(300) if (holder := world.holder(f"k{n}")) is not None)
    assert sum(shares.values()) == 300
    assert min(shares[name] for name in "abc") > 70


def test_a_healthy_holder_keeps_its_key_whoever_else_joins() -> None:
    world = World()
    world.start("a")
    for name in "bcdef":
        world.node(name, run=2.0)
    world.run(30.0)
    holder, _ = held_by_one_of(world)
    assert holder.instance == "a"
    assert len(world.epochs()) == 1
    assert all(not node.probes and not node.alarms for node in world.nodes)


def test_a_holder_that_never_joined_is_replaced_when_we_have_settled() -> None:
    world = World()
    world.put("k", Lease(LeaseState.ACTIVE, "ghost", "i0", "x"))
    [node] = [world.node("a")]
    took = world.run_until(lambda: world.holder() is node, within=3)
    assert T.settle_s < took < T.settle_s + T.proof_s + 2 * WIRES_S


# Handover


def test_a_key_handed_over_is_claimed_by_its_successor_alone_and_at_once() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    world.withdraw(holder, successor=standbys[1].instance)
    took = world.run_until(lambda: world.holder() is standbys[1], within=1)
    assert took < WIRES_S
    assert standbys[0].claims == []
    assert standbys[1].claims[0][1].gap_ms == 0
    world.run(10.0)
    assert world.holder() is standbys[1], "it does not go back"
    world.check()


def test_a_key_handed_over_to_nobody_in_particular_goes_to_the_best() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    world.withdraw(holder)
    world.run(0.1)
    assert world.holder() is standbys[0]


def test_a_key_handed_over_to_a_dead_successor_is_free_after_a_moment() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    standbys[0].alive = False
    world.withdraw(holder, successor=standbys[0].instance)
    took = world.run_until(lambda: world.holder() is standbys[1], within=1)
    assert T.handover_s < took < T.handover_s + T.rank_s + WIRES_S
    world.check()


def test_a_key_is_not_handed_over_to_one_that_takes_none() -> None:
    world = World()
    world.start("a", "b")
    holder, [standby] = held_by_one_of(world)
    world.retire(standby)
    world.run(0.1)
    for successor in ("", standby.instance, holder.instance, "nobody"):
        assert successor_of(holder.election, "k", successor, world.now) == ""
        world.withdraw(holder, successor=successor)
    world.run(1.0)
    assert world.holder() is holder
    assert len(world.epochs()) == 1


def test_one_that_drains_hands_all_over_to_those_that_are_best_for_each_key() -> None:
    world = World(keys=[f"k{n}" for n in range(100)])
    world.start("a")
    leaver = world.nodes[0]
    world.node("b")
    world.node("c", run=2.0)
    world.retire(leaver)
    world.run(0.2)
    shares = Counter(holder.instance for n in range(100) if (holder := world.holder(f"k{n}")) is not None)
    assert shares["b"] + shares["c"] == 100
    assert min(shares["b"], shares["c"]) > 30
    world.check()


def test_when_all_drain_every_key_is_vacant_and_nobody_claims() -> None:
    world = World()
    nodes = world.start("a", "b", "c")
    for node in nodes:
        world.retire(node)
        world.run(0.5)
    lease = world.latest("k")[1]
    assert lease is not None
    assert lease.state is LeaseState.VACANT
    epochs = world.epochs()
    world.run(5.0)
    assert world.holders_of() == []
    assert world.epochs() == epochs
    world.retire(nodes[1], False)
    world.run(0.5)
    assert world.holder() is nodes[1]
    world.check()


def test_keys_that_are_not_wanted_any_more_are_given_back_and_left_alone() -> None:
    world = World(keys=["k", "other"])
    [node] = world.start("a")
    world.tell(node, Wanted(frozenset({"other"})))
    world.run(2.0)
    assert node.role("k") is Role.STANDBY
    assert world.epoch("k") == 0
    assert world.holder("other") is node
    world.tell(node, Wanted(frozenset({"other", "k"})))
    world.run(0.1)
    assert world.holder("k") is node


# Damping and back-off


def test_a_key_that_goes_from_hand_to_hand_is_slowed_down_and_reported() -> None:
    world = World()
    world.start("a", "b", "c")
    took: list[float] = []
    for _ in range(9):
        holder, _ = held_by_one_of(world)
        world.freeze(holder, 2.0)
        took.append(world.run_until(lambda holder=holder: world.holder() not in (None, holder), within=2))
        world.run(2.0)
    assert max(took[:6]) < 0.6
    assert [round(late - took[0], 1) for late in took[6:]] == pytest.approx([0.25, 0.5, 1.0], abs=0.15)
    assert any("6 times in a minute" in alarm.problem for node in world.nodes for alarm in node.alarms)
    world.check()


def test_a_key_is_not_damped_for_being_handed_over() -> None:
    world = World()
    world.start("a", "b", "c")
    for _ in range(12):
        holder, _ = held_by_one_of(world)
        world.withdraw(holder)
        world.run_until(lambda holder=holder: world.holder() not in (None, holder), within=0.1)
    assert all(node.alarms == [] for node in world.nodes)


def test_a_failed_recovery_gives_the_key_to_others() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    standbys[0].recovers = False
    world.kill(holder)
    took = world.run_until(lambda: world.holder() is standbys[1], within=2)
    assert took < KILLED_S + 2 * T.proof_s + 2 * T.rank_s + 2 * WIRES_S
    assert ["recovery failed 1 times" in alarm.problem for alarm in standbys[0].alarms] == [True]
    world.check()


def test_one_that_cannot_recover_tries_again_ever_more_seldom() -> None:
    world = World()
    node = world.node("a")
    node.recovers = False
    world.run(40.0)
    pauses = [round(later - earlier, 1) for (earlier, _), (later, _) in zip(node.claims, node.claims[1:], strict=False)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    node.recovers = True
    world.run(12.0)
    assert world.holder() is node


# Placement


def test_the_preferred_instance_claims_first_and_one_without_weight_never() -> None:
    world = World(placement=Placement(prefer=("c", "b")))
    world.node("a", weight=1000)
    b, c = world.node("b"), world.node("c")
    world.node("d", weight=0)
    world.run(3.0)
    assert world.holder() is c
    world.kill(c)
    world.run(1.0)
    assert world.holder() is b
    world.kill(b)
    world.kill(world.nodes[0])
    world.run(5.0)
    assert world.holders_of() == []


# Many keys


def test_nothing_is_pending_while_all_is_well() -> None:
    world = World(keys=[f"k{n}" for n in range(50)])
    world.start("a", "b")
    world.run(5.0)
    assert all(node.election.due_at == inf for node in world.nodes)
