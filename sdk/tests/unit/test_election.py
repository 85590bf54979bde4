"""The decisions of an election, played through by several instances in a world of simulated time."""

from __future__ import annotations

from collections import Counter, deque
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_sdk.election import Election, step, successor_of
from aegis_sdk.election_events import (
    Action,
    Adopt,
    BeatHeard,
    Claim,
    Claimed,
    Connected,
    Contradicted,
    Demote,
    Deposed,
    Disconnected,
    Event,
    Joined,
    LeaseRead,
    LeasesCaughtUp,
    Left,
    ProvedByStandby,
    Release,
    Retired,
    Role,
    Ticked,
    Wanted,
)
from aegis_sdk.ledger.records import Lease, LeaseState
from aegis_sdk.placement import Placement, ranking

from .election_world import KILLED_S, Fate, Node, T, World

WIRES_S = 0.03  # a tick, a write and what travels


def held_by_one_of(world: World) -> tuple[Node, list[Node]]:
    """The holder of `k`, and the others in the order in which they would claim."""
    holder = world.holder()
    assert holder is not None
    order = ranking("s", "k", holder.election.candidates, world.placement)
    return holder, sorted((n for n in world.nodes if n is not holder), key=lambda node: order.index(node.instance))


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


def test_nothing_is_claimed_before_the_leases_have_been_read() -> None:
    election, actions = alone(caught_up=False)
    assert step(election, Ticked(), 5.0) == actions == []
    assert claims(step(election, LeasesCaughtUp(), 5.0)) == ["k"]


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


# Death, stop, restart


def test_a_killed_holder_is_replaced_by_the_best_standby_at_once() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    world.kill(holder)
    took = world.run_until(lambda: world.holder() is standbys[0], within=1)
    assert took < KILLED_S + T.proof_s + WIRES_S
    assert standbys[1].claims == []
    [(_, claim)] = standbys[0].claims
    assert 1000 * KILLED_S <= claim.gap_ms <= 1000 * (KILLED_S + T.heartbeat_s + WIRES_S)
    world.check()


def test_a_stopped_holder_is_replaced_after_its_silence_and_demotes_itself_when_it_goes_on() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    world.freeze(holder, 2.0)
    took = world.run_until(lambda: world.holder() is standbys[0], within=1)
    assert took < T.silence_s + T.proof_s + T.heartbeat_s + WIRES_S
    world.run(3.0)
    assert world.holders_of() == [standbys[0]]
    assert holder.role() is Role.STANDBY
    assert holder.holdings == {}
    world.check()


def test_a_stop_shorter_than_the_silence_changes_nothing() -> None:
    world = World()
    world.start("a", "b")
    holder, _ = held_by_one_of(world)
    for _ in range(5):
        world.freeze(holder, T.silence_s - T.heartbeat_s - 0.02)
        world.run(2.0)
    assert world.holder() is holder
    assert len(world.epochs()) == 1


def test_a_new_start_of_the_holder_ends_the_old_one_without_waiting_for_silence() -> None:
    world = World()
    world.start("a", "b")
    holder, [standby] = held_by_one_of(world)
    holder.alive = False  # nobody has noticed
    world.node(holder.instance)
    took = world.run_until(lambda: world.holder() is standby, within=1)
    assert took < T.proof_s + WIRES_S


def test_an_only_instance_that_was_started_anew_takes_its_keys_back() -> None:
    world = World()
    [first] = world.start("a")
    world.kill(first)
    again = world.node("a")
    took = world.run_until(lambda: world.holder() is again, within=2)
    assert took < T.settle_s + T.proof_s + 2 * WIRES_S


def test_the_lease_of_a_start_that_is_not_known_yet_is_left_alone() -> None:
    """A lease may be read before the heartbeat of the new incarnation that wrote it."""
    election, _ = alone()
    step(election, Joined("b", "old", "", 100, True), 1.0)
    assert step(election, LeaseRead("k", active("b", "new"), 10), 5.0) == []
    assert step(election, Ticked(), 5.1) == []
    step(election, Joined("b", "new", "", 100, True), 5.2)
    assert step(election, Ticked(), 9.0) == []


