"""Verdicts counted, by exchange and for all, and the level that follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aegis.contracts.reasons import Reason
from aegis.exchanges.sessions import Phase
from aegis.marketdata.health.domain.findings import ALARMS, Case, ExchangeFindings, Findings, Level, Verdict

__all__ = ["CRITICAL_BELOW", "Tally", "left_to_people", "summed_up"]

CRITICAL_BELOW: Final = 0.9
"""A coverage of less is critical."""
_NOT_DUE: Final = frozenset({Verdict.NOT_LISTED, Verdict.EXPIRED, Verdict.ENDED})


class Tally:
    """The instruments of one exchange, counted."""

    __slots__ = ("covered", "due", "is_trading", "phase", "subscribed", "ticked", "verdicts", "wanted")

    def __init__(self) -> None:
        self.wanted = self.subscribed = self.due = self.covered = self.ticked = 0
        self.phase = Phase.CLOSED
        self.is_trading = False  # something that is due
        self.verdicts: dict[Verdict, int] = {}

    def count(self, verdict: Verdict, phase: Phase, *, subscribed: bool, ticked: bool) -> None:
        """One more."""
        self.wanted += 1
        self.subscribed += subscribed
        self.ticked += ticked
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1
        self.phase = phase if phase > self.phase else self.phase
        if verdict not in _NOT_DUE:
            self.due += 1
            self.covered += subscribed and verdict not in ALARMS
            self.is_trading = self.is_trading or phase is Phase.TRADING

    def add(self, other: Tally) -> None:
        """All of another one."""
        for name in ("wanted", "subscribed", "due", "covered", "ticked"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.phase = max(self.phase, other.phase)
        self.is_trading = self.is_trading or other.is_trading
        for verdict, count in other.verdicts.items():
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + count

    def found(self) -> ExchangeFindings:
        return ExchangeFindings(
            phase=self.phase.name.lower(),
            wanted=self.wanted,
            subscribed=self.subscribed,
            due=self.due,
            covered=self.covered,
            ticked=self.ticked,
            verdicts=self.verdicts,
        )


def summed_up(
    tallies: Mapping[str, Tally],
    cases: Iterable[Case],
    trouble: tuple[Reason, ...],
    note: Sequence[Reason],
    unproven: Reason | None,
    market_ns: int,
    *,
    is_down: bool,
    missing: tuple[str, ...] = (),
) -> Findings:
    """`trouble` says what is wrong with the session as a whole, `note` what is not as it should be, `unproven` what
    may be well or not."""
    whole = Tally()
    for tally in tallies.values():
        whole.add(tally)
    in_all, listed = whole.found(), tuple(cases)
    level, why = _level(listed, in_all, trouble)
    if note and level is Level.HEALTHY:
        level, why = Level.DEGRADED, tuple(note)
    if unproven and level is Level.HEALTHY:
        level, why = Level.UNKNOWN, (unproven,)
    return Findings(
        level=level,
        why=why,
        market_ns=market_ns,
        is_trading=whole.is_trading,
        trouble=trouble,
        is_down=is_down,
        cases=listed,
        in_all=in_all,
        exchanges={name: tallies[name].found() for name in sorted(tallies)},
        missing=missing,
    )


def left_to_people(level: Level, why: tuple[Reason, ...], escalated: Sequence[str]) -> tuple[Level, tuple[Reason, ...]]:
    """The level, where some things were left to a person: that is critical, whatever else there is."""
    if escalated and level is Level.DEGRADED:
        return Level.CRITICAL, (*why, Reason.of("not_helped"))
    return level, why


def _level(
    cases: Sequence[Case], in_all: ExchangeFindings, trouble: tuple[Reason, ...]
) -> tuple[Level, tuple[Reason, ...]]:
    if trouble:
        return Level.CRITICAL, trouble
    if not cases:
        return Level.HEALTHY, ()
    counts = Counter(one.verdict for one in cases)
    named = tuple(Reason.of("found", count=count, verdict=verdict.value) for verdict, count in sorted(counts.items()))
    return (Level.CRITICAL if in_all.coverage < CRITICAL_BELOW else Level.DEGRADED), named
