"""What a round is judged by: the history, and the ledger as each replica holds it. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from typing import NamedTuple, TypeVar

from aegis_sdk.single_active.trace import Answered, Refused, Wrote
from aegis_sdk.timers import AGGRESSIVE, Timers

from .causes import causes
from .history import Calling, Ended, Fault, History, Outcome, Sent
from .stored import Book, Copy, books

NEVER = float("-inf")
NO_ANSWERS = frozenset(
    ("moved", "suspended", "draining", "overloaded", "outcome_unknown", "deadline_exceeded", "invalid_request")
)
"""Codes of refusals that say nothing of the state of a key."""
Name = TypeVar("Name")
Item = TypeVar("Item")


class Rule(StrEnum):
    """The invariants of the protocol by number, and what else callers and instances may never see or do."""

    EPOCHS = "1 epochs of a key increase, each has one holder"
    FENCED = "2 nothing of an epoch after the begin of a later one"
    INTENT = "3 one intent, one result for an idempotency key"
    COMMAND = "4 no command reaches the venue twice"
    DURABLE = "5 what was acknowledged is in the journal of every replica"
    ORDER = "6 what completed before another began is before it in the journal"
    CALLER = "7 reply epochs never go back for one caller"
    STICKY = "8 no switch without a cause"
    STOPPED = "an instance that stood still trusts nothing that it knew"
    PROOF = "no answer and no venue call without a proof younger than V"
    STALE = "no answer of an epoch to a call that began after a later epoch had answered"
    HOLDERS = "one effective holder at a time"
    OUTCOME = "what a caller is told is what happened"
    PROMPT = "no call waits longer for its outcome than it may"
    VALUE = "the balance is the sum of what was done"


class Violation(NamedTuple):
    rule: Rule
    key: str
    evidence: str

    def __str__(self) -> str:
        return f"[{self.rule}] {self.key}: {self.evidence}"


class Said(NamedTuple):
    """A definite answer as it left an instance: a value, or an error of the service's own."""

    instance: str
    pid: int
    key: str
    epoch: int
    idempotency_key: str
    proof_sent_at: float  # as the instance says; of an error, as it was
    at: float
    kept_s: float  # as of a trace


class Call(NamedTuple):
    """A call with its end."""

    sent: Sent
    ended: Ended

    @property
    def definite(self) -> bool:
        """An answer on the strength of a proof."""
        return self.ended.outcome in (Outcome.OK, Outcome.REJECTED) and self.ended.epoch > 0 and not self.ended.stale


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A round. `copies` are read after the faults have healed; `timers` are those of its instances."""

    history: History
    copies: Sequence[Copy]
    timers: Timers = AGGRESSIVE
    reads: frozenset[str] = field(default=frozenset({"balance", "peek"}))  # methods that write nothing

    @cached_property
    def replicas(self) -> Mapping[str, Mapping[str, Book]]:
        """By node and key."""
        return {
            node: books(message for copy in of_node for message in copy.messages)
            for node, of_node in groupby(sorted(self.copies), lambda copy: copy.node)
        }

    @cached_property
    def books(self) -> Mapping[str, Book]:
        """As the first node has them; that all have the same is invariant 5."""
        return next(iter(self.replicas.values()), {})

    def book(self, key: str) -> Book:
        return self.books.get(key) or Book(key)

    @property
    def is_complete(self) -> bool:
        """Whether all replicas have the same: one that follows late has not lost anything."""
        return all(replica == self.books for replica in self.replicas.values())

    @property
    def is_open(self) -> bool:
        """Whether it is still to be learned of a call what became of it."""
        return any(book.intents.keys() - book.results.keys() for book in self.books.values())

    @cached_property
    def calls(self) -> list[Call]:
        """The calls that ended, in order of their end."""
        sent = {each.call: each for each in self.history.sent}
        return [Call(sent[each.call], each) for each in self.history.ended if each.call in sent]

    @cached_property
    def causes(self) -> list[tuple[Fault, float]]:
        """The faults that may cost a holder its key, and until when each may."""
        return causes(self.history, self.timers)

    @cached_property
    def answers(self) -> Mapping[str, list[Call]]:
        """The definite answers of each key, in order of their end."""
        return grouped((call.sent.key, call) for call in self.calls if call.definite)

    @cached_property
    def first_sent(self) -> Mapping[str, float]:
        """When each idempotency key was first sent."""
        return {each.idempotency_key: each.at for each in reversed(self.history.sent)}

    @cached_property
    def stale_ok(self) -> frozenset[str]:
        return frozenset(each.idempotency_key for each in self.history.sent if each.stale_ok)

    @cached_property
    def executed(self) -> frozenset[str]:
        """The idempotency keys of what the venue did."""
        return frozenset(each.idempotency_key for each in self.history.commanded if each.executed)

    @cached_property
    def calling(self) -> Mapping[tuple[str, int], list[Calling]]:
        return grouped(((each.idempotency_key, each.pid), each) for each in self.history.calling)

    @cached_property
    def said(self) -> list[Said]:
        """The definite answers of all instances, in order of time."""
        found: list[Said] = []
        for seen in self.history.seen:
            match seen.trace:
                case Answered(key, epoch, name, proof_sent_at, False, at):
                    found.append(Said(seen.instance, seen.pid, key, epoch, name, proof_sent_at, at, seen.kept_s))
                case Refused(key, epoch, name, code, at) if code not in NO_ANSWERS:
                    real = self.proof_at(key, epoch, seen.pid, at)
                    found.append(Said(seen.instance, seen.pid, key, epoch, name, real, at, seen.kept_s))
                case _:
                    pass
        return found

    @cached_property
    def wrote(self) -> Mapping[tuple[str, int, int], list[Wrote]]:
        """The acknowledged writes of each (key, epoch, process), in order of their acknowledgement."""
        traces = self.history.traces(Wrote)
        return grouped(((wrote.key, wrote.epoch, seen.pid), wrote) for seen, wrote in traces)

    def proof_at(self, key: str, epoch: int, pid: int, at: float) -> float:
        """When the youngest proof that was acknowledged by `at` was sent; -inf where there is none."""
        acknowledged = self.wrote.get((key, epoch, pid), [])
        end = bisect_right(acknowledged, at, key=lambda wrote: wrote.at)
        return max((wrote.sent_at for wrote in acknowledged[max(0, end - 64) : end]), default=NEVER)

    def proved_after(self, stop: Fault, key: str, epoch: int) -> float:
        """When a write that the stopped process sent after it went on was first acknowledged."""
        of_process = self.wrote.get((key, epoch, stop.pid), [])
        return min((wrote.at for wrote in of_process if wrote.sent_at >= stop.ended), default=float("inf"))


def grouped(pairs: Iterable[tuple[Name, Item]]) -> dict[Name, list[Item]]:
    found: dict[Name, list[Item]] = defaultdict(list)
    for name, item in pairs:
        found[name].append(item)
    return dict(found)