def test_two_standbys_that_race_get_one_epoch_and_one_of_them_stands_by() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    world.kill(holder)
    world.freeze(standbys[0], KILLED_S + T.rank_s)  # it goes on just as the other claims
    world.run(2.0)
    assert len(standbys[0].claims) == len(standbys[1].claims) == 1
    assert len(world.epochs()) == 2
    assert world.holder() in standbys
    world.check()


def test_a_standby_that_does_not_claim_is_passed_over() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    world.kill(holder)
    standbys[0].reaches_ledger = False
    took = world.run_until(lambda: world.holder() is standbys[1], within=1)
    assert KILLED_S + T.rank_s < took < KILLED_S + T.rank_s + T.proof_s + WIRES_S


def test_a_standby_suspects_nobody_until_it_has_settled_after_a_reconnection() -> None:
    world = World()
    world.start("a", "b")
    holder, [standby] = held_by_one_of(world)
    world.disconnect(standby)
    world.run(5.0)
    world.kill(holder)
    world.run(1.0)
    assert standby.claims == []
    world.connect(standby)
    took = world.run_until(lambda: world.holder() is standby, within=3)
    assert took > T.settle_s


def test_a_holder_that_loses_its_connection_is_replaced_and_stands_by_when_it_is_back() -> None:
    world = World()
    world.start("a", "b")
    holder, [standby] = held_by_one_of(world)
    world.disconnect(holder)
    world.run_until(lambda: standby.role() is Role.ACTIVE, within=1)
    assert holder.role() is Role.SUSPENDED
    world.connect(holder)
    world.run(3.0)
    assert holder.role() is Role.STANDBY
    assert world.holder() is standby
    world.check()


# Claims without an answer


def test_a_claim_whose_answer_was_lost_is_found_in_the_ledger() -> None:
    world = World(fates=deque([Fate.ANSWER_LOST]))
    [node] = world.start("a")
    assert world.holder() is node
    assert len(node.claims) == len(world.epochs()) == 1


def test_a_claim_that_was_lost_is_made_again() -> None:
    world = World(fates=deque([Fate.DROPPED, Fate.DROPPED]))
    [node] = world.start("a")
    world.run(1.0)
    assert world.holder() is node
    assert len(node.claims) == 3
    assert len(world.epochs()) == 1


def test_a_lost_claim_is_given_up_when_the_holder_is_heard_again() -> None:
    world = World()
    world.start("a", "b")
    holder, _ = held_by_one_of(world)
    world.fates.append(Fate.DROPPED)
    world.freeze(holder, T.silence_s + 0.3)
    world.run(5.0)
    assert world.holder() is holder
    assert len(world.epochs()) == 1


def test_a_claim_that_lands_after_it_was_given_up_is_adopted() -> None:
    """The ledger has deposed the holder already; nobody else can use the epoch."""
    world = World(late_s=2.0)
    world.start("a", "b")
    holder, [standby] = held_by_one_of(world)
    world.fates.append(Fate.LATE)
    world.freeze(holder, T.silence_s + 0.1)
    world.run(1.0)
    assert world.holder() is holder
    assert standby.role() is Role.STANDBY
    world.run(3.0)
    assert world.holder() is standby
    assert holder.role() is Role.STANDBY
    world.check()


def test_a_claim_that_lands_when_we_take_no_keys_any_more_is_given_back() -> None:
    world = World(late_s=1.0)
    world.start("a", "b")
    holder, [standby] = held_by_one_of(world)
    world.fates.append(Fate.LATE)
    world.freeze(holder, T.silence_s + 0.1)
    world.run(1.0)
    world.retire(standby)
    world.run(2.0)
    assert standby.role() is Role.STANDBY
    assert world.holder() is holder
    assert len(world.epochs()) == 3
    world.check()


