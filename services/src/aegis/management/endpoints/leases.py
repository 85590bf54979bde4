"""Leases: who holds which key, the timeline of its epochs, and giving it to another instance."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from aegis.management.access.guard import needs
from aegis.management.access.roles import Role
from aegis.management.audit import Caller
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, responses
from aegis.management.revisions import IfMatch, changed, revision_of, tag
from aegis.management.views import LeaseView
from aegis_sdk import key_moves
from aegis_sdk.instances import Token
from aegis_sdk.ledger import KeyName
from aegis_sdk.ledger.timeline import EpochSpan, Way, timeline

__all__ = ["router"]

router = APIRouter(prefix="/api/leases", tags=["leases"])
With = Annotated[Parts, Depends(parts_of)]
Viewer = Annotated[Caller, needs(Role.VIEWER)]
Operator = Annotated[Caller, needs(Role.OPERATOR)]
Service = Annotated[Token, Path(examples=["trading"])]
Key = Annotated[Token, Path(examples=["paper"])]


class EpochView(BaseModel):
    """One epoch: who, from when to when, why it began and ended, and for how long nobody had held the key before."""

    epoch: int
    holder: str
    incarnation: str
    began_at: datetime
    began: Way
    gap_ms: float | None
    ended_at: datetime | None
    ended: Way | None


class LeaseDetail(BaseModel):
    """A key with its last epochs, the latest first, and who could take it."""

    lease: LeaseView
    epochs: list[EpochView]
    takers: list[str]


class HandoverRequest(BaseModel):
    """`to` empty: the best instance. With `dry_run` nothing is done; without, `confirm` repeats the key."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"to": "trading-2", "dry_run": False, "confirm": "paper"}]},
    )

    to: Annotated[str, Field(pattern=r"^[A-Za-z0-9_=-]{0,128}$")] = ""
    dry_run: bool = True
    confirm: Annotated[str, Field(max_length=128)] = ""


class Handover(BaseModel):
    """What was done, or with `dry_run` what would be. `giver` is None where the key is there already.

    Of a preview `epoch` is the present one, which would end, `holder` is `to` or None for the best of `takers`, and
    `gap_ms` the median of this key's last handovers; of what was done `gap_ms` is the time from asking to the lease.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dry_run": False,
                    "service": "trading",
                    "key": "paper",
                    "giver": "trading-1",
                    "holder": "trading-2",
                    "epoch": 9,
                    "gap_ms": 21.4,
                    "takers": [],
                }
            ]
        }
    )

    dry_run: bool
    service: str
    key: str
    giver: str | None
    holder: str | None
    epoch: int
    gap_ms: float | None
    takers: list[str]


@router.get("", responses=responses(401, 403, 422, 503))
async def list_leases(_: Viewer, at: With, service: Annotated[str, Query(max_length=128)] = "") -> list[LeaseView]:
    """All keys that ever had a holder, by service and key."""
    return [LeaseView.model_validate(row) for row in at.view.rows() if service in ("", row["service"])]


@router.get("/{service}/{key}", responses=responses(401, 403, 404, 422, 503))
async def get_lease(
    service: Service,
    key: Key,
    response: Response,
    _: Viewer,
    at: With,
    epochs: Annotated[int, Query(ge=1, le=500)] = 50,
) -> LeaseDetail:
    """A key with the timeline of its epochs; its ETag is what a handover may be asked for."""
    lease = _found(at, service, key)
    tag(response, lease.sequence)
    told = await timeline(at.transport, service, key, len(at.view.leases.shards), epochs)
    return LeaseDetail(
        lease=lease,
        epochs=[_epoch(span) for span in reversed(told)],
        takers=at.view.takers(service, lease.holder or ""),
    )


@router.post("/{service}/{key}/handover", responses=responses(401, 403, 404, 409, 412, 422, 428, 503, 504))
async def hand_over(
    service: Service,
    key: Key,
    asked: HandoverRequest,
    response: Response,
    caller: Operator,
    at: With,
    if_match: IfMatch = None,
) -> Handover:
    """Give a key to another instance, and wait until that serves it; or say what that would do.

    With the ETag of a preview as If-Match it is done only as previewed: 412 where the key has moved since.
    """
    if asked.dry_run:
        preview = await _preview(at, service, key, asked.to)
        tag(response, preview.epoch)
        return preview
    async with at.trail.action(caller, "hand_over", f"{service}/{key}", {"to": asked.to}) as said:
        lease = _found(at, service, key)
        if asked.confirm != key:
            raise Problem("invalid", "confirm", what=key)
        if if_match is not None and revision_of(if_match) != lease.sequence:
            raise changed(lease, lease.sequence, {"to": asked.to})
        done = await key_moves.hand_over(at.transport, at.view, service, key, asked.to)
        said.update(holder=done["holder"], epoch=done["epoch"])
    tag(response, done["epoch"])
    return Handover(
        dry_run=False,
        service=service,
        key=key,
        giver=done["from"],
        holder=done["holder"],
        epoch=done["epoch"],
        gap_ms=done["ms"],
        takers=[],
    )


async def _preview(at: Parts, service: str, key: str, to: str) -> Handover:
    _found(at, service, key)
    told = key_moves.preview(at.view, service, key, to)
    before = await timeline(at.transport, service, key, len(at.view.leases.shards))
    gaps = [span.gap_ms for span in before if span.began is Way.HANDOVER and span.gap_ms is not None]
    return Handover(
        dry_run=True,
        service=service,
        key=key,
        giver=None if to == told["from"] else told["from"],
        holder=told["to"],
        epoch=told["epoch"],
        gap_ms=median(gaps[-9:]) if gaps else None,
        takers=told["takers"],
    )


def _found(at: Parts, service: str, key: str) -> LeaseView:
    if KeyName(service, key) not in at.view.leases.latest:
        raise Problem("not_found", "no_key", service=service, key=key)
    return next(
        LeaseView.model_validate(row) for row in at.view.rows() if (row["service"], row["key"]) == (service, key)
    )


def _epoch(span: EpochSpan) -> EpochView:
    return EpochView(
        epoch=span.epoch,
        holder=span.holder,
        incarnation=span.incarnation,
        began_at=_moment(span.began_ns),
        began=span.began,
        gap_ms=span.gap_ms,
        ended_at=None if span.ended_ns is None else _moment(span.ended_ns),
        ended=span.ended,
    )


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, UTC)
