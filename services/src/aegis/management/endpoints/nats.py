"""What NATS itself says: streams, consumers with their lag, KV buckets to look into, and servers where they tell."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, JsonValue

from aegis.management.access import attempts, sessions, tokens, users
from aegis.management.access.guard import needs
from aegis.management.access.roles import Role
from aegis.management.audit import Caller
from aegis.management.jetstream import ConsumerView, StreamView, consumers_of, streams
from aegis.management.monitors import ServerPage
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, responses
from aegis_sdk import codec, subjects
from aegis_sdk.errors import STREAM_NOT_FOUND, CodecError, ConfigurationError, StreamError
from aegis_sdk.instances import masked
from aegis_sdk.kv import KeyValue, KeyValueEntry
from aegis_sdk.transport_nats.streams import api

__all__ = ["router"]

router = APIRouter(prefix="/api/nats", tags=["nats"])
With = Annotated[Parts, Depends(parts_of)]
Viewer = Annotated[Caller, needs(Role.VIEWER)]
Operator = Annotated[Caller, needs(Role.OPERATOR)]
StreamName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["TICKS"])]
BucketName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["aegis_config"])]

KeyName = Annotated[str, Path(max_length=512, pattern=r"^[A-Za-z0-9_=./-]+$", examples=["trading.A1.group"])]

_SECRET: Final = frozenset((users.BUCKET, sessions.BUCKET, tokens.BUCKET, attempts.BUCKET))
"""Buckets that nobody looks into."""
_BUCKET: Final = "KV_"
_MOST_REVISIONS: Final = 64
_MOST_VALUE_BYTES: Final = 65_536


class KeyView(BaseModel):
    """A key that has a value, with the revision that set it and the bytes that it takes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"key": "trading.A1.group", "revision": 4, "created_at": "2026-11-28T09:00:00Z", "size": 5}]
        }
    )

    key: str
    revision: int
    created_at: datetime
    size: int


class ValueView(KeyView):
    """A value: as JSON where it is such, secrets masked; else as text or base64. Of a large one it is None."""

    encoding: Literal["json", "text", "base64", "large"]
    value: JsonValue


class RevisionView(ValueView):
    """What a key was at a revision; `deleted`: it had no value from then on."""

    deleted: bool


@router.get("/streams", responses=responses(401, 403, 503, 504))
async def list_streams(_: Viewer, at: With) -> list[StreamView]:
    """All streams, those of KV buckets too, by name."""
    return await streams(at.transport)


@router.get("/streams/{stream}/consumers", responses=responses(401, 403, 404, 422, 503, 504))
async def list_consumers(stream: StreamName, _: Viewer, at: With) -> list[ConsumerView]:
    """The consumers of a stream, the one that lags most first."""
    try:
        return await consumers_of(at.transport, stream)
    except StreamError as error:
        raise _or_not_found(error, "no_stream", {"stream": stream}) from None


@router.get("/buckets", responses=responses(401, 403, 503, 504))
async def list_buckets(_: Viewer, at: With) -> list[str]:
    """The KV buckets that one may look into."""
    names = (one.name for one in await streams(at.transport))
    buckets = {name.removeprefix(_BUCKET) for name in names if name.startswith(_BUCKET)}
    return sorted(buckets - _SECRET)


