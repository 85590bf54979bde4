"""How every instance fares: the latest sample of each, and the last hour of one as lines of a chart."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from aegis.management.access.guard import needs
from aegis.management.access.roles import Role
from aegis.management.audit import Caller
from aegis.management.charts import Lines, lines, understood
from aegis.management.loads import latest
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import responses
from aegis.management.stored import first_since, read_all
from aegis_sdk import subjects
from aegis_sdk.instances import Token
from aegis_sdk.samples import METRICS, Sample

__all__ = ["router"]

router = APIRouter(prefix="/api/metrics", tags=["metrics"])
With = Annotated[Parts, Depends(parts_of)]
Viewer = Annotated[Caller, needs(Role.VIEWER)]
_DEFAULT: Final = ("calls_per_s", "errors_per_s", "p99_ms", "cpu", "memory_bytes")


@router.get("", responses=responses(401, 403, 422, 503, 504))
async def list_metrics(_: Viewer, at: With, service: Annotated[str, Query(max_length=128)] = "") -> list[Sample]:
    """The latest sample of each living instance, by service and name; one that has just started has none yet."""
    found = await latest(at.transport, at.view.directory)
    return [found[name] for name in sorted(found) if service in ("", name[0])]


@router.get("/history", responses=responses(401, 403, 422, 503, 504))
async def get_metrics_history(
    service: Annotated[Token, Query(examples=["trading"])],
    instance: Annotated[Token, Query(examples=["trading-1"])],
    _: Viewer,
    at: With,
    metric: Annotated[
        list[Annotated[str, Query(max_length=256)]] | None,
        Query(description="Several at once are read together; without: rates, p99, CPU and memory", max_length=16),
    ] = None,
    minutes: Annotated[int, Query(ge=1, le=60)] = 60,
    points: Annotated[int, Query(ge=10, le=1_000)] = 300,
) -> Lines:
    """The last minutes of an instance, living or not, out of the stream METRICS."""
    subject = subjects.metric(service, instance)
    since = at.now() - timedelta(minutes=minutes)
    first = await first_since(at.transport, METRICS, subject, since)
    metrics, payloads = list(dict.fromkeys(metric or _DEFAULT)), list[bytes]()
    async with at.history:
        if first is not None:
            read = read_all(at.transport, METRICS, subject, after=first.sequence - 1)
            payloads = [message.payload async for message in read]
        samples = understood(payloads)  # as they are needed, beside the loop that serves everybody
        return await asyncio.to_thread(lines, service, instance, samples, metrics, minutes * 60 / points)
