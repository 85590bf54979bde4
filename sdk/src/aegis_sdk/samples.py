"""What an instance says of its load, again and again, and the stream that keeps it for an hour.

Most instances of a large desk are idle most of the time, so what is 0 or nothing is left out of what is written.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict

from aegis_sdk import subjects
from aegis_sdk.transport import StreamConfig

__all__ = ["MAX_BYTES", "METRICS", "MethodSample", "Sample", "metrics_stream", "written"]

METRICS: Final = "METRICS"
MAX_BYTES: Final = 1 << 30
"""An hour of 1,000 instances, 1,800 samples each, of 590 bytes on the average."""
_MAX_AGE_S: Final = 3_600


class MethodSample(BaseModel):
    """A method that was called meanwhile. `to` is `any` instance, or the `active` one of a key."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    to: str
    method: str
    calls_per_s: float = 0.0
    errors_per_s: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None


class Sample(BaseModel):
    """The time since the sample before, of one instance.

    Quantiles are estimates out of the buckets of histograms, None where nothing was observed. `own` has the service's
    own figures, 100 at most, by their names in Prometheus: counters a second, of histograms `…_p50` and `…_p99`.
    """

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    service: str
    instance: str
    incarnation: str
    at: datetime  # its end, UTC
    seconds: float
    calls_per_s: float = 0.0
    errors_per_s: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    running: int = 0  # requests at work
    waiting: int = 0  # requests that wait for a place to work
    cpu: float = 0.0  # of one core
    memory_bytes: int = 0  # resident
    loop_lag_p99_ms: float | None = None
    methods: tuple[MethodSample, ...] = ()
    own: dict[str, float] = {}


def written(sample: Sample) -> bytes:
    """As it is stored."""
    return sample.model_dump_json(exclude_defaults=True).encode()


def metrics_stream(replicas: int) -> StreamConfig:
    """Samples of the last hour, as far as 1 GiB holds them."""
    return StreamConfig(
        name=METRICS,
        subjects=[subjects.metric(subjects.ANY, subjects.ANY)],
        replicas=replicas,
        max_bytes=MAX_BYTES,
        max_age_s=_MAX_AGE_S,
        persist_async=replicas == 1,
    )
