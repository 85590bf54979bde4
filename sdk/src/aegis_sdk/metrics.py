"""Figures in the words of Prometheus, made at the moment of a scrape out of what is counted anyway.

A service tells its own by `metrics`, e.g.

    def metrics(self) -> Iterable[Metric]:
        yield counter("aegis_echo_words_total", "Words that were said back.", self.words)

Names end in their unit; a counter's in its unit and `_total`. `samples` is a number, or numbers by the values of
`labels`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from aegis_sdk.histogram import Histogram

__all__ = ["Histogram", "Metric", "counter", "gauge", "histogram", "states"]

Samples = float | Mapping[tuple[str, ...], float]


def counter(name: str, says: str, samples: Samples, labels: Sequence[str] = ()) -> Metric:
    """What only grows while the process lives."""
    return _filled(CounterMetricFamily(name, says, labels=labels), samples)


def gauge(name: str, says: str, samples: Samples, labels: Sequence[str] = ()) -> Metric:
    """What goes up and down."""
    return _filled(GaugeMetricFamily(name, says, labels=labels), samples)


def states(name: str, says: str, state: str, among: Iterable[str]) -> Metric:
    """In which of several states something is: 1 for that one, 0 for the others."""
    return gauge(name, says, {(each,): float(each == state) for each in among}, ("state",))


def histogram(
    name: str, says: str, samples: Histogram | Mapping[tuple[str, ...], Histogram], labels: Sequence[str] = ()
) -> Metric:
    """Durations by their size."""
    family = HistogramMetricFamily(name, says, labels=labels)
    for values, one in ({(): samples} if isinstance(samples, Histogram) else samples).items():
        family.add_metric(values, one.buckets(), one.total)
    return family


def _filled(family: CounterMetricFamily | GaugeMetricFamily, samples: Samples) -> Metric:
    for values, number in (samples if isinstance(samples, Mapping) else {(): samples}).items():
        family.add_metric(values, number)
    return family
