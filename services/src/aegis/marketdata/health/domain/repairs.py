"""Which repair follows which findings: subscribe again, a fresh session, fail over, and then a person.

Pure. Every step has a number of attempts and a pause after it, and each of the heavy ones a budget, so whatever is
wrong, and for however long, a desk is not repaired to death:

    an instrument   -> RESUBSCRIBE twice -> RENEW once -> FAIL_OVER once -> ESCALATE
    the session     -> RENEW twice -> FAIL_OVER once -> ESCALATE
    an exchange     -> RENEW once -> FAIL_OVER once -> ESCALATE, while others trade: it costs these theirs

While something is wrong with the session, or with some exchanges, that comes first. Instruments of other exchanges have
their turn between its steps, and when it was left to a person.

A feed that has no session begins one by itself: it is given `down_s`, and what would renew it is passed over.

What is well again for `calm_s` is forgotten, with its attempts. Before that it goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict

from aegis.contracts.reasons import Reason, sentence_of
from aegis.marketdata.health.domain.findings import Findings, Verdict, exchange_of

__all__ = ["Kind", "Outcome", "Patience", "Repair", "RepairMemory", "Repairs"]

SESSION: Final = ""
"""In place of an instrument: all of them."""
MOST_AT_ONCE: Final = 500

Outcome = Literal["done", "failed", "not_possible"]


Ladder = Literal["instrument", "unproven", "session", "exchange"]


class Kind(StrEnum):
    RESUBSCRIBE = "resubscribe"
    RENEW = "renew"
    FAIL_OVER = "fail_over"
    ESCALATE = "escalate"


_LADDERS: Final[Mapping[Ladder, tuple[Kind, ...]]] = {
    "instrument": (Kind.RESUBSCRIBE, Kind.RESUBSCRIBE, Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE),
    "unproven": (Kind.RESUBSCRIBE, Kind.RESUBSCRIBE, Kind.ESCALATE),  # no reason to disturb the others
    "session": (Kind.RENEW, Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE),
    "exchange": (Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE),
}
_LADDER_OF: Final[Mapping[Verdict, Ladder]] = {
    Verdict.STALLED: "instrument",
    Verdict.NOT_SUBSCRIBED: "instrument",
    Verdict.NEVER_TICKED: "unproven",
}
_HEAVY: Final = (Kind.RENEW, Kind.FAIL_OVER)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds of our clock."""

    resubscribe_s: float = 5.0  # until a resubscribed instrument should tick again
    renew_s: float = 30.0  # until all are subscribed in a fresh session, and tick
    fail_over_s: float = 30.0
    down_s: float = 10.0  # a feed without a session is given so long to find one
    budget_s: float = 600.0  # in which one session is renewed, and one failed over, for the sake of a part of all
    calm_s: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Repair:
    """What is to be done now; `instruments` are those it is done for, none where it is for all."""

    kind: Kind
    instruments: tuple[str, ...] = ()
    why: tuple[Reason, ...] = ()

    @property
    def reason(self) -> str:
        return sentence_of(self.why)


class RepairMemory(BaseModel):
    """What the next agent must know of what was done, of a size that does not grow. Times are seconds since 1970."""

    model_config = ConfigDict(frozen=True)

    held_until: float = 0.0
    spent: Mapping[Kind, float] = {}  # when each budget was used
    session: tuple[Ladder, int] | None = None  # on which ladder its trouble is, and how far; none: it is well


@dataclass(slots=True)
class _Case:
    """How far it is with an instrument, or with the session."""

    ladder: Ladder
    step: int = 0
    not_before_s: float = 0.0
    well_since_s: float | None = None

    @property
    def next(self) -> Kind | None:
        ladder = _LADDERS[self.ladder]
        return ladder[self.step] if self.step < len(ladder) else None

    def climb(self, ladder: Ladder) -> None:
        """Go on, on a longer ladder where that is what it takes now; the steps with which both begin count."""
        steps, longer = _LADDERS[self.ladder], _LADDERS[ladder]
        if len(longer) > len(steps):
            same = next((n for n, (one, other) in enumerate(zip(steps, longer, strict=False)) if one is not other), 0)
            self.ladder, self.step = ladder, min(self.step, same)


