"""Samples of an instance as lines of a chart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from pydantic import BaseModel, ConfigDict

__all__ = ["Figures", "Line", "Lines", "lines", "understood"]

_SILENCE_S: Final = 6.0
"""Three samples that did not come are a hole."""


class OfMethod(msgspec.Struct, frozen=True):
    """A method's part of a sample."""

    to: str
    method: str
    calls_per_s: float = 0.0
    errors_per_s: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None


class Figures(msgspec.Struct, frozen=True):
    """The figures of a sample: some thousands are read at once, so not as `aegis_sdk.samples` has them."""

    at: datetime
    calls_per_s: float = 0.0
    errors_per_s: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    running: float = 0.0
    waiting: float = 0.0
    cpu: float = 0.0
    memory_bytes: float = 0.0
    loop_lag_p99_ms: float | None = None
    methods: tuple[OfMethod, ...] = ()
    own: dict[str, float] = {}


_OF_THE_INSTANCE: Final = Figures.__struct_fields__[1:-2]
_OF_A_METHOD: Final = OfMethod.__struct_fields__[2:]
_DECODER: Final = msgspec.json.Decoder(Figures)


class Line(BaseModel):
    """One metric: of each point the mean of its samples and the highest; None where none of them has it."""

    metric: str
    mean: list[float | None]
    highest: list[float | None]


class Lines(BaseModel):
    """Lines over the same points. `times` are seconds since 1970, UTC, of each point's first sample.

    Where an instance was silent for three samples, a point is empty. `known` are the metrics that
    the samples have, to choose others of.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "service": "trading",
                    "instance": "trading-1",
                    "step_s": 12.0,
                    "times": [1795860000.0, 1795860012.0],
                    "lines": [{"metric": "cpu", "mean": [0.05, 0.06], "highest": [0.07, 0.09]}],
                    "known": ["calls_per_s", "cpu", "methods.active.place_order.p99_ms"],
                }
            ]
        }
    )

    service: str
    instance: str
    step_s: float
    times: list[float]
    lines: list[Line]
    known: list[str]


def understood(payloads: Iterable[bytes]) -> Iterator[Figures]:
    """Samples; what is none of this version is left out."""
    for payload in payloads:
        try:
            yield _DECODER.decode(payload)
        except msgspec.MsgspecError:
            continue


def _numbers(sample: Figures) -> Iterator[tuple[str, float | None]]:
    """All figures of a sample by name; those of a method as `methods.any.echo.p99_ms`."""
    for name in _OF_THE_INSTANCE:
        yield name, getattr(sample, name)
    for method in sample.methods:
        for name in _OF_A_METHOD:
            yield f"methods.{method.to}.{method.method}.{name}", getattr(method, name)
    yield from sample.own.items()


def lines(service: str, instance: str, samples: Iterable[Figures], metrics: Sequence[str], step_s: float) -> Lines:
    """The samples, in order, with those that fall into the same step made one point."""
    known: dict[str, None] = {}
    times: list[float] = []
    points: list[dict[str, list[float]]] = []
    reached, before = -1, 0.0
    for sample in samples:
        found, at = dict(_numbers(sample)), sample.at.timestamp()
        known.update(dict.fromkeys(found))
        if times and at - before > _SILENCE_S:
            times.append((before + at) / 2)
            points.append({})
            reached = -1
        if int(at / step_s) != reached:
            reached = int(at / step_s)
            times.append(at)
            points.append({})
        before = at
        for metric in metrics:
            if (value := found.get(metric)) is not None:
                points[-1].setdefault(metric, []).append(value)
    return Lines(
        service=service,
        instance=instance,
        step_s=step_s,
        times=[round(at, 3) for at in times],
        lines=[_line(metric, points) for metric in metrics],
        known=sorted(known),
    )


def _line(metric: str, points: Sequence[Mapping[str, Sequence[float]]]) -> Line:
    found = [point.get(metric) for point in points]
    return Line(
        metric=metric,
        mean=[sum(values) / len(values) if values else None for values in found],
        highest=[max(values) if values else None for values in found],
    )