@router.get("/buckets/{bucket}/keys", responses=responses(401, 403, 404, 422, 503, 504))
async def list_keys(
    bucket: BucketName,
    _: Operator,
    at: With,
    after: Annotated[str, Query(max_length=512)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[KeyView]:
    """Keys that have a value, in order, behind `after`."""
    store, found = _bucket(at, bucket), list[KeyView]()
    try:
        names = sorted(name for name in await _names(at, bucket) if name > after)
        for name in names:  # one by one: a bucket may hold more than we should take into memory
            if len(found) == limit:
                break
            if (entry := await store.get(name)) is not None:
                found.append(_key(entry))
    except StreamError as error:
        raise _or_not_found(error, "no_bucket", {"bucket": bucket}) from None
    return found


@router.get("/buckets/{bucket}/keys/{key}", responses=responses(401, 403, 404, 422, 503, 504))
async def get_key(bucket: BucketName, key: KeyName, _: Operator, at: With) -> ValueView:
    """One value."""
    try:
        entry = await _bucket(at, bucket).get(key)
    except StreamError as error:
        raise _or_not_found(error, "no_bucket", {"bucket": bucket}) from None
    except ConfigurationError:
        entry = None
    if entry is None:
        raise Problem("not_found", "no_entry", bucket=bucket, key=key)
    encoding, value = _shown(key, entry.value)
    return ValueView(**_key(entry).model_dump(), encoding=encoding, value=value)


@router.get("/buckets/{bucket}/keys/{key}/history", responses=responses(401, 403, 404, 422, 503, 504))
async def get_key_history(bucket: BucketName, key: KeyName, _: Operator, at: With) -> list[RevisionView]:
    """The revisions of a key that the bucket keeps, 64 at most, the latest first."""
    try:
        entries = await _bucket(at, bucket).history(key)
    except StreamError as error:
        raise _or_not_found(error, "no_bucket", {"bucket": bucket}) from None
    except ConfigurationError:
        entries = []
    if not entries:
        raise Problem("not_found", "no_entry", bucket=bucket, key=key)
    return [_revision(entry) for entry in reversed(entries[-_MOST_REVISIONS:])]


@router.get("/servers", responses=responses(401, 403))
async def list_servers(_: Viewer, at: With) -> list[ServerPage]:
    """The `/varz` of each server that is known, which answers or not: version, memory, rates, cluster."""
    return await at.monitors.pages("/varz")


@router.get("/connections", responses=responses(401, 403))
async def list_connections(_: Operator, at: With) -> list[ServerPage]:
    """The `/connz` of each server: who is connected, 256 at most."""
    return await at.monitors.pages("/connz?limit=256")


async def _names(at: Parts, bucket: str) -> list[str]:
    """The keys of a bucket, those that were deleted too; without their values."""
    found: list[str] = []
    pattern = subjects.kv(bucket, subjects.REST)
    while True:
        asked = {"subjects_filter": pattern, "offset": len(found)}
        page = await api(at.transport, f"STREAM.INFO.{_BUCKET}{bucket}", asked)
        named: dict[str, int] = page["state"].get("subjects") or {}
        found += [subjects.kv_key(subject) for subject in named]
        if not named or len(found) >= page.get("total", 0):
            return found


def _or_not_found(error: StreamError, reason: str, details: dict[str, str]) -> Exception:
    return Problem("not_found", reason, details=details) if error.code == STREAM_NOT_FOUND else error


def _bucket(at: Parts, name: str) -> KeyValue:
    if name in _SECRET:
        raise Problem("not_found", "no_bucket", bucket=name)
    return KeyValue(at.transport, name)


def _key(entry: KeyValueEntry) -> KeyView:
    return KeyView(
        key=entry.key,
        revision=entry.revision,
        created_at=datetime.fromtimestamp(entry.created_ns / 1e9, UTC),
        size=len(entry.value),
    )


def _revision(entry: KeyValueEntry) -> RevisionView:
    encoding, value = _shown(entry.key, entry.value)
    return RevisionView(**_key(entry).model_dump(), encoding=encoding, value=value, deleted=entry.deleted)


def _shown(key: str, value: bytes) -> tuple[Literal["json", "text", "base64", "large"], JsonValue]:
    if len(value) > _MOST_VALUE_BYTES:
        return "large", None
    try:
        return "json", masked(codec.decode_json(value), key)
    except CodecError:
        pass
    try:
        return "text", masked(value.decode(), key)
    except UnicodeDecodeError:
        return "base64", base64.b64encode(value).decode()