def test_a_claim_that_lands_behind_another_one_is_refused_and_harms_nobody() -> None:
    world = World(late_s=1.0)
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    world.fates.append(Fate.LATE)
    world.kill(holder)
    world.run(3.0)
    assert world.holder() is standbys[1]
    assert len(world.epochs()) == 2


def test_an_acknowledgement_that_comes_after_a_later_lease_means_nothing() -> None:
    election, _ = alone()
    assert claims(step(election, Ticked(), 5.0)) == ["k"]
    step(election, LeaseRead("k", active("b", "ib"), 40), 5.1)
    assert step(election, Claimed("k", 30, "x", 5.1), 5.2) == []
    assert election.role("k") is Role.STANDBY
    assert election.epoch("k") == 0


# The wait of a new holder


def test_a_new_holder_waits_until_the_proofs_of_the_one_before_have_run_out() -> None:
    election, _ = alone()
    step(election, LeaseRead("k", active("b", "ib"), 10), 3.0)
    step(election, Left("b", "ib"), 3.5)
    assert step(election, Claimed("k", 12, "x", 5.0), 5.01) == [Adopt("k", 12, 5.0 + T.proof_s)]


@pytest.mark.parametrize("state", [LeaseState.HANDOVER, LeaseState.VACANT])
def test_a_new_holder_does_not_wait_for_one_that_gave_the_key_back(state: LeaseState) -> None:
    election, _ = alone()
    step(election, LeaseRead("k", active("b", "ib"), 10), 3.0)
    step(
        election, LeaseRead("k", Lease(state, "b", "ib", successor="a" if state is LeaseState.HANDOVER else ""), 20), 4
    )
    assert step(election, Claimed("k", 22, "x", 5.0), 5.01) == [Adopt("k", 22, 5.0)]


def test_an_epoch_is_not_given_back_before_its_holder_could_have_served() -> None:
    """Who comes next trusts that it need not wait; but the holder before this one may still have a proof."""
    election, _ = alone()
    step(election, LeaseRead("k", active("b", "ib"), 10), 3.0)
    step(election, Left("b", "ib"), 3.5)
    step(election, Claimed("k", 12, "x", 5.0), 5.0)
    assert step(election, Retired(True), 5.01) == []
    assert election.role("k") is Role.RELEASING
    assert step(election, Ticked(), 5.0 + T.proof_s - 0.001) == []
    assert step(election, Ticked(), 5.0 + T.proof_s) == [Release("k", 12, "", drain=False)]
    assert step(election, Ticked(), 6.0) == []


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


# Suspension


def test_when_the_ledger_is_away_for_all_nobody_changes() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, _ = held_by_one_of(world)
    world.ledger_works = False
    world.run(20.0)
    assert holder.role() is Role.SUSPENDED
    world.ledger_works = True
    world.run(10.0)
    assert world.holder() is holder
    assert len(world.epochs()) == 1
    assert all(node.claims == [] for node in world.nodes if node is not holder)


def test_a_holder_that_alone_cannot_write_is_replaced_after_its_time() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    holder.reaches_ledger = False
    took = world.run_until(lambda: world.holder() is standbys[0], within=5)
    assert T.suspended_s < took < 1.25 * T.suspended_s + T.proof_s + T.heartbeat_s + 2 * WIRES_S
    world.check()


def test_the_time_of_a_suspended_holder_begins_with_the_standbys_own_proof() -> None:
    world = World()
    world.start("a", "b")
    holder, [standby] = held_by_one_of(world)
    world.ledger_works = holder.reaches_ledger = False
    world.run(10.0)
    assert standby.probes
    assert standby.claims == []
    world.ledger_works = True
    took = world.run_until(lambda: world.holder() is standby, within=5)
    assert took > T.suspended_s


