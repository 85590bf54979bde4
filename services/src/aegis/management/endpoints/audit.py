"""The audit trail: filtered, in pages, and as CSV."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from aegis.management.access.guard import needs
from aegis.management.access.roles import Role
from aegis.management.audit import AuditEntry, AuditPage, Caller, Filter
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import responses
from aegis_sdk import codec

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["audit"])
With = Annotated[Parts, Depends(parts_of)]
Operator = Annotated[Caller, needs(Role.OPERATOR)]

_COLUMNS: Final = (
    "sequence", "at", "who", "role", "way", "address", "action", "on", "result", "code", "details", "instance",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_CSV: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


class AuditQuery(Filter):
    """Which entries; a page begins before the sequence `before`, 0: at the latest."""

    before: Annotated[int, Field(ge=0, le=2**53)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class AuditExport(Filter):
    """Which entries, at most `limit` of the latest."""

    before: Annotated[int, Field(ge=0, le=2**53)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 10_000


@router.get("/audit", responses=responses(401, 403, 422, 503))
async def list_audit(query: Annotated[AuditQuery, Query()], _: Operator, at: With) -> AuditPage:
    """Who did what, the latest first; refusals too."""
    return await at.trail.page(query, query.before, query.limit)


@router.get("/audit.csv", response_class=Response, responses=_CSV | responses(401, 403, 422, 503))
async def export_audit(query: Annotated[AuditExport, Query()], _: Operator, at: With) -> Response:
    """The same as CSV. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    page = await at.trail.page(query, query.before, query.limit)
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return Response(_csv(page.entries), media_type="text/csv; charset=utf-8", headers=headers)


def _csv(entries: list[AuditEntry]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for entry in entries:
        fields = entry.model_dump(mode="json")
        fields["details"] = codec.encode_json(fields["details"]).decode()
        writer.writerow([_cell(fields[column]) for column in _COLUMNS])
    return out.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
