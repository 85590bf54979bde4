"""What was found and done, in the words of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from aegis.contracts.health import (
    CaseView,
    ExchangeView,
    HealthReport,
    LevelName,
    RepairView,
    UniverseView,
)
from aegis.exchanges.sessions import to_shanghai, trading_day_of
from aegis.marketdata.health.domain.findings import Case, ExchangeFindings, Findings, Level
from aegis.marketdata.health.domain.summary import left_to_people
from aegis.marketdata.health.domain.theory import compared
from aegis.marketdata.health.watch import Watch

__all__ = ["MOST_NAMED", "level_name", "report_of"]

MOST_NAMED: Final = 50
_MOST_CASES: Final = 200
_MOST_LISTED: Final = 20
_NAMES: Final[Mapping[Level, LevelName]] = {
    Level.HEALTHY: "healthy",
    Level.DEGRADED: "degraded",
    Level.CRITICAL: "critical",
    Level.UNKNOWN: "unknown",
}


def level_name(level: Level) -> LevelName:
    return _NAMES[level]


def report_of(
    watch: Watch,
    feed: str,
    *,
    agent_epoch: int | None = None,
    repairs_on: bool = False,
    attempts: Callable[[str], int] = lambda _: 0,
    repairs: Sequence[RepairView] = (),
    escalated: Sequence[str] = (),
) -> HealthReport:
    """How it is now."""
    level, why, found = watch.look()
    level, why = left_to_people(level, why, escalated)
    return HealthReport(
        feed=feed,
        level=level_name(level),
        exit_code=int(level),
        why=list(why),
        checked_at=datetime.now(UTC),
        market_time=at(found.market_ns),
        agent_epoch=agent_epoch,
        repairs_on=repairs_on,
        instances=[one.view for one in watch.publishers],
        in_all=_exchange("", found.in_all),
        exchanges=[_exchange(name, one) for name, one in found.exchanges.items()],
        cases=[_case(one, attempts(one.instrument)) for one in found.cases[:_MOST_CASES]],
        universe=_universe(watch.listed, found),
        repairs=list(repairs),
        escalated=[name or "session" for name in escalated],
    )


def at(ts_ns: int) -> datetime:
    """UTC nanoseconds as a time."""
    return datetime.fromtimestamp(ts_ns / 1e9, UTC)


def _exchange(name: str, found: ExchangeFindings) -> ExchangeView:
    return ExchangeView(
        exchange=name,
        phase=found.phase,
        wanted=found.wanted,
        subscribed=found.subscribed,
        due=found.due,
        covered=found.covered,
        ticked=found.ticked,
        coverage=round(found.coverage, 4),
        verdicts={verdict.value: count for verdict, count in sorted(found.verdicts.items())},
    )


def _case(case: Case, attempts: int) -> CaseView:
    return CaseView(
        instrument=case.instrument,
        verdict=case.verdict.value,
        why=list(case.why),
        silent_s=None if case.silent_s is None else round(case.silent_s, 1),
        usual_s=None if case.usual_s is None else round(case.usual_s, 2),
        attempts=attempts,
    )


def _universe(listed: Mapping[str, str | None], found: Findings) -> UniverseView:
    day, second, _ = to_shanghai(found.market_ns)
    theory = compared(listed, trading_day_of(day, second))
    return UniverseView(
        listed=theory.listed,
        expected=theory.expected,
        expired=list(theory.expired[:_MOST_LISTED]),
        unexpected=len(theory.unexpected),
        named_unexpected=list(theory.unexpected[:_MOST_LISTED]),
        not_listed=len(theory.missing),
        named_not_listed=list(theory.missing[:_MOST_LISTED]),
        missing=len(found.missing),
        named_missing=list(found.missing[:_MOST_LISTED]),
    )
