"""Figures as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from aegis_sdk.histogram import Histogram
from aegis_sdk.metrics import Metric, counter, gauge, histogram, states

BOUNDS = (0.001, 0.01, 0.1)


def read_back(*metrics: Metric) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels, in their alphabet, after a way through the text format."""

    class Collector:
        def collect(self) -> Iterable[Metric]:
            return metrics

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())  # pyright: ignore[reportArgumentType]
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


@given(st.lists(st.floats(min_value=0, max_value=1, allow_nan=False)))
def test_a_histogram_counts_each_observation_at_all_bounds_that_are_not_below_it(values: list[float]) -> None:
    seen = Histogram(BOUNDS)
    for value in values:
        seen.observe(value)
    expected = [(repr(bound), sum(value <= bound for value in values)) for bound in BOUNDS]
    assert seen.buckets() == [*expected, ("+Inf", len(values))]
    assert seen.count == len(values)
    assert seen.total == pytest.approx(sum(values))


def test_all_kinds_of_figures_are_read_back_as_they_were() -> None:
    seen = Histogram(BOUNDS)
    seen.observe(0.05)
    found = read_back(
        counter("aegis_test_words_total", "Words.", 7),
        counter("aegis_test_drops_total", 'Drops, "quoted".', {("a\nb",): 1, ('say "no"',): 2}, ("reason",)),
        gauge("aegis_test_bytes", "Bytes.", {("x", "y"): 1.5}, ("one", "two")),
        states("aegis_test_state", "State.", "up", ("up", "down")),
        histogram("aegis_test_seconds", "Seconds.", {("m",): seen}, ("method",)),
    )
    assert found == {
        ("aegis_test_words_total",): 7,
        ("aegis_test_drops_total", "a\nb"): 1,
        ("aegis_test_drops_total", 'say "no"'): 2,
        ("aegis_test_bytes", "x", "y"): 1.5,
        ("aegis_test_state", "up"): 1,
        ("aegis_test_state", "down"): 0,
        ("aegis_test_seconds_bucket", "0.001", "m"): 0,
        ("aegis_test_seconds_bucket", "0.01", "m"): 0,
        ("aegis_test_seconds_bucket", "0.1", "m"): 1,
        ("aegis_test_seconds_bucket", "+Inf", "m"): 1,
        ("aegis_test_seconds_count", "m"): 1,
        ("aegis_test_seconds_sum", "m"): 0.05,
    }