def test_an_outage_of_the_ledger_between_two_proofs_begins_the_time_anew() -> None:
    world = World()
    world.start("a", "b")
    holder, [standby] = held_by_one_of(world)
    holder.reaches_ledger = False
    world.run(0.75 * T.suspended_s)
    world.ledger_works = False
    world.run(3 * T.suspended_s)
    assert standby.claims == []
    world.ledger_works = True
    assert world.run_until(lambda: standby.claims != [], within=5) > T.suspended_s


def test_a_reconnection_of_the_standby_begins_all_times_anew() -> None:
    """What it did not hear, or could not write, it holds against nobody."""
    election = follower(frozenset({"k"}))
    beat_at, settled_at = 3.0, 4.5 + T.settle_s
    step(election, BeatHeard("b", "ib", {"k": 1}, frozenset({"k"})), beat_at)
    for tick in range(1000):
        now = beat_at + tick / 100
        actions = [*step(election, Ticked(), now), *(step(election, Connected(), now) if tick == 150 else [])]
        actions += step(election, ProvedByStandby("k", 1), now) if tick % 10 == 0 else []
        if claims(actions):
            assert settled_at + T.suspended_s - 0.01 <= now < settled_at + T.suspended_s + 0.2
            return
    raise AssertionError("it was never claimed")


def test_what_was_omitted_before_a_reconnection_does_not_count() -> None:
    election = follower(frozenset({"k"}))
    omitting = BeatHeard("b", "ib", {}, frozenset())
    step(election, omitting, 3.0)
    step(election, Connected(), 3.1)
    assert step(election, omitting, 3.2 + T.settle_s) == []
    assert step(election, omitting, 3.2 + T.settle_s + T.silence_s - 0.01) == []
    assert claims(step(election, omitting, 3.2 + T.settle_s + T.silence_s + 0.01)) == ["k"]


def test_a_holder_that_comes_back_suspended_is_probed_again() -> None:
    election = follower(frozenset({"k"}))
    beat = BeatHeard("b", "ib", {"k": 1}, frozenset({"k"}))
    assert kinds(step(election, beat, 3.0)) == ["ProbeLedger"]
    step(election, Disconnected(), 3.0)
    step(election, Left("b", "ib"), 3.1)
    assert step(election, Ticked(), 4.0) == []
    step(election, Joined("b", "ib", "", 100, True), 5.0)
    assert kinds(step(election, beat, 5.0)) == ["ProbeLedger"]


def test_thousands_of_suspended_keys_are_probed_a_few_at_a_time() -> None:
    keys = frozenset(f"k{n}" for n in range(2000))
    election = follower(keys)
    held = {key: n + 1 for n, key in enumerate(sorted(keys))}
    step(election, BeatHeard("b", "ib", held, frozenset()), 3.0)
    probes = len(step_all(election, BeatHeard("b", "ib", held, keys), 4.0))
    assert probes == 2000
    later = sum(len(step(election, Ticked(), 4.0 + tick / 100)) for tick in range(1, 1001))
    assert 2000 < later <= 4400


# What heartbeats say of keys


def test_a_holder_that_names_the_key_no_more_is_silent_for_that_key() -> None:
    world = World()
    world.start("a", "b")
    holder, [standby] = held_by_one_of(world)
    holder.lists = False
    took = world.run_until(lambda: world.holder() is standby, within=2)
    assert T.silence_s < took < T.silence_s + T.proof_s + 3 * T.heartbeat_s
    world.check()


def test_a_claimer_that_never_names_its_key_loses_it_again() -> None:
    election = follower(frozenset({"k"}))
    naming = BeatHeard("b", "ib", {"other": 7, "k": 1}, frozenset())
    omitting = naming._replace(held={"other": 7})
    step(election, naming, 3.0)
    step(election, LeaseRead("k", Lease(LeaseState.HANDOVER, "b", "ib", successor="b"), 10), 3.0)
    step(election, omitting, 3.0)
    step(election, LeaseRead("k", active("b", "ib"), 11), 3.01)
    assert step(election, omitting, 3.02) == []
    assert claims(step(election, omitting, 3.03 + T.silence_s)) == ["k"]


