"""The figures of the health agent, in the words of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aegis.marketdata.health.domain.findings import Findings, Level, Verdict
from aegis.marketdata.health.domain.repairs import Kind, Outcome
from aegis_sdk.metrics import Metric, counter, gauge, states

__all__ = ["health_figures"]


def health_figures(
    level: Level, found: Findings, repairs: Mapping[tuple[Kind, Outcome], int], malformed: int
) -> Iterator[Metric]:
    """`repairs` are those that were tried, by kind and outcome."""
    levels = [one.name.lower() for one in Level]
    yield states("aegis_health_level_state", "How the feed set is.", level.name.lower(), levels)
    coverage = {(name,): one.coverage for name, one in found.exchanges.items()}
    says = "Share of what is wanted, listed and not expired that is subscribed and without an alarm."
    yield gauge("aegis_health_coverage_ratio", says, coverage, ("exchange",))
    counts = {(verdict.value,): float(found.in_all.verdicts.get(verdict, 0)) for verdict in Verdict}
    yield gauge("aegis_health_instruments", "Instruments that somebody wants, by verdict.", counts, ("verdict",))
    tried = {(kind.value, outcome): float(count) for (kind, outcome), count in repairs.items()}
    yield counter("aegis_health_repairs_total", "Repairs that were tried.", tried, ("kind", "outcome"))
    yield counter("aegis_health_malformed_ticks_total", "Ticks that could not be read.", malformed)
