"""Questions to the cluster under test: who leads a stream, and whether all of them are whole again."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aegis_sdk import codec
from aegis_sdk.errors import AegisError
from aegis_sdk.server import EmbeddedServer, Node
from aegis_sdk.transport import Transport

__all__ = ["healed", "leader_of"]

_DEADLINE_S: Final = 60.0
_POLL_S: Final = 0.05
_ASK_S: Final = 1.0


async def leader_of(server: EmbeddedServer, transport: Transport, stream: str) -> Node:
    """The node that leads a stream; waits for one. Raises TimeoutError where there is none."""
    async with asyncio.timeout(_DEADLINE_S):
        while True:
            name = (await _ask(transport, f"STREAM.INFO.{stream}")).get("cluster", {}).get("leader")
            for node in server.nodes:
                if node.name == name and node.pid is not None:
                    return node
            await asyncio.sleep(_POLL_S)


async def healed(server: EmbeddedServer, transport: Transport) -> None:
    """Return when each stream has a leader and all its replicas are current. Raises TimeoutError."""
    async with asyncio.timeout(_DEADLINE_S):
        while not await _is_healed(transport, len(server.nodes)):  # noqa: ASYNC110 (the server tells nobody)
            await asyncio.sleep(_POLL_S)


async def _is_healed(transport: Transport, nodes: int) -> bool:
    streams: list[str] = (await _ask(transport, "STREAM.NAMES")).get("streams") or []
    groups = [(await _ask(transport, f"STREAM.INFO.{stream}")).get("cluster", {}) for stream in streams]
    return bool(groups) and all(group.get("leader") and _current(group) == nodes - 1 for group in groups)


def _current(group: dict[str, Any]) -> int:
    """How many followers have caught up with the leader."""
    return sum(bool(one.get("current")) and not one.get("offline") for one in group["replicas"])


async def _ask(transport: Transport, api: str) -> dict[str, Any]:
    """An answer of JetStream's API; empty where there is none."""
    try:
        return codec.decode_json((await transport.request(f"$JS.API.{api}", b"", timeout=_ASK_S)).payload)
    except AegisError:
        return {}
