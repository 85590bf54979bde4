"""Who is there: the registry's table, and the discovery protocol that every NATS service answers (ADR-32)."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

from aegis_sdk import codec, subjects
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import CodecError

if TYPE_CHECKING:
    from aegis_sdk.instances import Instance, ServiceDefinition
    from aegis_sdk.messages import Message
    from aegis_sdk.transport import Transport

__all__ = ["ask_all", "by_instance", "by_service", "methods", "registered"]

_FIRST_S: Final = 0.4
_QUIET_S: Final = 0.15
_CONFIRM_S: Final = 1.5
_READ_S: Final = 5.0


async def ask_all(transport: Transport, verb: str, service: str = "") -> list[dict[str, Any]]:
    """Everybody's answer to `$SRV.<verb>`, until no more come for a moment."""
    answers: list[dict[str, Any]] = []
    came = asyncio.Event()

    def take(message: Message) -> None:
        with suppress(CodecError):
            answer: Any = codec.decode_json(message.payload)
            if isinstance(answer, dict):
                answers.append(cast("dict[str, Any]", answer))
        came.set()

    inbox = subjects.inbox(secrets.token_hex(12))
    subscription = await transport.subscribe(inbox, take)
    try:
        transport.publish(subjects.srv(verb, service), b"", reply=inbox)
        pause = _FIRST_S
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(pause):
                    await came.wait()
                came.clear()
                pause = _QUIET_S
    finally:
        await subscription.unsubscribe()
    return sorted(answers, key=lambda one: (str(one.get("name")), str(one.get("id"))))


async def registered(transport: Transport) -> tuple[list[Instance], list[ServiceDefinition]]:
    """The living instances of the registry and the services that it defines, each in order."""
    async with Directory.open(transport, timeout=_READ_S) as directory:
        with suppress(TimeoutError):
            await directory.wait_for(_all_confirmed, timeout=_CONFIRM_S)
        instances = sorted(directory.instances(), key=lambda one: (one.record.service, one.record.instance))
        return instances, sorted(directory.services(), key=lambda one: one.name)


def _all_confirmed(directory: Directory) -> bool:
    return all(one.confirmed for one in directory.instances(unconfirmed=True))


def by_service(
    answers: list[dict[str, Any]], living: list[Instance], defined: list[ServiceDefinition]
) -> list[dict[str, Any]]:
    """Each service with its methods, the figures of its instances added up."""
    definitions = {one.name: one for one in defined}
    names = {*definitions, *(one["name"] for one in answers), *(one.record.service for one in living)}
    rows: list[dict[str, Any]] = []
    for name in sorted(names):
        ours = [one for one in answers if one["name"] == name]
        ids = {one["id"] for one in ours} | {one.record.instance for one in living if one.record.service == name}
        definition = definitions.get(name)
        rows.append(
            {
                "service": name,
                "version": max((one["version"] for one in ours), default=definition.version if definition else ""),
                "description": definition.description if definition else "",
                "instances": len(ids),
                "methods": methods(ours),
            }
        )
    return rows


def methods(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each method with its requests, errors and mean time, added up over the answers to `STATS`."""
    found: dict[str, dict[str, Any]] = {}
    lists: list[list[dict[str, Any]]] = [answer.get("endpoints") or [] for answer in answers]
    for endpoint in chain.from_iterable(lists):
        name = endpoint["name"]
        method = found.setdefault(
            name, {"name": name, "subject": endpoint["subject"], "requests": 0, "errors": 0, "mean_ms": None, "ns": 0}
        )
        method["requests"] += endpoint["num_requests"]
        method["errors"] += endpoint["num_errors"]
        method["ns"] += endpoint["processing_time"]
    for method in found.values():
        spent = method.pop("ns")
        method["mean_ms"] = round(spent / method["requests"] / 1e6, 3) if method["requests"] else None
    return [found[name] for name in sorted(found)]


def by_instance(answers: list[dict[str, Any]], living: list[Instance]) -> list[dict[str, Any]]:
    """Those of the registry, and those that only answer: services that others wrote."""
    rows = [
        {
            "service": one.record.service,
            "instance": one.record.instance,
            "version": one.record.version,
            "zone": one.record.zone,
            "status": str(one.status),
            "keys": one.record.keys,
            "heartbeat_age_s": round(one.age_s, 3),
            "started_at": one.record.started_at.isoformat(),
            "metrics_port": one.record.metrics_port,
        }
        for one in living
    ]
    known = {(row["service"], row["instance"]) for row in rows}
    rows += [
        {
            "service": one["name"],
            "instance": one["id"],
            "version": one["version"],
            "zone": "",
            "status": None,
            "keys": {},
            "heartbeat_age_s": None,
            "started_at": one["started"],
            "metrics_port": None,
        }
        for one in answers
        if (one["name"], one["id"]) not in known
    ]
    return sorted(rows, key=lambda row: (row["service"], row["instance"]))
