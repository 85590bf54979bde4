"""The audit trail: filtered, in pages, and as CSV."""

from __future__ import annotations

import asyncio
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
_BOM: Final = "\ufeff"
"""Without it a spreadsheet reads UTF-8 as the system's own encoding, GBK in China."""
_CUT: Final = "Aegis-Cut-Before"
_READ_S: Final = 20.0
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}}},
        "headers": {_CUT: {"description": "`before` of what follows", "schema": {"type": "integer"}}},
    }
}


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
    """The same as CSV, in UTF-8 behind a byte order mark, by which spreadsheets know it.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    Where there are more than `limit`, or they cannot be read within 20 seconds, the last line and a header say so.
    """
    async with at.exports:
        page = await _collected(at, query)
        text = await asyncio.to_thread(_csv, page)
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    if page.next is not None:
        headers[_CUT] = str(page.next)
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


async def _collected(at: Parts, query: AuditExport) -> AuditPage:
    loop = asyncio.get_running_loop()
    end, found, before = loop.time() + _READ_S, list[AuditEntry](), query.before
    while True:
        page = await at.trail.page(query, before, query.limit - len(found))
        found += page.entries
        if page.next is None or len(found) >= query.limit or loop.time() >= end:
            return AuditPage(entries=found, next=page.next)
        before = page.next


def _csv(page: AuditPage) -> str:
    out = io.StringIO()
    out.write(_BOM)
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for entry in page.entries:
        fields = entry.model_dump(mode="json")
        fields["details"] = codec.encode_json(fields["details"]).decode()
        writer.writerow([_cell(fields[column]) for column in _COLUMNS])
    if page.next is not None:
        writer.writerow([f"# cut here: there may be more before {page.next}"])
    return out.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
