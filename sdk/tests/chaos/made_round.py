"""A round as it could have been written down, for the tests of the checker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from aegis_sdk import subjects
from aegis_sdk.election_events import Role
from aegis_sdk.ledger.records import Begin, Entry, Intent, Lease, LeaseState, Record, Result, Verdict
from aegis_sdk.single_active.trace import Answered, Became, Began, Trace, Wrote

from .checker import violations
from .evidence import Evidence, Rule
from .history import Calling, Commanded, Ended, Fault, History, Outcome, Seen, Sent
from .stored import Copy, Stored

KEY = "A1"
TIMEOUT_S = 3.0
A, B = ("a", 11), ("b", 12)
Who = tuple[str, int]


@dataclass
class Round:
    """A round in the making; times are seconds, each call is over 10 ms after it was sent."""

    messages: list[Stored] = field(default_factory=list)
    history: History = field(default_factory=History)
    nodes: tuple[str, ...] = ("n1", "n2", "n3")
    missing: dict[str, int] = field(default_factory=dict)  # by node: a sequence that it lost

    def evidence(self) -> Evidence:
        self.history.seen.sort(key=lambda seen: seen.trace.at)
        self.history.ended.sort(key=lambda ended: ended.at)
        copies = [
            Copy(node, 0, tuple(each for each in self.messages if each.sequence != self.missing.get(node)))
            for node in self.nodes
        ]
        return Evidence(history=self.history, copies=copies)

    def broken(self) -> set[Rule]:
        return {violation.rule for violation in violations(self.evidence())}

    # The ledger

    def store(self, sequence: int, part: str, record: object) -> None:
        self.messages.append(Stored(sequence, subjects.ledger(0, "accounts", KEY, part), msgspec.json.encode(record)))

    def claim(self, epoch: int, who: Who, at: float, state: LeaseState = LeaseState.ACTIVE) -> None:
        self.store(epoch, "lease", Lease(state, who[0], f"{who[0]}-1", f"try-{epoch}"))
        if state is LeaseState.ACTIVE:
            self.tell(who, Became(KEY, Role.CLAIMING, 0, at - 0.002))
            self.store(epoch + 1, "journal", Entry(0, 0, (Begin(who[0], f"{who[0]}-1", f"try-{epoch}"),)))
            self.tell(who, Became(KEY, Role.RECOVERING, epoch, at))
            self.tell(who, Became(KEY, Role.ACTIVE, epoch, at + 0.08))

    def write(self, sequence: int, epoch: int, n: int, record: Record, who: Who, at: float) -> None:
        self.store(sequence, "journal", Entry(epoch, n, (record,)))
        self.tell(who, Wrote(KEY, epoch, "entry", n, sequence, at, at + 0.002))

    def prove(self, sequence: int, epoch: int, who: Who, at: float) -> None:
        self.tell(who, Wrote(KEY, epoch, "proof", 0, sequence, at, at + 0.002))

    # What processes say

    def tell(self, who: Who, trace: Trace, kept_s: float = 0.0) -> None:
        self.history.seen.append(Seen(*who, trace, kept_s))

    def send(self, name: str, method: str, at: float, caller: str = "c1") -> None:
        self.history.sent.append(Sent(caller, f"{name}@{at}", name, KEY, method, at, TIMEOUT_S, method == "peek"))

    def end(
        self, name: str, sent: float, at: float, outcome: Outcome = Outcome.OK, caller: str = "c1", **told: Any
    ) -> None:
        self.history.ended.append(Ended(caller, f"{name}@{sent}", outcome, at, **told))

    def handle(
        self, name: str, epoch: int, who: Who, began: float, answered: float, proof: float, kept_s: float = 0.0
    ) -> None:
        self.tell(who, Began(KEY, epoch, name, began))
        self.tell(who, Answered(KEY, epoch, name, proof, False, answered), kept_s)

    def deposit(self, name: str, epoch: int, n: int, sequence: int, balance: int, who: Who, at: float) -> None:
        """A deposit of 1, sent at `at`."""
        self.send(name, "deposit", at)
        self.write(sequence, epoch, n, done(name, 1, balance), who, at + 0.004)
        self.handle(name, epoch, who, at + 0.003, at + 0.007, at + 0.004)
        self.end(name, at, at + 0.01, epoch=epoch, sequence=sequence, value=balance)

    def command(self, name: str, epoch: int, who: Who, at: float, executed: bool = True) -> None:
        self.history.commanded.append(Commanded(*who, name, KEY, epoch, executed, at))

    def fault(self, what: str, who: Who, began: float, ended: float) -> None:
        self.history.faults.append(Fault(what, who[0], began, ended, who[1]))


def done(name: str, amount: int, balance: int, verdict: Verdict = Verdict.OK) -> Result:
    return Result(name, verdict, msgspec.Raw(b'{"amount":%d}' % amount), msgspec.Raw(b'{"balance":%d}' % balance))


def good_round() -> Round:
    """`a` serves epoch 1, is stopped for a second; `b` takes over with epoch 7; `a` comes back and says nothing."""
    made = Round()
    made.claim(1, A, at=1.0)
    made.prove(3, 1, A, at=1.999)
    made.deposit("d1", 1, 1, 4, 1, A, at=2.0)
    made.send("o1", "order", 3.0)
    made.tell(A, Began(KEY, 1, "o1", 3.001))
    made.write(5, 1, 2, Intent("o1", "order"), A, at=3.001)
    made.history.calling.append(Calling(*A, "o1", KEY, 1, 3.004))
    made.command("o1", 1, A, 3.005)
    made.write(6, 1, 3, done("o1", 10, 11), A, at=3.006)
    made.tell(A, Answered(KEY, 1, "o1", 3.006, False, 3.009))
    made.end("o1", 3.0, 3.01, epoch=1, sequence=6, value=11)
    made.fault("SIGSTOP", A, 4.0, 5.0)
    made.claim(7, B, at=4.5)
    made.prove(9, 7, B, at=4.6)
    made.deposit("d2", 7, 1, 10, 12, B, at=4.7)
    made.send("r1", "balance", 6.0, caller="c2")
    made.prove(11, 7, B, at=6.001)
    made.handle("r1", 7, B, 6.004, 6.005, 6.001)
    made.end("r1", 6.0, 6.01, caller="c2", epoch=7, sequence=10, value=12)
    made.send("u1", "deposit", 6.5)
    made.end("u1", 6.5, 7.5, Outcome.UNKNOWN)
    made.send("x1", "deposit", 6.6)
    made.end("x1", 6.6, 6.7, Outcome.NOT_EXECUTED)
    return made
