"""Samples as lines of a chart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from aegis.management.charts import Figures, lines, understood
from aegis_sdk.samples import Sample, written

BEGIN = datetime(2026, 11, 27, 1, 0, tzinfo=UTC).timestamp()


def sample(after_s: float, **figures: Any) -> Figures:
    return msgspec.convert({"at": datetime.fromtimestamp(BEGIN + after_s, UTC), **figures}, Figures)


def test_samples_of_one_step_are_one_point_with_their_mean_and_the_highest() -> None:
    samples = [sample(after_s, calls_per_s=after_s) for after_s in (2, 4, 6, 8, 10, 12, 14, 16, 18)]
    found = lines("echo", "echo-1", samples, ["calls_per_s"], 10.0)
    assert found.times == [BEGIN + 2, BEGIN + 10]
    assert found.lines[0].mean == [5.0, 14.0]
    assert found.lines[0].highest == [8, 18]


def test_a_silence_is_an_empty_point_between_the_lines() -> None:
    samples = [sample(after_s, cpu=0.5) for after_s in (0, 2, 4, 60, 62)]
    found = lines("echo", "echo-1", samples, ["cpu"], 1.0)
    assert found.times == [BEGIN + at for at in (0, 2, 4, 32, 60, 62)]
    assert found.lines[0].mean == [0.5, 0.5, 0.5, None, 0.5, 0.5]


def test_figures_of_methods_and_of_the_service_itself_have_names() -> None:
    method = {"to": "active", "method": "place_order", "calls_per_s": 2.0, "p99_ms": 7.5}
    samples = [sample(0, cpu=0.1, p99_ms=None, methods=[method], own={"aegis_x_total": 3.0}), sample(2, cpu=0.2)]
    wanted = ["methods.active.place_order.p99_ms", "aegis_x_total", "p99_ms", "nothing"]
    found = lines("trading", "trading-1", samples, wanted, 1.0)
    assert [line.mean for line in found.lines] == [[7.5, None], [3.0, None], [None, None], [None, None]]
    assert {"methods.active.place_order.calls_per_s", "aegis_x_total", "cpu"} <= set(found.known)


def test_of_no_samples_there_are_no_points() -> None:
    found = lines("echo", "echo-1", [], ["cpu"], 1.0)
    assert (found.times, found.lines[0].mean, found.known) == ([], [], [])


def test_a_sample_is_read_as_it_is_written_and_what_is_none_is_left_out() -> None:
    names = {"service": "echo", "instance": "echo-1", "incarnation": "a", "at": "2026-11-27T01:00:00Z", "seconds": 2.0}
    numbers = dict.fromkeys(set(Sample.model_fields) - names.keys() - {"methods", "own"}, 1)
    method = {"to": "any", "method": "say", "calls_per_s": 1.0, "errors_per_s": 0.0, "p50_ms": None, "p99_ms": None}
    told = Sample.model_validate(names | numbers | {"methods": [method], "own": {"x": 1.0}})
    (read,) = understood([b"no sample", written(told), b'{"at": 1}'])
    assert set(Figures.__struct_fields__) == set(Sample.model_fields) - (names.keys() - {"at"})
    assert (read.at.timestamp(), read.cpu, read.own, read.methods[0].method) == (BEGIN, 1.0, {"x": 1.0}, "say")


def test_what_a_sample_leaves_out_is_nought_and_not_a_hole() -> None:
    idle = Sample(service="e", instance="e-1", incarnation="a", at=datetime.fromtimestamp(BEGIN, UTC), seconds=2.0)
    (read,) = understood([written(idle)])
    found = lines("e", "e-1", [read], ["calls_per_s", "waiting", "p99_ms"], 1.0)
    assert [line.mean for line in found.lines] == [[0.0], [0.0], [None]]
