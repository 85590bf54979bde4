"""Two questions to a server, in its own protocols: who are you, and is JetStream ready?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final, cast

from aegis_sdk.server.ports import HOST

_TIMEOUT_S: Final = 1.0
_MAX_INFO_BYTES: Final = 64 * 1024


async def server_name(port: int) -> str | None:
    """The name in the INFO line of the server on `port`; "" if it does not speak NATS, None if nobody answers."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(HOST, port, limit=_MAX_INFO_BYTES)
            try:
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    except ValueError:
        return ""
    verb, _, body = line.partition(b" ")
    return str(_object(body).get("server_name", "")) if verb == b"INFO" else ""


async def jetstream(monitor_port: int) -> dict[str, Any]:
    """What the monitor says of JetStream; empty if it does not answer."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(HOST, monitor_port)
            try:
                writer.write(b"GET /jsz HTTP/1.0\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return {}
    head, _, body = answer.partition(b"\r\n\r\n")
    return _object(body) if b" 200 " in head.partition(b"\r\n")[0] else {}


def is_on(answer: dict[str, Any]) -> bool:
    """Does this node run JetStream?"""
    return bool(answer) and not answer.get("disabled", False)


def has_quorum(answers: Mapping[str, dict[str, Any]]) -> bool:
    """Do all nodes, by name, know one leader, and does that one see all others up to date?"""
    groups = {name: cast("dict[str, Any]", answer.get("meta_cluster") or {}) for name, answer in answers.items()}
    leaders = {str(group.get("leader", "")) for group in groups.values()}
    if len(leaders) != 1:
        return False
    followers = cast("list[dict[str, Any]]", groups.get(leaders.pop(), {}).get("replicas") or [])
    current = [one for one in followers if one.get("current") and not one.get("offline")]
    return len(current) == len(answers) - 1


def _object(body: bytes) -> dict[str, Any]:
    try:
        value: Any = json.loads(body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
