"""Instances: who is alive, and giving the keys of one to others."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from aegis.management.access.guard import needs
from aegis.management.access.roles import Role
from aegis.management.audit import Caller
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, responses
from aegis.management.views import InstanceView
from aegis_sdk import key_moves
from aegis_sdk.instances import Instance, InstanceStatus, Token
from aegis_sdk.maintenance import Maintained

__all__ = ["router"]

router = APIRouter(prefix="/api/instances", tags=["instances"])
With = Annotated[Parts, Depends(parts_of)]
Viewer = Annotated[Caller, needs(Role.VIEWER)]
Operator = Annotated[Caller, needs(Role.OPERATOR)]
Service = Annotated[Token, Path(examples=["trading"])]
Named = Annotated[Token, Path(examples=["trading-1"])]


class DrainRequest(BaseModel):
    """`confirm` repeats the instance's name: it takes no key until it is started again."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"confirm": "trading-1", "timeout_s": 30}]}
    )

    confirm: Annotated[str, Field(max_length=128)]
    timeout_s: Annotated[float, Field(ge=0.1, le=60)] = 30.0


class MaintenanceChange(BaseModel):
    """Begin or end maintenance. To begin it, `confirm` repeats the instance's name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"on": True, "confirm": "trading-1"}]})

    on: bool
    confirm: Annotated[str, Field(max_length=128)] = ""


class KeyGiven(BaseModel):
    key: str
    holder: str
    epoch: int


class KeyLeft(BaseModel):
    key: str
    holder: str | None
    state: str


class Drained(BaseModel):
    """Where the keys are now; `left` are those that nobody else has. The topic `leases` shows it as it happens."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "service": "trading",
                    "instance": "trading-1",
                    "seconds": 0.21,
                    "keys": [{"key": "paper", "holder": "trading-2", "epoch": 9}],
                    "left": [],
                }
            ]
        }
    )

    service: str
    instance: str
    seconds: float
    keys: list[KeyGiven]
    left: list[KeyLeft]


@router.get("", responses=responses(401, 403, 422, 503))
async def list_instances(
    _: Viewer,
    at: With,
    service: Annotated[str, Query(max_length=128)] = "",
    status: InstanceStatus | None = None,
) -> list[InstanceView]:
    """All living instances, by service and name."""
    found = [InstanceView.of(one) for one in at.view.directory.instances(service or None)]
    wanted = [one for one in found if status in (None, one.status)]
    return sorted(wanted, key=lambda one: (one.service, one.instance))


@router.get("/{service}/{instance}", responses=responses(401, 403, 404, 422, 503))
async def get_instance(service: Service, instance: Named, _: Viewer, at: With) -> InstanceView:
    """One that is alive, with its configuration."""
    return InstanceView.of(_found(at, service, instance))


@router.post("/{service}/{instance}/drain", responses=responses(401, 403, 404, 409, 422, 503, 504))
async def drain_instance(service: Service, instance: Named, asked: DrainRequest, caller: Operator, at: With) -> Drained:
    """Give all keys of an instance to others, before it is stopped; answers when others hold them, or after a while."""
    async with at.trail.action(caller, "drain", f"{service}/{instance}", {"timeout_s": asked.timeout_s}) as said:
        _found(at, service, instance)
        if asked.confirm != instance:
            raise Problem("invalid", "confirm", what=instance)
        done: dict[str, Any] = await key_moves.drain(at.transport, at.view, instance, service, asked.timeout_s)
        said.update(given=len(done["keys"]), left=len(done["left"]))
    return Drained.model_validate(done)


@router.post("/{service}/{instance}/maintenance", responses=responses(401, 403, 404, 409, 422, 503, 504))
async def set_maintenance(
    service: Service, instance: Named, asked: MaintenanceChange, caller: Operator, at: With
) -> Maintained:
    """Let an instance take neither new calls nor keys until it is released; it goes on running, and is DRAINING.

    409 where it holds keys that nobody else could take.
    """
    async with at.trail.action(caller, "maintenance", f"{service}/{instance}", {"on": asked.on}):
        _found(at, service, instance)
        if asked.on and asked.confirm != instance:
            raise Problem("invalid", "confirm", what=instance)
        return await key_moves.maintain(at.transport, at.view, instance, service, asked.on)


def _found(at: Parts, service: str, instance: str) -> Instance:
    found = at.view.instance(service, instance)
    if found is None:
        raise Problem("not_found", "no_instance", service=service, instance=instance)
    return found