def test_a_list_that_is_older_than_the_lease_takes_no_key_away() -> None:
    """The heartbeat that named the key may have been lost; only one that is heard now can omit it."""
    election = follower(frozenset({"k"}))
    step(election, BeatHeard("b", "ib", {}, frozenset()), 3.0)
    assert step(election, Ticked(), 9.0) == []
    step(election, BeatHeard("b", "ib", {"k": 1}, frozenset()), 9.0)
    assert step(election, BeatHeard("b", "ib", {"k": 1}, frozenset()), 9.5) == []


def test_a_key_that_is_named_again_in_time_was_never_lost() -> None:
    election = follower(frozenset({"k"}))
    for n in range(100):
        held = {"k": 1} if n % 7 == 6 else {}
        assert step(election, BeatHeard("b", "ib", held, frozenset()), 3.0 + n * T.heartbeat_s) == []


# Contradictions


def test_a_lower_epoch_than_ever_seen_stops_the_key() -> None:
    election = follower(frozenset({"k"}), first=10)
    assert kinds(step(election, LeaseRead("k", active("c", "ic"), 5), 3.0)) == ["Stop", "Alarm"]
    assert step(election, Left("b", "ib"), 4.0) == []
    assert step(election, Ticked(), 9.0) == []
    assert step(election, LeaseRead("k", Lease(LeaseState.VACANT, "c", "ic"), 50), 9.0) == []


def test_the_same_epoch_of_another_attempt_stops_the_key_and_ends_ours() -> None:
    election, _ = alone()
    step(election, Ticked(), 5.0)
    step(election, Claimed("k", 10, "x", 5.0), 5.0)
    assert step(election, LeaseRead("k", active("a", "ia", "x"), 10), 5.1) == []
    assert kinds(step(election, LeaseRead("k", active("a", "ia", "y"), 10), 5.2)) == ["Demote", "Stop", "Alarm"]
    assert election.role("k") is Role.STANDBY
    assert not election.held


def test_a_claim_that_got_an_epoch_of_another_stops_the_key() -> None:
    election = follower(frozenset({"k"}), first=10)
    assert kinds(step(election, Claimed("k", 10, "x", 3.0), 3.0)) == ["Stop", "Alarm"]


def test_another_that_names_an_epoch_which_is_not_its_own_stops_the_key() -> None:
    election = follower(frozenset({"k"}), first=10)
    step(election, Joined("c", "ic", "", 100, True), 3.0)
    assert kinds(step(election, BeatHeard("c", "ic", {"k": 10}, frozenset()), 3.0)) == ["Stop", "Alarm"]


def test_a_journal_that_contradicts_itself_stops_the_key() -> None:
    election, _ = alone()
    step(election, Ticked(), 5.0)
    step(election, Claimed("k", 10, "x", 5.0), 5.0)
    assert kinds(step(election, Contradicted("k", "two begins"), 6.0)) == ["Demote", "Stop", "Alarm"]
    assert step(election, Contradicted("k", "two begins"), 6.0) == []


def test_a_record_that_is_read_again_changes_nothing() -> None:
    election = follower(frozenset({"k"}), first=10)
    step(election, LeaseRead("k", active("c", "ic"), 20), 3.0)
    for sequence, holder in ((10, "b"), (20, "c"), (10, "b")):
        assert step(election, LeaseRead("k", active(holder, f"i{holder}"), sequence), 3.1) == []
    assert election.holder("k") == "c"
    assert election.known_epoch("k") == 20


def test_a_later_lease_of_another_ends_ours() -> None:
    election, _ = alone()
    step(election, Ticked(), 5.0)
    step(election, Claimed("k", 10, "x", 5.0), 5.0)
    assert step(election, LeaseRead("k", active("b", "ib"), 20), 5.1) == [Demote("k", 10)]
    assert election.role("k") is Role.STANDBY


