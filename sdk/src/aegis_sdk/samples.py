"""What an instance says of its load, again and again, and the stream that keeps it for an hour."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from aegis_sdk import subjects
from aegis_sdk.transport import StreamConfig

__all__ = ["METRICS", "MethodSample", "Sample", "metrics_stream"]

METRICS: Final = "METRICS"
_MAX_BYTES: Final = 256 << 20
_MAX_AGE_S: Final = 3_600


class MethodSample(BaseModel):
    """A method that was called meanwhile. `to` is `any` instance, or the `active` one of a key."""

    model_config = ConfigDict(frozen=True)

    to: str
    method: str
    calls_per_s: float
    errors_per_s: float
    p50_ms: float | None
    p99_ms: float | None


class Sample(BaseModel):
    """The time since the sample before, of one instance.

    Quantiles are estimates out of the buckets of histograms, None where nothing was observed. `own` has the service's
    own figures, 100 at most, by their names in Prometheus: counters a second, of histograms `…_p50` and `…_p99`.
    """

    model_config = ConfigDict(frozen=True)

    service: str
    instance: str
    incarnation: str
    at: datetime  # its end, UTC
    seconds: float
    calls_per_s: float
    errors_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    running: int  # requests at work
    waiting: int  # requests that wait for a place to work
    cpu: float  # of one core
    memory_bytes: int  # resident
    loop_lag_p99_ms: float | None
    methods: tuple[MethodSample, ...]
    own: dict[str, float]


def metrics_stream(replicas: int) -> StreamConfig:
    """Samples of the last hour, as far as 256 MiB hold them."""
    return StreamConfig(
        name=METRICS,
        subjects=[subjects.metric(subjects.ANY, subjects.ANY)],
        replicas=replicas,
        max_bytes=_MAX_BYTES,
        max_age_s=_MAX_AGE_S,
        persist_async=replicas == 1,
    )
