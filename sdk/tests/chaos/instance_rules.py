"""What instances may never do, by their own traces and the log of the faults. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aegis_sdk.election_events import Role
from aegis_sdk.ledger.records import LeaseState
from aegis_sdk.single_active.trace import Began

from .evidence import NEVER, Evidence, Rule, Violation
from .history import Calling, Fault, History

NOTED_S: Final = 0.02
"""By so much later than its check a process notes it; if the machine kept it from running, by as much more."""


def stopped_trusts_nothing(evidence: Evidence) -> Iterator[Violation]:
    """After a stop nothing begins and nothing is answered before a write that was sent afterwards is acknowledged."""
    begun = [
        (seen.instance, seen.pid, began.key, began.epoch, f"began {began.idempotency_key}", began.at)
        for seen, began in evidence.history.traces(Began)
        if began.idempotency_key not in evidence.stale_ok
    ]
    said = [(*each[:4], f"answered {each.idempotency_key}", each.at) for each in evidence.said]
    for stop in evidence.history.stops(longer_than=evidence.timers.gate_s):
        proved: dict[tuple[str, int], float] = {}
        for instance, pid, key, epoch, what, at in (*begun, *said):
            if pid != stop.pid or at <= stop.ended:
                continue
            if (key, epoch) not in proved:
                proved[key, epoch] = _proved(evidence, stop, key, epoch)
            if at < proved[key, epoch]:
                text = f"{instance} {what} in epoch {epoch} {at - stop.ended:.4f} s after {stop.what}"
                yield Violation(Rule.STOPPED, key, text)


def _proved(evidence: Evidence, stop: Fault, key: str, epoch: int) -> float:
    """When the process first knew that it held the epoch by what it sent after the stop: a claim is a write too."""
    claimed_at = NEVER
    for seen, became in evidence.history.became():
        if seen.pid == stop.pid and became.key == key:
            if became.role is Role.CLAIMING:
                claimed_at = became.at
            elif became.role is Role.RECOVERING and became.epoch == epoch and claimed_at >= stop.ended:
                return became.at
    return evidence.proved_after(stop, key, epoch)


def proof_is_young(evidence: Evidence) -> Iterator[Violation]:
    """The proof that an answer names, and the one that really was there."""
    for said in evidence.said:
        real = evidence.proof_at(said.key, said.epoch, said.pid, said.at)
        age = said.at - min(said.proof_sent_at, real)
        if age > evidence.timers.proof_s + NOTED_S + said.kept_s:
            text = f"{said.instance} answered {said.idempotency_key} in epoch {said.epoch}"
            yield Violation(Rule.PROOF, said.key, f"{text} with a proof {age:.4f} s old")
    for calling in evidence.history.calling:
        age = calling.at - evidence.proof_at(calling.key, calling.epoch, calling.pid, calling.at)
        due_s = evidence.timers.proof_s + NOTED_S + calling.kept_s
        if age > due_s and not _stood_still(evidence.history, calling, age):
            text = f"{calling.instance} called the venue for {calling.idempotency_key} in epoch {calling.epoch}"
            yield Violation(Rule.PROOF, calling.key, f"{text} with a proof {age:.4f} s old")


def _stood_still(history: History, calling: Calling, age: float) -> bool:
    """Whether the process was stopped right between its check and its own note of the call."""
    return any(stop.pid == calling.pid and calling.at - age <= stop.ended <= calling.at for stop in history.stops())


def waited_for_the_old(evidence: Evidence) -> Iterator[Violation]:
    """An epoch taken from a holder that gave nothing back is served V after its claim at the earliest."""
    claimed: dict[tuple[str, int], float] = {}
    served = [(said.key, said.epoch, said.at) for said in evidence.said]
    for _, became in evidence.history.became():
        if became.role is Role.RECOVERING:
            claimed.setdefault((became.key, became.epoch), became.at)
        elif became.role is Role.ACTIVE:
            served.append((became.key, became.epoch, became.at))
    for key, epoch, at in served:
        since = claimed.get((key, epoch), NEVER)
        before = [lease for sequence, lease in evidence.book(key).leases if sequence < epoch]
        taken = bool(before) and before[-1].state is LeaseState.ACTIVE
        # Half of it is for the way from the claim's answer to `since`.
        if taken and at < since + evidence.timers.proof_s / 2:
            yield Violation(Rule.HOLDERS, key, f"epoch {epoch} is served {at - since:.4f} s after its claim")


def one_effective_holder(evidence: Evidence) -> Iterator[Violation]:
    highest: dict[str, int] = {}
    for said in evidence.said:
        if said.epoch < highest.get(said.key, 0):
            text = f"{said.instance} answered {said.idempotency_key} in epoch {said.epoch}"
            yield Violation(Rule.HOLDERS, said.key, f"{text} after {highest[said.key]} had answered")
        highest[said.key] = max(highest.get(said.key, 0), said.epoch)