def test_one_that_was_deposed_waits_for_the_lease_that_did_it() -> None:
    election, _ = alone()
    step(election, Ticked(), 5.0)
    step(election, Claimed("k", 10, "x", 5.0), 5.0)
    assert step(election, Deposed("k", 9), 5.1) == []
    assert step(election, Deposed("k", 10), 5.1) == [Demote("k", 10)]
    assert step(election, LeaseRead("k", active("a", "ia", "x"), 10), 5.2) == []
    assert step(election, Ticked(), 20.0) == []


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


def test_only_so_many_standbys_claim_as_the_placement_says() -> None:
    election, _ = alone(Placement(prefer=("b", "c", "a"), standbys=1))
    for name in "bc":
        step(election, Joined(name, f"i{name}", "", 100, True), 1.0)
    step(election, LeaseRead("k", Lease(LeaseState.VACANT, "z", "iz"), 10), 3.0)
    assert step(election, Ticked(), 20.0) == []
    assert claims(step(election, Left("b", "ib"), 20.0)) == ["k"]


# Many keys


def test_the_death_of_a_holder_of_a_third_of_all_keys_yields_all_claims_at_once() -> None:
    election, _ = alone(keys=frozenset(f"k{n}" for n in range(1000)), caught_up=False)
    for n, name in enumerate("bcd"):
        step(election, Joined(name, f"i{name}", "", 0, True), 0.0)
        for key in range(n, 1000, 3):
            step(election, LeaseRead(f"k{key}", active(name, f"i{name}"), key + 1), 0.0)
    step(election, LeasesCaughtUp(), 0.0)
    step(election, Ticked(), 3.0)
    assert not election.pending
    dead = step_all(election, Left("c", "ic"), 3.0)
    assert sorted(claims(dead)) == sorted(f"k{key}" for key in range(1, 1000, 3))
    assert len(dead) == 333


def test_a_step_for_one_key_does_not_walk_all() -> None:
    asked: list[str] = []

    def placement(key: str) -> Placement:
        asked.append(key)
        return Placement()

    keys = frozenset(f"k{n}" for n in range(5000))
    election = Election("s", "a", "ia", T, placement, "", 100, 0.0)
    step(election, Wanted(keys), 0.0)
    step(election, LeasesCaughtUp(), 0.0)
    asked.clear()
    step(election, LeaseRead("k7", Lease(LeaseState.VACANT, "b", "ib"), 10), 0.1)
    step(election, LeaseRead("k8", active("b", "ib"), 11), 0.1)
    step(election, Ticked(), 0.2)
    step(election, BeatHeard("b", "ib", {"k8": 11}, frozenset()), 0.2)
    assert set(asked) <= {"k7", "k8"}
    assert len(claims(step_all(election, Ticked(), T.settle_s))) == 4999


def test_nothing_is_pending_while_all_is_well() -> None:
    world = World(keys=[f"k{n}" for n in range(50)])
    world.start("a", "b")
    world.run(5.0)
    assert all(not node.election.pending and node.election.due_at == inf for node in world.nodes)


def test_of_those_that_left_long_ago_nothing_is_kept() -> None:
    election, _ = alone()
    for n in range(1000):
        step(election, Joined(f"b{n}", "i", "", 100, True), float(n))
        step(election, Left(f"b{n}", "i"), n + 0.5)
    assert len(election.peers) < 70


# Any interleaving

BEFALLINGS = (
    *("kill", "restart", "freeze", "nap", "cut", "mend", "cut ledger", "ledger away", "ledger back"),
    *("retire", "return", "withdraw", "fail", "recover", "lose", "drop", "late", "hide"),
)


