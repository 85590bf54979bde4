"""What a benchmark reports: figures of Aegis, of the plain baseline measured in the same run, and their ratio."""

from __future__ import annotations

import operator
import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Figures = dict[str, float]
"""Named p50_us, p99_ms, rate_per_s, lost, cpu_us_per_item and the like: a name ends in its unit."""


@dataclass(frozen=True)
class Case:
    """One case. `plain` is None where there is no baseline.

    `bars` and `ratio_bars` are the most that figures, and ratios, may be, `least` is the least that figures must be.
    """

    name: str
    aegis: Figures
    plain: Figures | None = None
    note: str = ""
    bars: Mapping[str, float] = field(default_factory=dict[str, float])
    ratio_bars: Mapping[str, float] = field(default_factory=dict[str, float])
    least: Mapping[str, float] = field(default_factory=dict[str, float])

    def as_json(self) -> dict[str, Any]:
        ratio, beyond = self._ratio(), sorted({figure for figure, _ in self._misses()})
        return {
            "case": self.name,
            "aegis": _rounded(self.aegis),
            "plain": _rounded(self.plain) if self.plain else None,
            "ratio": ratio if self.plain else None,
            **({"note": self.note} if self.note else {}),
            **({"bars": dict(self.bars)} if self.bars else {}),
            **({"ratio_bars": dict(self.ratio_bars)} if self.ratio_bars else {}),
            **({"least": dict(self.least)} if self.least else {}),
            **({"beyond": beyond} if beyond else {}),
        }

    def beyond(self) -> list[str]:
        """What is beyond its bar, or was not measured, in words."""
        return [f"{self.name}: {said}" for _, said in self._misses()]

    def _misses(self) -> Iterator[tuple[str, str]]:
        """The figure, and what is to be said of it."""
        for figures, bars, of, least, is_within in (
            (self.aegis, self.bars, "", "", operator.le),
            (self._ratio(), self.ratio_bars, " of plain", "", operator.le),
            (self.aegis, self.least, "", "at least ", operator.ge),
        ):
            for figure, bar in bars.items():
                if figure not in figures:
                    yield figure, f"{figure}{of} was not measured, its bar is {least}{bar:,g}"
                elif not is_within(value := figures[figure], bar):
                    shown = f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"
                    yield figure, f"{figure} is {shown}{of}, its bar {least}{bar:,g}"

    def _ratio(self) -> Figures:
        return {
            figure: round(value / self.plain[figure], 3)
            for figure, value in self.aegis.items()
            if self.plain and self.plain.get(figure)
        }


@dataclass(frozen=True)
class Report:
    """One run of a benchmark."""

    name: str
    cases: Sequence[Case]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "machine": machine(), "cases": [case.as_json() for case in self.cases]}

    def beyond(self) -> list[str]:
        """What is beyond its bar."""
        return [said for case in self.cases for said in case.beyond()]


def latencies(seconds: Sequence[float]) -> Figures:
    """Percentiles of single calls."""
    return {f"{name}_us": value * 1e6 for name, value in _percentiles(seconds).items()}


def latencies_ms(seconds: Sequence[float]) -> Figures:
    """Those of what takes longer."""
    return {f"{name}_ms": value * 1e3 for name, value in _percentiles(seconds).items()}


def _percentiles(seconds: Sequence[float]) -> Figures:
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {
        "p50": statistics.median(ordered),
        "p99": ordered[min(last, int(len(ordered) * 0.99))],
        "max": ordered[last],
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _rounded(figures: Figures) -> Figures:
    return {name: round(value, 1) if value < 1000 else round(value) for name, value in figures.items()}
