"""What one election answers to single events, with nobody else there to answer."""

from __future__ import annotations

from math import inf

import pytest

from aegis_sdk.election import Election, step
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
    StoodStill,
    Ticked,
    Wanted,
)
from aegis_sdk.ledger.records import Lease, LeaseState
from aegis_sdk.placement import Placement

from .election_nodes import T

WIRES_S = 0.03  # a tick, a write and what travels


# At the start


def test_nothing_is_claimed_before_the_leases_have_been_read() -> None:
    election, actions = alone(caught_up=False)
    assert step(election, Ticked(), 5.0) == actions == []
    assert claims(step(election, LeasesCaughtUp(), 5.0)) == ["k"]


# Death, stop, restart


def test_the_lease_of_a_start_that_is_not_known_yet_is_left_alone() -> None:
    """A lease may be read before the heartbeat of the new incarnation that wrote it."""
    election, _ = alone()
    step(election, Joined("b", "old", "", 100, True), 1.0)
    assert step(election, LeaseRead("k", active("b", "new"), 10), 5.0) == []
    assert step(election, Ticked(), 5.1) == []
    step(election, Joined("b", "new", "", 100, True), 5.2)
    assert step(election, Ticked(), 9.0) == []


# Claims without an answer


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


def test_the_proofs_of_a_holder_are_waited_out_by_its_own_timers() -> None:
    """During a change of presets the old holder may trust its proofs for longer than the new one would."""
    election, _ = alone()
    step(election, LeaseRead("k", active("b", "ib", proof_ms=400), 10), 3.0)
    step(election, Left("b", "ib"), 3.5)
    assert step(election, Claimed("k", 12, "x", 5.0), 5.01) == [Adopt("k", 12, 5.4)]


def test_the_proofs_of_all_holders_before_are_waited_out() -> None:
    """The second one died before it had waited for the first."""
    election, _ = alone()
    step(election, LeaseRead("k", active("b", "ib", proof_ms=400), 10), 3.0)
    step(election, LeaseRead("k", active("c", "ic"), 12), 4.9)
    step(election, Left("c", "ic"), 4.95)
    assert step(election, Claimed("k", 14, "x", 5.0), 5.01) == [Adopt("k", 14, 4.9 + 0.4)]


def test_no_proof_is_waited_for_once_a_holder_has_given_its_key_back() -> None:
    election, _ = alone()
    step(election, LeaseRead("k", active("b", "ib", proof_ms=400), 10), 3.0)
    step(election, LeaseRead("k", Lease(LeaseState.VACANT, "b", "ib"), 12), 4.9)
    assert step(election, Claimed("k", 14, "x", 5.0), 5.01) == [Adopt("k", 14, 5.0)]


def test_a_lease_that_does_not_say_how_long_its_proofs_hold_is_waited_out_by_our_own_timers() -> None:
    election, _ = alone()
    step(election, LeaseRead("k", active("b", "ib", proof_ms=0), 10), 3.0)
    step(election, Left("b", "ib"), 3.5)
    assert step(election, Claimed("k", 12, "x", 5.0), 5.01) == [Adopt("k", 12, 5.0 + T.proof_s)]


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


# Suspension


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


def test_heartbeats_that_waited_while_we_stood_still_are_no_silence() -> None:
    """Two lists from before a lease, one read before our standstill and one after it, are hardly apart."""
    election = follower(frozenset({"k"}), first=10)
    step(election, BeatHeard("b", "ib", {}, frozenset()), 3.0)
    step(election, StoodStill(), 3.45)
    assert step(election, BeatHeard("b", "ib", {}, frozenset()), 3.45) == []
    assert step(election, BeatHeard("b", "ib", {"k": 10}, frozenset()), 3.46) == []
    assert step(election, Ticked(), 9.0) == []


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


# Placement


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
    assert election.due_at == inf
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


def test_of_those_that_left_long_ago_nothing_is_kept() -> None:
    election, _ = alone()
    for n in range(1000):
        step(election, Joined(f"b{n}", "i", "", 100, True), float(n))
        step(election, Left(f"b{n}", "i"), n + 0.5)
    assert len(election.peers) < 70


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


def active(holder: str, incarnation: str, attempt: str = "x", proof_ms: int = 75) -> Lease:
    return Lease(LeaseState.ACTIVE, holder, incarnation, attempt, proof_ms=proof_ms)


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
