"""What instances may never do, by their own traces and the log of the faults. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_sdk.election_events import Role
from aegis_sdk.ledger.records import LeaseState
from aegis_sdk.single_active.trace import Answered, Began

from .evidence import Evidence, Rule, Violation
from .history import Calling, History


def stopped_trusts_nothing(evidence: Evidence) -> Iterator[Violation]:
    """After a stop nothing begins and nothing is answered before a write that was sent afterwards is acknowledged."""
    acted = [*evidence.history.traces(Began), *evidence.history.traces(Answered)]
    for stop in evidence.history.stops(longer_than=evidence.gate_s):
        proved: dict[tuple[str, int], float] = {}
        for seen, trace in acted:
            if seen.pid != stop.pid or trace.at <= stop.ended or trace.idempotency_key in evidence.stale_ok:
                continue
            held = trace.key, trace.epoch
            if held not in proved:
                proved[held] = evidence.proved_after(stop, *held)
            if trace.at < proved[held]:
                text = f"{seen.instance} {type(trace).__name__.lower()} {trace.idempotency_key} in epoch {trace.epoch}"
                yield Violation(Rule.STOPPED, trace.key, f"{text} {trace.at - stop.ended:.4f} s after {stop.what}")


def proof_is_young(evidence: Evidence) -> Iterator[Violation]:
    """The proof that an answer names, and the one that really was there."""
    for seen, answered in evidence.history.traces(Answered):
        real = evidence.proof_at(answered.key, answered.epoch, seen.pid, answered.at)
        age = answered.at - min(answered.proof_sent_at, real)
        if age > evidence.proof_s and not answered.stale:
            text = f"{seen.instance} answered {answered.idempotency_key} in epoch {answered.epoch}"
            yield Violation(Rule.PROOF, answered.key, f"{text} with a proof {age:.4f} s old")
    for calling in evidence.history.calling:
        age = calling.at - evidence.proof_at(calling.key, calling.epoch, calling.pid, calling.at)
        if age > evidence.proof_s and not _stood_still(evidence.history, calling, age):
            text = f"{calling.instance} called the venue for {calling.idempotency_key} in epoch {calling.epoch}"
            yield Violation(Rule.PROOF, calling.key, f"{text} with a proof {age:.4f} s old")


def _stood_still(history: History, calling: Calling, age: float) -> bool:
    """Whether the process was stopped right between its check and its own note of the call."""
    return any(stop.pid == calling.pid and calling.at - age <= stop.ended <= calling.at for stop in history.stops())


def waited_for_the_old(evidence: Evidence) -> Iterator[Violation]:
    """An epoch taken from a holder that gave nothing back answers V after its claim at the earliest."""
    claimed = {
        (became.key, became.epoch): became.at
        for _, became in reversed([*evidence.history.became()])
        if became.role is Role.RECOVERING
    }
    for _, answered in evidence.history.traces(Answered):
        at = claimed.get((answered.key, answered.epoch))
        before = [lease for sequence, lease in evidence.book(answered.key).leases if sequence < answered.epoch]
        if answered.stale or at is None or not before or before[-1].state is not LeaseState.ACTIVE:
            continue
        if answered.at < at + evidence.proof_s / 2:  # half of it is for the way from the claim's answer to `at`
            text = f"epoch {answered.epoch} answered {answered.at - at:.4f} s after its claim"
            yield Violation(Rule.HOLDERS, answered.key, text)


def one_effective_holder(evidence: Evidence) -> Iterator[Violation]:
    highest: dict[str, int] = {}
    for seen, answered in evidence.history.traces(Answered):
        if answered.stale:
            continue
        if answered.epoch < highest.get(answered.key, 0):
            text = f"{seen.instance} answered {answered.idempotency_key} in epoch {answered.epoch}"
            yield Violation(Rule.HOLDERS, answered.key, f"{text} after {highest[answered.key]} had answered")
        highest[answered.key] = max(highest.get(answered.key, 0), answered.epoch)
