"""Which repair follows which findings: subscribe again, a fresh session, fail over, and then a person.

Pure. Every step has a number of attempts and a pause after it, and each of the heavy ones a budget, so whatever is
wrong, and for however long, a desk is not repaired to death:

    an instrument   -> RESUBSCRIBE twice -> RENEW once -> FAIL_OVER once -> ESCALATE
    the session     -> RENEW twice -> FAIL_OVER once -> ESCALATE

A feed that has no session begins one by itself: it is given `down_s`, and what would renew it is passed over.

What is well again for `calm_s` is forgotten, with its attempts. Before that it goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from aegis.marketdata.health.domain.findings import Findings, Verdict

__all__ = ["Kind", "Outcome", "Patience", "Repair", "Repairs"]

SESSION: Final = ""
"""In place of an instrument: all of them."""
MOST_AT_ONCE: Final = 500

Outcome = Literal["done", "failed", "not_possible"]


class Kind(StrEnum):
    RESUBSCRIBE = "resubscribe"
    RENEW = "renew"
    FAIL_OVER = "fail_over"
    ESCALATE = "escalate"


_LADDERS: Final = {
    "instrument": (Kind.RESUBSCRIBE, Kind.RESUBSCRIBE, Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE),
    "unproven": (Kind.RESUBSCRIBE, Kind.RESUBSCRIBE, Kind.ESCALATE),  # no reason to disturb the others
    "session": (Kind.RENEW, Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE),
}
_LADDER_OF: Final = {
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
    budget_s: float = 600.0  # in which one session is renewed, and one failed over, for the sake of single instruments
    calm_s: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Repair:
    """What is to be done now; `instruments` are those it is done for, none where it is for all."""

    kind: Kind
    instruments: tuple[str, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class _Case:
    """How far it is with an instrument, or with the session."""

    ladder: str
    step: int = 0
    not_before_s: float = 0.0
    well_since_s: float | None = None

    @property
    def next(self) -> Kind | None:
        ladder = _LADDERS[self.ladder]
        return ladder[self.step] if self.step < len(ladder) else None


@dataclass(slots=True)
class Repairs:
    """`decide`, do it, and tell its outcome by `done`. One at a time."""

    patience: Patience = field(default_factory=Patience)
    _cases: dict[str, _Case] = field(default_factory=dict[str, _Case])
    _spent: dict[Kind, float] = field(default_factory=dict[Kind, float])  # when the budget was used
    _held_until_s: float = 0.0
    _down_since_s: float | None = None

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
            return self._of_session(session, findings, now_s)
        due = {
            name: case
            for name, case in self._cases.items()
            if name != SESSION and case.well_since_s is None and case.not_before_s <= now_s
        }
        for kind in Kind:
            names = tuple(sorted(name for name, case in due.items() if self._is_next(case, kind, now_s)))
            if names:
                shown = names[:MOST_AT_ONCE] if kind is Kind.RESUBSCRIBE else names
                return Repair(kind=kind, instruments=shown, reason=_reason(findings, shown))
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
            if repair.instruments:
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
        wrong = {one.instrument: _LADDER_OF[one.verdict] for one in findings.cases if one.verdict in _LADDER_OF}
        if findings.session_trouble:
            wrong[SESSION] = "session"
        for name, ladder in wrong.items():
            self._cases.setdefault(name, _Case(ladder)).well_since_s = None
        self._down_since_s = (self._down_since_s or now_s) if findings.is_down else None
        hidden = SESSION in wrong  # while the session is in trouble nobody knows how single instruments are
        for name in [name for name in self._cases if name not in wrong and not hidden]:
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
        kind = case.next
        if kind is None or case.not_before_s > now_s:
            return None
        return Repair(kind=kind, reason=findings.session_trouble)

    def _is_next(self, case: _Case, kind: Kind, now_s: float) -> bool:
        """Whether that is its next step; what there is no budget for is passed over."""
        while (following := case.next) in _HEAVY and self._is_spent(following, now_s):
            case.step += 1
        return following is kind

    def _is_spent(self, kind: Kind | None, now_s: float) -> bool:
        spent_s = self._spent.get(kind) if kind else None
        return spent_s is not None and now_s - spent_s < self.patience.budget_s


def _reason(findings: Findings, names: tuple[str, ...]) -> str:
    chosen = frozenset(names)
    verdicts = sorted({one.verdict.value for one in findings.cases if one.instrument in chosen})
    return ", ".join(verdicts)
