"""Who takes a key whose holder is lost, played through by several instances in a world of simulated time."""

from __future__ import annotations

from collections import deque

from aegis_sdk.election_events import (
    Role,
)

from .election_holders import held_by_one_of
from .election_nodes import KILLED_S, Fate, T
from .election_world import WIRES_S, World

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


def test_two_standbys_that_race_get_one_epoch_and_one_of_them_stands_by() -> None:
    world = World()
    world.start("a", "b", "c")
    holder, standbys = held_by_one_of(world)
    world.kill(holder)
    world.freeze(standbys[0], KILLED_S + T.rank_s + 0.001)  # it goes on just as the other claims
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


# What heartbeats say of keys


def test_a_holder_that_names_the_key_no_more_is_silent_for_that_key() -> None:
    world = World()
    world.start("a", "b")
    holder, [standby] = held_by_one_of(world)
    holder.lists = False
    took = world.run_until(lambda: world.holder() is standby, within=2)
    assert T.silence_s < took < T.silence_s + T.proof_s + 3 * T.heartbeat_s
    world.check()
