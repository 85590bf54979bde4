"""A health report for people, in lines of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Final

from aegis.contracts.reasons import sentence_of

if TYPE_CHECKING:
    from aegis.contracts.health import CaseView, ExchangeView, HealthReport, HealthUnknown, UniverseView
    from aegis.contracts.reasons import Reason

__all__ = ["lines_of"]

_WIDTH: Final = 80
_MOST_CASES: Final = 12
_MOST_REPAIRS: Final = 5
_SHANGHAI: Final = timezone(timedelta(hours=8))
_GOOD: Final = ("healthy", "quiet", "resting", "ended", "expired")


def lines_of(report: HealthReport | HealthUnknown) -> list[str]:
    """Level, coverage by exchange, what is wrong, what was done."""
    return [line[:_WIDTH].rstrip() for line in (_level(report), *_lines(report))]


def _level(report: HealthReport | HealthUnknown) -> str:
    return f"{report.feed}: {report.level.upper()}{_because(report.why)}"


def _because(why: Sequence[Reason]) -> str:
    return f" - {sentence_of(why)}" if why else ""


def _lines(report: HealthReport | HealthUnknown) -> Iterator[str]:
    from aegis.contracts.health import HealthUnknown

    if isinstance(report, HealthUnknown):
        return
    market = report.market_time.astimezone(_SHANGHAI)
    agent = "no agent, a look of our own" if report.agent_epoch is None else f"agent of epoch {report.agent_epoch}"
    repairs = "repairs on" if report.repairs_on else "read only"
    yield f"market time {market:%Y-%m-%d %H:%M:%S}; {agent}; {repairs}"
    for one in report.instances:
        holds = "publishes" if one.holds else one.status.lower()
        yield f"  {one.instance}: {holds}, {one.state}{_because(one.why)}"
    yield ""
    rows = [_exchange(one) for one in [*report.exchanges, report.in_all]]
    heads = ("EXCHANGE", "PHASE", "WANTED", "SUBSCRIBED", "COVERED", "HEALTHY", "QUIET", "RESTING", "ALARMS")
    yield from _table(heads, rows, left=2)
    if report.cases:
        yield ""
        yield from _table(
            ("INSTRUMENT", "WHAT", "SILENT", "USUAL", "REPAIRS"), [*map(_case, report.cases[:_MOST_CASES])], left=2
        )
        if (more := len(report.cases) - _MOST_CASES) > 0:
            yield f"and {more} more; --json has them"
    yield ""
    yield from _universe(report.universe)
    if report.repairs:
        yield ""
        yield "Last repairs:"
        for repair in report.repairs[-_MOST_REPAIRS:]:
            what = f"{repair.instruments} instruments" if repair.instruments else "all"
            result = f", {repair.result}" if repair.result else ""
            yield f"  {repair.at.astimezone():%H:%M:%S} {repair.kind} of {what}: {repair.outcome}{result}"
    if report.escalated:
        yield f"Left to a person: {', '.join(report.escalated)}"


def _universe(found: UniverseView) -> Iterator[str]:
    yield f"Futures: {found.listed} listed, {found.expected} in theory"
    for count, what, named in (
        (found.missing, "listed before, and no more", found.named_missing),
        (found.not_listed, "in theory, not listed", found.named_not_listed),
        (found.unexpected, "listed, not in theory", found.named_unexpected),
    ):
        if count:
            yield f"  {count} {what}: {', '.join(named)}"


def _exchange(one: ExchangeView) -> tuple[str, ...]:
    verdicts = one.verdicts
    alarms = sum(count for verdict, count in verdicts.items() if verdict not in _GOOD)
    return (
        one.exchange or "all",
        one.phase,
        str(one.wanted),
        str(one.subscribed),
        f"{one.coverage:.1%}" if one.due else "-",
        *(str(verdicts.get(verdict, 0)) for verdict in ("healthy", "quiet", "resting")),
        str(alarms),
    )


def _case(one: CaseView) -> tuple[str, ...]:
    return (
        one.instrument,
        one.verdict.replace("_", " "),
        "-" if one.silent_s is None else f"{one.silent_s:.1f} s",
        "-" if one.usual_s is None else f"{one.usual_s:.2f} s",
        str(one.attempts),
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> Iterator[str]:
    """Rows under their columns; all but the first `left` columns hold numbers."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for line in (heads, *rows):
        cells = [
            text.ljust(width) if index < left else text.rjust(width)
            for index, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield " ".join(cells)
