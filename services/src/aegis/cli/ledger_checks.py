"""The checks of `aegis doctor` for the ledger of single-active services."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING, Final

from aegis.cli.checks import Check
from aegis_sdk import subjects
from aegis_sdk.ledger.streams import present_streams, shortcomings, stream_of
from aegis_sdk.transport_nats import streams

if TYPE_CHECKING:
    from aegis_sdk.messages import Message
    from aegis_sdk.transport_nats import NatsTransport

__all__ = ["ledger_checks"]

_SERVERS: Final = "$SYS.REQ.ACCOUNT.PING.CONNZ"
"""Each server of the cluster answers, to every account."""
_ANSWERS_S: Final = 0.3
_REPLICAS: Final = 3


async def ledger_checks(transport: NatsTransport) -> list[Check]:
    """Each stream of the ledger: its settings, and its replicas against the servers that there are."""
    shards = await present_streams(transport)
    if not shards:
        return []
    servers = await _servers(transport)
    wanted = _REPLICAS if servers > 1 else 1
    checks: list[Check] = []
    for name in map(stream_of, shards):
        config = await transport.stream_config(name)
        found = shortcomings(config, wanted)
        checks += [Check(name, "FAIL", each.problem, each.todo) for each in found]
        if not found:
            checks.append(Check(name, "OK", f"replicas: {config.replicas}, servers: {servers}"))
    return checks + (await _leader_checks(transport, [*map(stream_of, shards)]) if wanted > 1 else [])


async def _leader_checks(transport: NatsTransport, names: list[str]) -> list[Check]:
    """Whether one server leads more than one shard, so that its loss stops the keys of all of them.

    Shards are spread when they are made; a server that was away comes back leading none.
    """
    leads: dict[str, list[str]] = {}
    for name in names:
        leader = (await streams.api(transport, f"STREAM.INFO.{name}")).get("cluster", {}).get("leader", "")
        leads.setdefault(leader, []).append(name)
    return [
        Check(
            "ledger leaders",
            "WARN",
            f"{leader or 'nobody'} leads {', '.join(led)}: losing it stops them all",
            f"`nats stream cluster step-down {led[-1]}` while it is quiet, until they are spread",
        )
        for leader, led in leads.items()
        if len(led) > 1
    ]


async def _servers(transport: NatsTransport) -> int:
    """How many servers of the cluster answer now."""
    found: set[str] = set()

    def answered(message: Message) -> None:
        if message.payload:
            found.add(json.loads(message.payload)["server"]["id"])

    inbox = subjects.inbox(secrets.token_hex(12))
    subscription = await transport.subscribe(inbox, answered)
    await transport.flush()
    transport.publish(_SERVERS, b"", reply=inbox)
    await asyncio.sleep(_ANSWERS_S)  # nobody says how many will answer
    await subscription.unsubscribe()
    return len(found)
