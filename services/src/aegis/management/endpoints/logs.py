"""What the processes of the desk log."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from aegis.management.access.guard import needs
from aegis.management.access.roles import Role
from aegis.management.audit import Caller
from aegis.management.logs import LogEntry, Wanted, latest
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import responses

__all__ = ["router"]

router = APIRouter(prefix="/api/logs", tags=["logs"])
With = Annotated[Parts, Depends(parts_of)]
Operator = Annotated[Caller, needs(Role.OPERATOR)]
Name = Annotated[str, Query(pattern=r"^[A-Za-z0-9_=-]{0,128}$")]


@router.get("", responses=responses(401, 403, 422, 503, 504))
async def list_logs(
    _: Operator,
    at: With,
    service: Name = "",
    instance: Name = "",
    level: Literal["", "debug", "info", "warning", "error", "critical"] = "",
    text: Annotated[
        str, Query(max_length=128, description="Somewhere in the event and its fields, name=value, in any case")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> list[LogEntry]:
    """The last log events of all processes, or of some, the latest first: those of an hour, 1,000 of each process."""
    async with at.history:
        return await latest(at.transport, Wanted(service, instance, level, text), at.now(), limit)
