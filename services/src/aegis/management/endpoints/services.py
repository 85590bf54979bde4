"""Service definitions, and how the methods of services fare."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from aegis.management.access.guard import needs
from aegis.management.access.roles import Role
from aegis.management.audit import Caller
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, responses
from aegis.management.revisions import IfMatch, changed, revision_of, tag
from aegis_sdk import codec
from aegis_sdk.errors import STREAM_NOT_FOUND, InvalidRequest, StreamError
from aegis_sdk.instances import ServiceDefinition, Token
from aegis_sdk.kv import KeyValue, KeyValueEntry, RevisionMismatch
from aegis_sdk.registry import SERVICES

__all__ = ["router"]

router = APIRouter(prefix="/api/services", tags=["services"])
With = Annotated[Parts, Depends(parts_of)]
Viewer = Annotated[Caller, needs(Role.VIEWER)]
Operator = Annotated[Caller, needs(Role.OPERATOR)]
Name = Annotated[Token, Path(examples=["trading"])]


class Definition(BaseModel):
    """What a service is. An instance that starts puts its own definition in the place of another one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"version": "0.1.0", "methods": ["echo"], "description": "Says back what it is told."}]
        },
    )

    version: Annotated[str, Field(max_length=64)] = ""
    methods: Annotated[list[Token], Field(max_length=200)] = []
    description: Annotated[str, Field(max_length=1_000)] = ""


class ServiceView(BaseModel):
    """A definition, its revision, and how many instances are alive."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "trading",
                    "version": "0.1.0",
                    "methods": [],
                    "description": "Orders, trades and positions of accounts.",
                    "revision": 7,
                    "instances": 2,
                }
            ]
        }
    )

    name: str
    version: str
    methods: list[str]
    description: str
    revision: int
    instances: int


@router.get("", responses=responses(401, 403, 503))
async def list_services(_: Viewer, at: With) -> list[ServiceView]:
    """All definitions, by name."""
    try:
        entries = await _bucket(at).entries()
    except StreamError as error:
        if error.code != STREAM_NOT_FOUND:
            raise
        entries = []
    living = _living(at)
    return sorted((_view(entry, living) for entry in entries), key=lambda one: one.name)


@router.get("/{name}", responses=responses(401, 403, 404, 422, 503))
async def get_service(name: Name, response: Response, _: Viewer, at: With) -> ServiceView:
    """One definition; its ETag is what writes are asked for."""
    entry = await _found(at, name)
    tag(response, entry.revision)
    return _view(entry, _living(at))


@router.put("/{name}", responses=responses(401, 403, 412, 422, 428, 503))
async def put_service(
    name: Name,
    asked: Definition,
    response: Response,
    caller: Operator,
    at: With,
    if_match: IfMatch = None,
    if_none_match: Annotated[str | None, Header(description="`*` to create", max_length=32, examples=["*"])] = None,
) -> ServiceView:
    """Change a definition (If-Match) or create one (If-None-Match: *). 412 shows what it is now, and what you sent."""
    wanted = asked.model_dump()
    definition = ServiceDefinition(name=name, **wanted)
    async with at.trail.action(caller, "put_service", name, wanted):
        try:
            value = codec.encode_model(definition)
            if if_none_match == "*" and if_match is None:
                revision = await _bucket(at).create(name, value)
            else:
                revision = await _bucket(at).update(name, value, revision_of(if_match))
        except RevisionMismatch:
            raise await _conflict(at, name, wanted) from None
    tag(response, revision)
    return _view(KeyValueEntry(name, value, revision, 0), _living(at))


@router.delete("/{name}", status_code=204, responses=responses(401, 403, 404, 409, 412, 422, 428, 503))
async def delete_service(name: Name, caller: Operator, at: With, if_match: IfMatch = None) -> None:
    """Delete the definition of a service of which nothing runs."""
    async with at.trail.action(caller, "delete_service", name):
        revision = revision_of(if_match)
        await _found(at, name)
        if at.view.directory.instances(name):
            raise Problem("conflict", "instances_alive", service=name)
        try:
            await _bucket(at).delete(name, revision)
        except RevisionMismatch:
            raise await _conflict(at, name, {}) from None


def _bucket(at: Parts) -> KeyValue:
    return KeyValue(at.transport, SERVICES)


async def _found(at: Parts, name: str) -> KeyValueEntry:
    entry = await _bucket(at).get(name)
    if entry is None:
        raise Problem("not_found", "no_service", service=name)
    return entry


async def _conflict(at: Parts, name: str, yours: dict[str, object]) -> Problem:
    entry = await _bucket(at).get(name)
    return changed(None if entry is None else _view(entry, _living(at)), entry.revision if entry else 0, yours)


def _living(at: Parts) -> Counter[str]:
    """How many instances of each service are alive."""
    return Counter(one.record.service for one in at.view.directory.instances())


def _view(entry: KeyValueEntry, living: Counter[str]) -> ServiceView:
    try:
        definition = codec.decode_model(ServiceDefinition, entry.value)
    except InvalidRequest:
        definition = ServiceDefinition(name=entry.key, description="cannot be read")
    return ServiceView(
        name=entry.key,
        version=definition.version,
        methods=list(definition.methods),
        description=definition.description,
        revision=entry.revision,
        instances=living[entry.key],
    )
