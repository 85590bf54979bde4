"""What JetStream says of its streams and their consumers."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from aegis_sdk.errors import STREAM_NOT_FOUND, StreamError
from aegis_sdk.transport import Transport
from aegis_sdk.transport_nats.streams import api

__all__ = ["ConsumerView", "StreamView", "all_consumers", "consumers_of", "created", "streams"]

_MOST_STREAMS: Final = 256


class StreamView(BaseModel):
    """A stream, and what is in it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "EVENTS",
                    "subjects": ["event.>"],
                    "storage": "file",
                    "replicas": 3,
                    "leader": "n1",
                    "messages": 1200,
                    "bytes": 512000,
                    "first_sequence": 1,
                    "last_sequence": 1200,
                    "consumers": 2,
                    "max_bytes": 1073741824,
                    "max_age_s": 2592000.0,
                }
            ]
        }
    )

    name: str
    subjects: list[str]
    storage: str
    replicas: int
    leader: str  # empty where it is alone
    messages: int
    bytes: int
    first_sequence: int
    last_sequence: int
    consumers: int
    max_bytes: int  # -1: no bound
    max_age_s: float  # 0: no bound


class ConsumerView(BaseModel):
    """`lag` is what it has not got yet, `unacknowledged` what it has got and not acknowledged."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "stream": "EVENTS",
                    "name": "reader-1",
                    "durable": False,
                    "lag": 0,
                    "unacknowledged": 0,
                    "redelivered": 0,
                    "delivered": 1200,
                    "filters": ["event.market.>"],
                }
            ]
        }
    )

    stream: str
    name: str
    durable: bool
    lag: int
    unacknowledged: int
    redelivered: int
    delivered: int  # the stream's sequence of the last one
    filters: list[str]


async def created(transport: Transport, stream: str) -> str:
    """The moment at which a stream was made, to the nanosecond. Raises StreamError where there is none."""
    return (await api(transport, f"STREAM.INFO.{stream}"))["created"]


async def streams(transport: Transport) -> list[StreamView]:
    """All of them, those of KV buckets too, by name."""
    found = await _pages(transport, "STREAM.LIST", "streams")
    return sorted((_stream(one) for one in found), key=lambda one: one.name)


async def consumers_of(transport: Transport, stream: str) -> list[ConsumerView]:
    """Those of a stream, the one that lags most first. Raises StreamError where there is no such stream."""
    found = await _pages(transport, f"CONSUMER.LIST.{stream}", "consumers")
    return sorted((_consumer(one) for one in found), key=lambda one: (-one.lag, one.name))


async def all_consumers(transport: Transport) -> list[ConsumerView]:
    """Those of all streams, of 256 that have some."""
    found: list[ConsumerView] = []
    consumed = [one.name for one in await streams(transport) if one.consumers]
    for stream in consumed[:_MOST_STREAMS]:  # one after the other: it is looked again and again
        try:
            found += await consumers_of(transport, stream)
        except StreamError as error:
            if error.code != STREAM_NOT_FOUND:  # it is gone just now
                raise
    return found


async def _pages(transport: Transport, verb: str, field: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = await api(transport, verb, {"offset": len(found)})
        listed: list[dict[str, Any]] = page.get(field) or []
        found += listed
        if not listed or len(found) >= page.get("total", 0):
            return found


def _stream(one: dict[str, Any]) -> StreamView:
    config, state = one["config"], one["state"]
    return StreamView(
        name=config["name"],
        subjects=config.get("subjects") or [],
        storage=config["storage"],
        replicas=config["num_replicas"],
        leader=(one.get("cluster") or {}).get("leader", ""),
        messages=state["messages"],
        bytes=state["bytes"],
        first_sequence=state["first_seq"],
        last_sequence=state["last_seq"],
        consumers=state["consumer_count"],
        max_bytes=config["max_bytes"],
        max_age_s=config["max_age"] / 1e9,
    )


def _consumer(one: dict[str, Any]) -> ConsumerView:
    config = one["config"]
    single = config.get("filter_subject")
    return ConsumerView(
        stream=one["stream_name"],
        name=one["name"],
        durable=bool(config.get("durable_name")),
        lag=one["num_pending"],
        unacknowledged=one["num_ack_pending"],
        redelivered=one["num_redelivered"],
        delivered=one["delivered"]["stream_seq"],
        filters=config.get("filter_subjects") or ([single] if single else []),
    )
