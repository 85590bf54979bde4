"""Judges a round: every rule is a pure function that yields what contradicts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from . import caller_rules, instance_rules, ledger_rules
from .evidence import Evidence, Violation

RULES: Final[Sequence[Callable[[Evidence], Iterator[Violation]]]] = (
    ledger_rules.epochs_increase,
    ledger_rules.fenced,
    ledger_rules.one_intent,
    ledger_rules.replay_agrees,
    ledger_rules.one_command,
    ledger_rules.durable,
    caller_rules.real_time_order,
    caller_rules.no_caller_goes_back,
    caller_rules.no_switch_without_cause,
    caller_rules.no_stale_answer,
    caller_rules.told_what_happened,
    caller_rules.prompt,
    caller_rules.balances_add_up,
    instance_rules.stopped_trusts_nothing,
    instance_rules.proof_is_young,
    instance_rules.waited_for_the_old,
    instance_rules.one_effective_holder,
)


def violations(evidence: Evidence) -> list[Violation]:
    """All that contradicts a rule."""
    return [violation for rule in RULES for violation in rule(evidence)]


def windows(evidence: Evidence) -> list[str]:
    """The late commands of processes that stood still exactly between their last check and the call."""
    late = ((command, ledger_rules.window(evidence, command)) for command in evidence.history.commanded)
    return [
        f"{command.idempotency_key} of {command.instance} in epoch {command.epoch}, "
        f"{command.at - stop.began:.3f} s after {stop.what}"
        for command, stop in late
        if stop
    ]


def summary(evidence: Evidence) -> dict[str, Any]:
    """What happened in a round, in figures."""
    history = evidence.history
    outcomes = [ended.outcome for ended in history.ended]
    return {
        "calls": {str(outcome): outcomes.count(outcome) for outcome in sorted(set(outcomes))},
        "epochs": sum(len(book.epochs) for book in evidence.books.values()),
        "entries": sum(len(book.entries) for book in evidence.books.values()),
        "voids": sum(len(book.void) for book in evidence.books.values()),
        "commands": len(history.commanded),
        "windows": windows(evidence),
        "faults": [f"{fault.what} {fault.whom} {fault.ended - fault.began:.2f} s" for fault in history.faults],
    }
