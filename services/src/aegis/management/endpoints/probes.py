"""For programs that look after us: whether we live, whether we can work, and figures for Prometheus."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from pydantic import BaseModel, ConfigDict, JsonValue

from aegis.management.access.guard import anybody, needs
from aegis.management.access.roles import Role
from aegis.management.audit import Caller
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, responses
from aegis_sdk.discovery import DirectoryState
from aegis_sdk.service import Service
from aegis_sdk.transport import ConnectionState

__all__ = ["router"]

router = APIRouter(tags=["probes"])
With = Annotated[Parts, Depends(parts_of)]
_TEXT: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


class Health(BaseModel):
    """Said by a process that lives."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"healthy": True, "instance": "management-1"}]})

    healthy: bool
    instance: str


class Readiness(BaseModel):
    """Connected to NATS, and hearing the desk."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ready": True, "nats": "connected", "hears": "fresh"}]})

    ready: bool
    nats: str
    hears: str


class _Figures:
    def __init__(self, service: Service) -> None:
        self.collect = service.metrics


@router.head("/healthz", include_in_schema=False)  # so some balancers ask
@router.get("/healthz", responses=responses(500))
async def healthz(request: Request, _: Annotated[Caller, anybody()]) -> Health:
    """Whether this process answers."""
    return Health(healthy=True, instance=request.app.state.service.instance)


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", responses=responses(503))
async def readyz(_: Annotated[Caller, anybody()], at: With) -> Readiness:
    """Whether requests would be answered: a balancer leaves us out while they would not."""
    connection, hears = at.transport.state, at.view.directory.state
    if connection is not ConnectionState.CONNECTED or hears is not DirectoryState.FRESH:
        raise Problem("unavailable", "nats_away", nats=connection, hears=hears)
    return Readiness(ready=True, nats=connection, hears=hears)


@router.get("/metrics", response_class=Response, responses=_TEXT | responses(401, 403))
async def metrics(request: Request, _: Annotated[Caller, needs(Role.VIEWER)]) -> Response:
    """Figures of the API; those of the process are at its metrics port, as with every service."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(request.app.state.service))  # pyright: ignore[reportArgumentType]  # a collector
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


@router.get("/api/openapi.json", responses=responses(401, 403))
async def get_document(request: Request, _: Annotated[Caller, needs(Role.VIEWER)]) -> dict[str, JsonValue]:
    """This document."""
    return request.app.openapi()
