"""Every two seconds a sample of an instance's figures into the stream METRICS: charts need no Prometheus."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice, pairwise, zip_longest
from typing import Final, NamedTuple

import structlog

from aegis_sdk import subjects
from aegis_sdk.endpoint import Endpoint
from aegis_sdk.errors import AegisError
from aegis_sdk.figures import Figures
from aegis_sdk.histogram import quantile
from aegis_sdk.metrics import Metric
from aegis_sdk.samples import MethodSample, Sample, metrics_stream, written
from aegis_sdk.transport import Transport

__all__ = ["Sampler", "sampled"]

_log = structlog.get_logger("aegis.metrics")

_EVERY_S: Final = 2.0
_MOST_OWN: Final = 100
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def sampled(transport: Transport, figures: Figures, replicas: int) -> AsyncGenerator[None]:
    """Samples are stored while it is open; what cannot be stored is left out."""
    task = asyncio.create_task(_store(transport, figures, replicas), name="samples")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _store(transport: Transport, figures: Figures, replicas: int) -> None:
    sampler = Sampler(figures, time.monotonic(), time.process_time())
    has_stream = has_failed = False
    while True:
        await asyncio.sleep(_EVERY_S)
        try:
            sample = sampler.take(time.monotonic(), time.process_time())
            if not has_stream:
                await transport.ensure_stream(metrics_stream(replicas))
                has_stream = True
            await transport.append(subjects.metric(sample.service, sample.instance), written(sample))
            has_failed = False
        except (AegisError, TimeoutError) as error:
            has_stream = False  # NATS is away, or came back without it
            if not has_failed:
                _log.warning("sample_not_stored", reason=str(error), hint="samples are left out until it works again")
            has_failed = True
        except Exception:  # of the service's own figures; the service goes on without
            if not has_failed:
                _log.exception("sample_failed")
            has_failed = True


class _Seen(NamedTuple):
    """Counters of an endpoint."""

    requests: int
    errors: int
    counts: list[int]


_NEW: Final = _Seen(0, 0, [])


class Sampler:
    """Remembers what was counted at the last sample; `take` tells what has come since.

    `now` is of the monotonic clock, `cpu_s` what the process has used; both in seconds.
    """

    def __init__(self, figures: Figures, now: float, cpu_s: float) -> None:
        self._figures = figures
        self._taken_at = now
        self._cpu_s = cpu_s
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._lag: list[int] = []
        self._own = _Own()

    def take(self, now: float, cpu_s: float) -> Sample:
        figures = self._figures
        seconds, self._taken_at = max(now - self._taken_at, 1e-3), now
        used_s, self._cpu_s = cpu_s - self._cpu_s, cpu_s
        lag = figures.lag.histogram
        late, self._lag = _since(self._lag, lag.counts()), lag.counts()
        calls = [(to, one, self._calls(to, one)) for to, one in figures.endpoints]
        counts = [sum(column) for column in zip(*(seen.counts for _, _, seen in calls), strict=True)]
        bounds = calls[0][1].latency.bounds if calls else ()
        record, admission = figures.record, figures.admission
        return Sample(
            service=record.service,
            instance=record.instance,
            incarnation=record.incarnation,
            at=datetime.now(UTC),
            seconds=round(seconds, 3),
            calls_per_s=_rate(sum(seen.requests for _, _, seen in calls), seconds),
            errors_per_s=_rate(sum(seen.errors for _, _, seen in calls), seconds),
            p50_ms=_ms(bounds, counts, 0.5),
            p99_ms=_ms(bounds, counts, 0.99),
            running=admission.at_work,
            waiting=admission.waiting,
            cpu=round(used_s / seconds, 4),
            memory_bytes=_resident_bytes(),
            loop_lag_p99_ms=_ms(lag.bounds, late, 0.99),
            methods=tuple(_method(to, one, seen, seconds) for to, one, seen in calls if seen.requests),
            own=self._own.since(figures.own(), seconds),
        )

    def _calls(self, to: str, endpoint: Endpoint) -> _Seen:
        """What the endpoint counted since the last time."""
        before = self._seen.get((to, endpoint.name), _NEW)
        now = _Seen(endpoint.requests, endpoint.errors, endpoint.latency.counts())
        self._seen[to, endpoint.name] = now
        counts = _since(before.counts, now.counts)
        return _Seen(now.requests - before.requests, now.errors - before.errors, counts)


class _Own:
    """A service's own figures as plain numbers, by their names and labels."""

    def __init__(self) -> None:
        self._counters: dict[str, float] = {}
        self._buckets: dict[str, list[int]] = {}

    def since(self, metrics: Iterable[Metric], seconds: float) -> dict[str, float]:
        found: dict[str, float] = {}
        for metric in metrics:
            if metric.type == "histogram":
                found.update(self._quantiles(metric))
            elif metric.type == "counter":
                found.update(self._rates(metric, seconds))
            else:
                found.update((_named(one.name, one.labels), one.value) for one in metric.samples)
        return dict(islice(found.items(), _MOST_OWN))

    def _rates(self, metric: Metric, seconds: float) -> Iterator[tuple[str, float]]:
        for one in metric.samples:
            name = _named(one.name, one.labels)
            before, self._counters[name] = self._counters.get(name, 0.0), one.value
            yield name, _rate(one.value - before, seconds)

    def _quantiles(self, metric: Metric) -> Iterator[tuple[str, float]]:
        buckets: dict[str, list[tuple[float, int]]] = {}
        for one in metric.samples:
            if one.name.endswith("_bucket"):
                labels = {name: value for name, value in one.labels.items() if name != "le"}
                buckets.setdefault(_named("", labels), []).append((float(one.labels["le"]), int(one.value)))
        for labels, reached in buckets.items():
            name = f"{metric.name}{labels}"
            counts = [count - before for (_, before), (_, count) in pairwise([(0.0, 0), *reached])]
            came, self._buckets[name] = _since(self._buckets.get(name, []), counts), counts
            bounds = [bound for bound, _ in reached[:-1]]
            for share, suffix in ((0.5, "p50"), (0.99, "p99")):
                value = quantile(bounds, came, share)
                if value is not None:
                    yield f"{metric.name}_{suffix}{labels}", float(f"{value:.3g}")


def _named(name: str, labels: Mapping[str, str]) -> str:
    """As in Prometheus: `name{reason="lost"}`."""
    if not labels:
        return name
    pairs = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return f"{name}{{{pairs}}}"


def _method(to: str, endpoint: Endpoint, seen: _Seen, seconds: float) -> MethodSample:
    bounds = endpoint.latency.bounds
    return MethodSample(
        to=to,
        method=endpoint.name,
        calls_per_s=_rate(seen.requests, seconds),
        errors_per_s=_rate(seen.errors, seconds),
        p50_ms=_ms(bounds, seen.counts, 0.5),
        p99_ms=_ms(bounds, seen.counts, 0.99),
    )


def _since(before: Sequence[int], now: Sequence[int]) -> list[int]:
    """What each count has grown by; one that is new began with 0."""
    return [count - earlier for count, earlier in zip_longest(now, before, fillvalue=0)]


def _rate(count: float, seconds: float) -> float:
    return round(count / seconds, 3)


def _ms(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    value = quantile(bounds, counts, share)
    return None if value is None else round(value * 1_000, 3)


def _resident_bytes() -> int:
    with open("/proc/self/statm", "rb") as pages:  # never blocks: the kernel's own
        return int(pages.read().split()[1]) * _PAGE_BYTES
