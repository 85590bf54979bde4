"""Each rule of the checker lets a good round pass, and catches a bad one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_sdk.election_events import Role
from aegis_sdk.ledger.records import Begin, Entry, Intent, Lease, LeaseState, Result, Verdict
from aegis_sdk.single_active.trace import Became, Began, Refused, Wrote

from .checker import violations, windows
from .evidence import Rule
from .history import Calling, Commanded, Fault, Outcome
from .made_round import KEY, TIMEOUT_S, A, B, Round, done, good_round

Harm = Callable[[Round], None]
harms: list[tuple[str, Rule, Harm]] = []


def caught_as(rule: Rule) -> Callable[[Harm], Harm]:
    def declare(harm: Harm) -> Harm:
        harms.append((harm.__name__, rule, harm))
        return harm

    return declare


def test_a_good_round_breaks_no_rule() -> None:
    assert violations(good_round().evidence()) == []


@caught_as(Rule.EPOCHS)
def two_instances_live_one_epoch(made: Round) -> None:
    made.tell(A, Became(KEY, Role.ACTIVE, 7, 5.5))


@caught_as(Rule.EPOCHS)
def an_epoch_goes_back(made: Round) -> None:
    made.tell(B, Became(KEY, Role.RECOVERING, 3, 5.5))


@caught_as(Rule.EPOCHS)
def an_epoch_was_lived_that_the_ledger_does_not_know(made: Round) -> None:
    made.tell(A, Became(KEY, Role.ACTIVE, 99, 5.5))


@caught_as(Rule.EPOCHS)
def an_entry_of_an_epoch_without_a_lease(made: Round) -> None:
    made.store(20, "journal", Entry(19, 1, (done("d9", 1, 13),)))


@caught_as(Rule.EPOCHS)
def a_begin_of_another_attempt_than_its_lease(made: Round) -> None:
    made.store(20, "lease", Lease(LeaseState.ACTIVE, "b", "b-1", "try-20"))
    made.store(21, "journal", Entry(0, 0, (Begin("a", "a-1", "try-19"),)))


@caught_as(Rule.EPOCHS)
def a_number_of_an_epoch_left_out(made: Round) -> None:
    made.store(20, "journal", Entry(7, 5, (done("d9", 1, 13),)))


@caught_as(Rule.FENCED)
def an_entry_of_an_old_epoch_behind_a_later_begin(made: Round) -> None:
    made.store(20, "journal", Entry(1, 4, (done("d9", 1, 13),)))


@caught_as(Rule.FENCED)
def a_proof_of_an_old_epoch_that_was_acknowledged_behind_a_later_lease(made: Round) -> None:
    made.prove(20, 1, A, at=6.2)


@caught_as(Rule.INTENT)
def two_intents_for_one_call(made: Round) -> None:
    made.store(20, "journal", Entry(7, 2, (Intent("o1", "order"),)))


@caught_as(Rule.INTENT)
def two_results_for_one_call(made: Round) -> None:
    made.store(20, "journal", Entry(7, 2, (done("d1", 1, 13),)))


def test_an_entry_that_landed_twice_counts_once() -> None:
    made = good_round()
    made.store(20, "journal", Entry(7, 1, (done("d2", 1, 12),)))
    made.tell(B, Wrote(KEY, 7, "entry", 1, 20, 6.8, 6.9))
    assert made.broken() == set()


@caught_as(Rule.COMMAND)
def a_command_that_reaches_the_venue_twice(made: Round) -> None:
    made.command("o1", 7, B, 5.0, executed=False)


@caught_as(Rule.COMMAND)
def a_command_that_the_venue_executes_twice_even_in_the_window(made: Round) -> None:
    made.command("o1", 7, B, 4.8)
    made.history.calling[0] = Calling(*A, "o1", KEY, 1, 3.004)
    made.history.commanded[0] = Commanded(*A, "o1", KEY, 1, True, 5.2)


def test_a_late_command_of_a_process_stopped_before_its_call_is_named_and_excused() -> None:
    made = good_round()
    made.history.calling.append(Calling(*A, "o2", KEY, 1, 3.05))
    made.command("o2", 7, B, 4.8)
    made.command("o2", 1, A, 5.01, executed=False)
    assert Rule.COMMAND not in made.broken()
    assert [line for line in windows(made.evidence()) if line.startswith("o2 of a in epoch 1")]


@caught_as(Rule.COMMAND)
def a_command_that_reaches_the_venue_twice_besides_a_late_one(made: Round) -> None:
    made.history.calling.append(Calling(*A, "o1", KEY, 1, 4.0))
    made.command("o1", 7, B, 4.8, executed=False)
    made.command("o1", 1, A, 5.01, executed=False)


def test_a_replica_that_follows_late_is_waited_for() -> None:
    made = good_round()
    assert made.evidence().is_complete
    made.missing["n3"] = 10
    assert not made.evidence().is_complete


@caught_as(Rule.DURABLE)
def a_replica_that_lost_an_entry(made: Round) -> None:
    made.missing["n3"] = 10


@caught_as(Rule.DURABLE)
def an_acknowledged_call_that_no_replica_has(made: Round) -> None:
    made.send("d8", "deposit", 6.2)
    made.end("d8", 6.2, 6.21, epoch=7, sequence=12, value=13)


@caught_as(Rule.DURABLE)
def an_acknowledged_write_that_is_something_else(made: Round) -> None:
    made.tell(B, Wrote(KEY, 7, "entry", 2, 10, 6.2, 6.21))


@caught_as(Rule.ORDER)
def a_call_placed_before_one_that_had_ended_before_it_began(made: Round) -> None:
    made.send("d0", "deposit", 5.5)
    made.end("d0", 5.5, 5.6, epoch=7, sequence=4)


@caught_as(Rule.ORDER)
def a_read_of_a_state_before_one_that_was_told(made: Round) -> None:
    made.send("r2", "balance", 6.2)
    made.end("r2", 6.2, 6.3, epoch=7, sequence=6, value=11)


@caught_as(Rule.CALLER)
def a_caller_that_hears_an_older_epoch(made: Round) -> None:
    made.send("p1", "peek", 6.2)
    made.end("p1", 6.2, 6.3, epoch=1, stale=True)


def test_another_caller_may_hear_an_older_epoch_in_a_stale_answer() -> None:
    made = good_round()
    made.send("p1", "peek", 6.2, caller="c3")
    made.end("p1", 6.2, 6.3, caller="c3", epoch=1, stale=True)
    assert made.broken() == set()


@caught_as(Rule.STICKY)
def a_switch_that_no_fault_explains(made: Round) -> None:
    made.claim(20, A, at=25.0)


@caught_as(Rule.STICKY)
def a_switch_because_of_a_restarted_server(made: Round) -> None:
    made.history.faults.append(Fault("node_restarted", "all", 24.0, 24.5))
    made.claim(20, A, at=25.0)


@caught_as(Rule.STICKY)
def a_switch_long_after_its_holder_was_stopped(made: Round) -> None:
    made.fault("SIGSTOP", B, 20.0, 21.0)
    made.claim(20, A, at=24.0)


@caught_as(Rule.STICKY)
def a_switch_because_of_a_stop_that_its_holder_need_not_notice(made: Round) -> None:
    made.fault("SIGSTOP", B, 24.7, 24.85)
    made.claim(20, A, at=25.0)


def test_a_switch_may_wait_until_the_cluster_has_healed() -> None:
    made = good_round()
    made.fault("SIGKILL", B, 20.0, 21.0)
    made.history.faults.append(Fault("node_killed", "n1,n2", 20.5, 29.0))
    made.claim(20, A, at=29.5)
    assert made.broken() == set()


def test_a_holder_that_the_machine_kept_from_running_may_lose_its_key() -> None:
    made = good_round()
    made.fault("preempted", B, 24.4, 24.9)
    made.claim(20, A, at=25.0)
    assert made.broken() == set()


@caught_as(Rule.STALE)
def an_answer_of_an_epoch_after_a_later_one_had_answered(made: Round) -> None:
    made.send("r2", "balance", 6.2, caller="c3")
    made.end("r2", 6.2, 6.3, caller="c3", epoch=1, value=11)


@caught_as(Rule.HOLDERS)
def two_epochs_that_answer_in_turn(made: Round) -> None:
    made.prove(3, 1, A, at=5.1)
    made.handle("r0", 1, A, 5.11, 5.12, 5.1)


@caught_as(Rule.HOLDERS)
def a_new_holder_that_does_not_wait_for_the_old_ones_proof_to_end(made: Round) -> None:
    made.prove(9, 7, B, at=4.501)
    made.handle("r0", 7, B, 4.504, 4.505, 4.501)


def test_a_new_holder_need_not_wait_where_the_old_one_gave_the_key_back() -> None:
    made = good_round()
    made.fault("hand_over", A, 6.9, 7.0)
    made.claim(20, A, at=7.0, state=LeaseState.VACANT)
    made.claim(21, A, at=7.1)
    made.prove(23, 21, A, at=7.101)
    made.handle("r0", 21, A, 7.104, 7.105, 7.101)
    assert made.broken() == set()


@caught_as(Rule.STOPPED)
def a_handler_that_begins_after_a_stop_without_a_new_proof(made: Round) -> None:
    made.tell(A, Began(KEY, 1, "d5", 5.001))


@caught_as(Rule.STOPPED)
def a_handler_that_trusts_a_write_sent_before_the_stop(made: Round) -> None:
    made.tell(A, Wrote(KEY, 1, "proof", 0, 3, 3.999, 5.001))
    made.tell(A, Began(KEY, 1, "d5", 5.002))


def test_a_handler_may_begin_in_an_epoch_claimed_after_the_stop() -> None:
    made = good_round()
    made.fault("SIGKILL", B, 6.2, 6.3)
    made.claim(20, A, at=6.3)
    made.tell(A, Began(KEY, 20, "d5", 6.4))
    assert made.broken() == set()


@caught_as(Rule.STOPPED)
def a_handler_that_begins_in_an_epoch_claimed_before_the_stop(made: Round) -> None:
    made.claim(20, A, at=6.3)
    made.fault("SIGSTOP", A, 5.9, 6.2995)
    made.tell(A, Began(KEY, 20, "d5", 6.4))


def test_a_handler_may_begin_when_a_write_sent_after_the_stop_is_acknowledged() -> None:
    made = good_round()
    made.fault("blocked", B, 7.0, 7.3)
    made.prove(12, 7, B, at=7.301)
    made.handle("r2", 7, B, 7.304, 7.305, 7.301)
    assert made.broken() == set()


@caught_as(Rule.PROOF)
def an_answer_with_an_old_proof(made: Round) -> None:
    made.handle("r2", 7, B, 6.09, 6.1, 6.001)


@caught_as(Rule.PROOF)
def an_answer_with_a_proof_older_than_the_machine_is_to_blame_for(made: Round) -> None:
    made.handle("r2", 7, B, 6.09, 6.2, 6.001, kept_s=0.09)


def test_an_answer_may_be_as_late_as_the_machine_kept_its_process_from_running() -> None:
    made = good_round()
    made.handle("r2", 7, B, 6.07, 6.2, 6.001, kept_s=0.11)
    made.history.calling[0] = Calling(*A, "o1", KEY, 1, 3.12, kept_s=0.03)
    assert made.broken() == set()


@caught_as(Rule.PROOF)
def a_venue_call_older_than_the_machine_is_to_blame_for(made: Round) -> None:
    made.history.calling[0] = Calling(*A, "o1", KEY, 1, 3.12, kept_s=0.01)


@caught_as(Rule.PROOF)
def an_answer_with_a_proof_that_was_never_given(made: Round) -> None:
    made.handle("r2", 7, B, 8.0, 8.001, 8.0)


@caught_as(Rule.PROOF)
def a_venue_call_with_an_old_proof(made: Round) -> None:
    made.history.calling[0] = Calling(*A, "o1", KEY, 1, 3.12)


@caught_as(Rule.PROOF)
def a_rejection_without_a_proof(made: Round) -> None:
    made.tell(B, Refused(KEY, 7, "r2", "overdrawn", 8.0))


def test_a_refusal_that_says_nothing_of_the_key_needs_no_proof() -> None:
    made = good_round()
    made.tell(A, Refused(KEY, 1, "r2", "suspended", 5.001))
    assert made.broken() == set()


@caught_as(Rule.OUTCOME)
def a_call_not_executed_that_the_journal_has(made: Round) -> None:
    made.store(20, "journal", Entry(7, 2, (done("x1", 1, 13),)))


@caught_as(Rule.OUTCOME)
def a_call_rejected_after_an_unknown_outcome_that_the_journal_has(made: Round) -> None:
    made.store(20, "journal", Entry(7, 2, (done("u1", 1, 13),)))
    made.send("u1", "deposit", 7.6)
    made.end("u1", 7.6, 7.7, Outcome.REJECTED, epoch=7)


@caught_as(Rule.OUTCOME)
def a_call_not_executed_that_the_venue_did(made: Round) -> None:
    made.command("x1", 7, B, 6.65)


@caught_as(Rule.OUTCOME)
def an_intent_that_stays_open(made: Round) -> None:
    made.store(20, "journal", Entry(7, 2, (Intent("u1", "order"),)))


@caught_as(Rule.OUTCOME)
def a_command_done_by_the_venue_that_the_journal_calls_not_executed(made: Round) -> None:
    made.store(20, "journal", Entry(7, 2, (Intent("u1", "order"),)))
    made.command("u1", 7, B, 6.6)
    made.store(21, "journal", Entry(7, 3, (Result("u1", Verdict.NOT_EXECUTED),)))


@caught_as(Rule.PROMPT)
def a_call_that_ends_after_its_deadline(made: Round) -> None:
    made.send("u2", "deposit", 7.0)
    made.end("u2", 7.0, 7.0 + TIMEOUT_S + 0.4, Outcome.UNKNOWN)


@pytest.mark.parametrize(("kept_s", "broken"), [(0.25, {Rule.PROMPT}), (0.35, set[Rule]())])
def test_a_call_may_end_as_late_as_the_machine_kept_its_caller_from_running(kept_s: float, broken: set[Rule]) -> None:
    made = good_round()
    made.send("u2", "deposit", 7.0)
    made.end("u2", 7.0, 7.0 + TIMEOUT_S + 0.6, Outcome.UNKNOWN, kept_s=kept_s)
    assert made.broken() == broken


@caught_as(Rule.PROMPT)
def a_call_that_never_ends(made: Round) -> None:
    made.send("u2", "deposit", 7.0)
    made.send("u3", "deposit", 11.0)
    made.end("u3", 11.0, 11.1, Outcome.UNKNOWN)


@caught_as(Rule.PROMPT)
def a_call_of_healthy_instances_that_waits_for_a_node_that_was_killed(made: Round) -> None:
    made.history.faults.append(Fault("node_killed", "n1", 20.0, 28.0))
    made.send("u2", "deposit", 21.0)
    made.end("u2", 21.0, 22.4, Outcome.UNKNOWN)


def test_a_call_may_wait_longer_while_its_holder_is_replaced_or_the_majority_is_down() -> None:
    made = good_round()
    made.history.faults.append(Fault("node_killed", "n1", 20.0, 28.0))
    made.fault("SIGKILL", B, 20.0, 21.0)
    made.history.faults.append(Fault("node_killed", "n1,n2", 40.0, 48.0))
    for at in (21.0, 41.0):
        made.send(f"u{at}", "deposit", at)
        made.end(f"u{at}", at, at + TIMEOUT_S, Outcome.UNKNOWN)
    assert made.broken() == set()


@caught_as(Rule.VALUE)
def a_balance_that_counts_something_twice(made: Round) -> None:
    made.store(20, "journal", Entry(7, 2, (done("u1", 1, 14),)))


@caught_as(Rule.VALUE)
def a_read_of_a_balance_that_never_was(made: Round) -> None:
    made.send("r2", "balance", 6.2)
    made.end("r2", 6.2, 6.3, epoch=7, sequence=10, value=13)


@pytest.mark.parametrize(("name", "rule", "harm"), harms, ids=[name for name, _, _ in harms])
def test_the_checker_catches(name: str, rule: Rule, harm: Harm) -> None:
    made = good_round()
    harm(made)
    assert rule in made.broken()


def test_every_rule_has_something_that_it_catches() -> None:
    assert {rule for _, rule, _ in harms} == set(Rule)
