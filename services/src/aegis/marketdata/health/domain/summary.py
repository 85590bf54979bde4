"""Verdicts summed up, by exchange and for all, and the level that follows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aegis.marketdata.domain.sessions import Phase
from aegis.marketdata.health.domain.findings import ALARMS, Case, ExchangeFindings, Findings, Level, Verdict

__all__ = ["CRITICAL_BELOW", "Judged", "summed_up"]

CRITICAL_BELOW: Final = 0.9
"""A coverage of less is critical."""
_NOT_DUE: Final = frozenset({Verdict.NOT_LISTED, Verdict.EXPIRED, Verdict.ENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One instrument and its verdict."""

    name: str
    exchange: str
    verdict: Verdict
    reason: str
    phase: Phase
    subscribed: bool
    ticked: bool
    silent_s: float | None
    usual_s: float | None


def summed_up(
    judged: Sequence[Judged], silent_fronts: Sequence[str], trouble: str, market_ns: int, *, is_down: bool
) -> Findings:
    """`trouble` says what is wrong with the session as a whole; empty: nothing."""
    by_exchange: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        by_exchange[one.exchange].append(one)
    in_all = _counted(judged)
    cases = tuple(_case(one) for one in judged if one.verdict in ALARMS)
    level, reason = _level(cases, in_all, trouble)
    return Findings(
        level=level,
        reason=reason,
        market_ns=market_ns,
        is_trading=any(one.phase is Phase.TRADING for one in judged if one.verdict not in _NOT_DUE),
        session_trouble=trouble,
        is_down=is_down,
        cases=cases,
        in_all=in_all,
        exchanges={name: _counted(by_exchange[name]) for name in sorted(by_exchange)},
    )


def _level(cases: Sequence[Case], in_all: ExchangeFindings, trouble: str) -> tuple[Level, str]:
    if trouble:
        return Level.CRITICAL, trouble
    if not cases:
        return Level.HEALTHY, ""
    counts = Counter(one.verdict for one in cases)
    named = ", ".join(f"{count} {verdict.value}" for verdict, count in sorted(counts.items()))
    return (Level.CRITICAL if in_all.coverage < CRITICAL_BELOW else Level.DEGRADED), named


def _counted(judged: Iterable[Judged]) -> ExchangeFindings:
    verdicts: Counter[Verdict] = Counter()
    wanted = subscribed = due = covered = ticked = 0
    phase = Phase.CLOSED
    for one in judged:
        verdicts[one.verdict] += 1
        wanted += 1
        subscribed += one.subscribed
        ticked += one.ticked
        if one.verdict not in _NOT_DUE:
            due += 1
            covered += one.subscribed and one.verdict not in ALARMS
        phase = max(phase, one.phase)
    return ExchangeFindings(
        phase=phase.name.lower(),
        wanted=wanted,
        subscribed=subscribed,
        due=due,
        covered=covered,
        ticked=ticked,
        verdicts=dict(verdicts),
    )


def _case(one: Judged) -> Case:
    return Case(instrument=one.name, verdict=one.verdict, reason=one.reason, silent_s=one.silent_s, usual_s=one.usual_s)