def befall(world: World, what: str, choice: int) -> None:
    """Something happens to one of the nodes, or to all."""
    living = [node for node in world.nodes if node.alive]
    node = living[choice % len(living)]
    match what:
        case "kill" if len(living) > 1:
            world.kill(node)
        case "restart":
            world.kill(node)
            world.node(node.instance)
        case "freeze" | "nap" if node.runs:
            world.freeze(node, 1.5 if what == "freeze" else 0.3)
        case "cut" if node.connected and node.runs:
            world.disconnect(node)
        case "mend" if not node.connected and node.runs:
            world.connect(node)
        case "cut ledger":
            node.reaches_ledger = not node.reaches_ledger
        case "ledger away" | "ledger back":
            world.ledger_works = what == "ledger back"
        case "retire" | "return" if node.runs:
            world.retire(node, what == "retire")
        case "withdraw" if node.runs:
            world.withdraw(node, ("k", "l")[choice % 2])
        case "fail" | "recover":
            node.recovers = what == "recover"
        case "lose" | "drop" | "late":
            world.fates.append({"lose": Fate.ANSWER_LOST, "drop": Fate.DROPPED, "late": Fate.LATE}[what])
        case "hide":
            node.lists = not node.lists
        case _:
            pass


def heal(world: World) -> None:
    world.ledger_works = True
    world.fates.clear()
    world.run(2.0)
    for node in world.nodes:
        node.recovers = node.lists = node.reaches_ledger = True
        if node.alive and not node.connected:
            world.connect(node)
        if node.alive and not node.able:
            world.retire(node, False)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**64), events=st.integers(3, 25))
def test_in_every_interleaving_each_epoch_has_one_holder_and_in_the_end_each_key_has_one(
    seed: int, events: int
) -> None:
    random = Random(seed)
    world = World(keys=["k", "l"], random=random)
    world.start("a", "b", "c")
    for _ in range(events):
        befall(world, random.choice(BEFALLINGS), random.randint(0, 5))
        world.run(1.2 * random.random())
    heal(world)
    world.run(15.0)
    for key in ("k", "l"):
        assert world.holder(key) is not None, f"{key}: {world.holders_of(key)}, {world.latest(key)}"
        assert world.epochs(key) == sorted(set(world.epochs(key)))
    assert all(node.stops == [] for node in world.nodes)
    world.check()
    quiet = len(world.epochs("k"))
    world.run(5.0)
    assert len(world.epochs("k")) == quiet


# One election by itself


def alone(
    placement: Placement | None = None, *, keys: frozenset[str] = frozenset({"k"}), caught_up: bool = True
) -> tuple[Election, list[Action]]:
    """Instance `a` with nobody else; settled from 1.0 on. And what its first steps asked for."""
    election = Election("s", "a", "ia", T, lambda _: placement or Placement(), "", 100, 0.0)
    actions = [*step(election, Wanted(keys), 0.0), *(step(election, LeasesCaughtUp(), 0.0) if caught_up else [])]
    return election, actions


def follower(keys: frozenset[str], first: int = 1) -> Election:
    """Instance `a`, settled, while `b` holds the keys in epochs from `first` on."""
    election, _ = alone(keys=keys, caught_up=False)
    step(election, Joined("b", "ib", "", 100, True), 0.0)
    for n, key in enumerate(sorted(keys)):
        step(election, LeaseRead(key, active("b", "ib"), first + n), 0.0)
    step(election, LeasesCaughtUp(), 0.0)
    assert step(election, Ticked(), 2.5) == []
    return election


def active(holder: str, incarnation: str, attempt: str = "x") -> Lease:
    return Lease(LeaseState.ACTIVE, holder, incarnation, attempt)


def step_all(election: Election, event: Event, now: float) -> list[Action]:
    """One event, and then steps until no key is due: one looks at some hundreds."""
    actions = [*step(election, event, now)]
    while election.due_at <= now:
        actions += step(election, Ticked(), now)
    return actions


def claims(actions: object) -> list[str]:
    assert isinstance(actions, list | tuple)
    return [action.key for action in actions if isinstance(action, Claim)]


def kinds(actions: object) -> list[str]:
    assert isinstance(actions, list | tuple)
    return [type(action).__name__ for action in actions]