@dataclass(slots=True)
class Repairs:
    """`decide`, do it, and tell its outcome by `done`. One at a time."""

    patience: Patience = field(default_factory=Patience)
    _cases: dict[str, _Case] = field(default_factory=dict[str, _Case])
    _spent: dict[Kind, float] = field(default_factory=dict[Kind, float])  # when the budget was used
    _held_until_s: float = 0.0
    _down_since_s: float | None = None

    @classmethod
    def recalled(cls, memory: RepairMemory, patience: Patience, now_s: float, began_s: float) -> Self:
        """Go on where another agent was. `began_s` is the time since 1970 at which our clock was 0.

        Instruments begin anew, without a budget that was used. What was done last for the session may still help.
        """
        made = cls(patience, _held_until_s=memory.held_until - began_s)
        made._spent = {kind: at_s - began_s for kind, at_s in memory.spent.items()}
        if memory.session is not None:
            ladder, step = memory.session
            made._cases[SESSION] = _Case(ladder, step, not_before_s=now_s + patience.renew_s)
        return made

    def memory(self, began_s: float) -> RepairMemory:
        session = self._cases.get(SESSION)
        return RepairMemory(
            held_until=round(self._held_until_s + began_s, 3) if self._held_until_s else 0.0,
            spent={kind: round(at_s + began_s, 3) for kind, at_s in self._spent.items()},
            session=(session.ladder, session.step) if session is not None and session.step else None,
        )

    @property
    def escalated(self) -> list[str]:
        """What was left to a person and is not well yet: instruments, or an empty name for the session."""
        return sorted(name for name, case in self._cases.items() if case.next is None and case.well_since_s is None)

    def attempts(self, name: str) -> int:
        """How many steps were taken for an instrument."""
        case = self._cases.get(name)
        return case.step if case else 0

    def decide(self, findings: Findings, now_s: float) -> Repair | None:
        """The next repair that is due, at `now_s` of our clock."""
        self._note(findings, now_s)
        if now_s < self._held_until_s:
            return None
        session = self._cases.get(SESSION)
        if session is not None and session.well_since_s is None:
            repair = self._of_session(session, findings, now_s)
            if repair is not None or findings.is_down:
                return repair
        return self._of_instruments(findings, now_s)

    def _of_instruments(self, findings: Findings, now_s: float) -> Repair | None:
        silent = findings.silent
        due = {
            name: case
            for name, case in self._cases.items()
            if name != SESSION
            and case.well_since_s is None
            and case.not_before_s <= now_s
            and exchange_of(name) not in silent
        }
        for kind in Kind:
            names = tuple(sorted(name for name, case in due.items() if self._next(case, now_s) is kind))
            if names:
                shown = names[:MOST_AT_ONCE] if kind is Kind.RESUBSCRIBE else names
                return Repair(kind=kind, instruments=shown, why=_why(findings, shown))
        return None

    def done(self, repair: Repair, outcome: Outcome, now_s: float) -> None:
        """It was tried. What is not possible is passed over at once."""
        pause_s = {
            Kind.RESUBSCRIBE: self.patience.resubscribe_s,
            Kind.RENEW: self.patience.renew_s,
            Kind.FAIL_OVER: self.patience.fail_over_s,
            Kind.ESCALATE: 0.0,
        }[repair.kind]
        if repair.kind in _HEAVY and outcome == "done":
            session = self._cases.get(SESSION)
            if repair.instruments or (session is not None and session.ladder == "exchange"):
                self._spent[repair.kind] = now_s
            for case in self._cases.values():  # it was done for all
                case.not_before_s = max(case.not_before_s, now_s + pause_s)
        for name in repair.instruments or (SESSION,):
            case = self._cases.get(name)
            if case is not None and case.next is repair.kind:
                case.step += 1
                again = case.step if repair.kind is Kind.RESUBSCRIBE else 1
                case.not_before_s = now_s + (0.0 if outcome == "not_possible" else pause_s * again)

    def retry(self) -> None:
        """Somebody has mended something: begin anew with all that is not well."""
        for case in self._cases.values():
            case.step, case.not_before_s = 0, 0.0
        self._spent.clear()
        self._held_until_s = 0.0

    def hold(self, until_s: float) -> None:
        """Somebody is at work on it: do nothing until then."""
        self._held_until_s = until_s

    def _note(self, findings: Findings, now_s: float) -> None:
        """Open a case for what is newly wrong, close those that have been well for long enough."""
        wrong: dict[str, Ladder] = {
            one.instrument: _LADDER_OF[one.verdict] for one in findings.cases if one.verdict in _LADDER_OF
        }
        silent = findings.silent
        if findings.trouble:
            wrong[SESSION] = "exchange" if silent and findings.others_trade and not findings.is_down else "session"
        for name, ladder in wrong.items():
            case = self._cases.setdefault(name, _Case(ladder))
            case.climb(ladder)
            case.well_since_s = None
        self._down_since_s = (self._down_since_s or now_s) if findings.is_down else None
        all_hidden = SESSION in wrong and findings.is_down  # nobody knows how single instruments are
        for name in [name for name in self._cases if name not in wrong]:
            if all_hidden or exchange_of(name) in silent:
                continue
            case = self._cases[name]
            case.well_since_s = now_s if case.well_since_s is None else case.well_since_s
            if now_s - case.well_since_s >= self.patience.calm_s or not findings.is_trading:
                del self._cases[name]

    def _of_session(self, case: _Case, findings: Findings, now_s: float) -> Repair | None:
        if self._down_since_s is not None:
            if now_s - self._down_since_s < self.patience.down_s:
                return None
            while case.next is Kind.RENEW:
                case.step += 1
        kind = self._next(case, now_s) if case.ladder == "exchange" else case.next
        if kind is None or case.not_before_s > now_s:
            return None
        return Repair(kind=kind, why=findings.trouble)

    def _next(self, case: _Case, now_s: float) -> Kind | None:
        """Its next step; what there is no budget for is passed over."""
        while (following := case.next) in _HEAVY and self._is_spent(following, now_s):
            case.step += 1
        return following

    def _is_spent(self, kind: Kind | None, now_s: float) -> bool:
        spent_s = self._spent.get(kind) if kind else None
        return spent_s is not None and now_s - spent_s < self.patience.budget_s


def _why(findings: Findings, names: tuple[str, ...]) -> tuple[Reason, ...]:
    chosen = frozenset(names)
    counts = Counter(one.verdict for one in findings.cases if one.instrument in chosen)
    return tuple(Reason.of("found", count=count, verdict=verdict.value) for verdict, count in sorted(counts.items()))
