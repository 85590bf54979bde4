"""The feed while a node of NATS dies, alone or with whoever publishes: nobody who listens or reads misses anything."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Final

from aegis.cli.bench.cluster import healed, leader_of
from aegis.cli.bench.feed_pair import INSTANCES, FeedPair
from aegis.cli.bench.tried import Say
from aegis.marketdata.adapters.bus import TICKS
from aegis_sdk.errors import AegisError
from aegis_sdk.ledger.streams import shard_of, stream_of
from aegis_sdk.server import EmbeddedServer, Node

__all__ = ["Pauses", "nodes_killed"]

_LEAD_S: Final = 0.5
_SHARDS: Final = 3
_KEY: Final = "main"
_SHARD: Final = stream_of(shard_of(_KEY, _SHARDS))
_LED: Final = {
    "node_killed": (),
    "ticks_killed": (TICKS,),
    "shard_killed": (_SHARD,),
    "both_killed": (TICKS, _SHARD),
    "leader_killed": (TICKS,),
    "feed_too_killed": (TICKS,),
}
"""What is led by the node that is killed."""
_OWN: Final = frozenset({"node_killed", "ticks_killed", "shard_killed", "both_killed"})
"""Where it is the publishing feed's own node."""
_FEED_TOO: Final = "feed_too_killed"
_FEED_LIVES_S: Final = 0.2
"""For so long it sends to live subscribers only, some of the time."""
_STEPS: Final = 20
_ESTABLISHED: Final = "01"

Pauses = dict[str, list[float]]
"""Seconds, by case."""


async def nodes_killed(server: EmbeddedServer, pair: FeedPair, *, rounds: int, say: Say) -> tuple[Pauses, int]:
    """The pauses of each case in seconds, and how often the epoch changed but for `feed_too_killed`.

    The node of the publishing feed is killed: node_killed leads neither TICKS nor the shard of the feed's key,
    ticks_killed leads TICKS, shard_killed the shard, both_killed both. leader_killed: another one, which leads TICKS.
    feed_too_killed: the one that leads TICKS, and 0.2 s later whoever publishes; neither the standby nor we are
    connected to it.
    """
    pauses: Pauses = {name: [] for name in _LED}
    takeovers = 0
    for number in range(rounds):
        for name, seconds in pauses.items():
            before = max(1, len(pair.listener.epochs))
            seconds.append(await _round(server, pair, name))
            takeovers += 0 if name == _FEED_TOO else max(0, len(pair.listener.epochs) - before)
            say(f"{name} {number + 1}/{rounds}: {seconds[-1] * 1e3:.0f} ms")
    return pauses, takeovers


async def _round(server: EmbeddedServer, pair: FeedPair, name: str) -> float:
    """The longest pause of a subscriber after a node is killed, until all is healed.

    It leads what the case says, and nothing else of the feed.
    """
    active = await pair.settled()
    node = _chosen(server, pair, name, active)
    other = next(one for one in server.nodes if one is not node)
    for stream in (TICKS, _SHARD):
        await _lead(server, pair, stream, node if stream in _LED[name] else other)
    await healed(server, pair.transport)
    await pair.settled()
    await pair.proven()
    pair.listener.begin()
    await asyncio.sleep(_LEAD_S)
    await node.kill()
    if name == _FEED_TOO:
        await asyncio.sleep(_FEED_LIVES_S)
        await pair.kill(active)
        await pair.taken_over(active)
    await asyncio.sleep(2 * _LEAD_S)
    await node.start()
    await healed(server, pair.transport)
    if name == _FEED_TOO:
        await pair.start(active)
    await pair.settled()
    return pair.listener.longest_s


def _chosen(server: EmbeddedServer, pair: FeedPair, name: str, active: str) -> Node:
    """The node that is to be killed."""
    feeds = _node_of(server, pair.pid(active))
    if name in _OWN:
        return feeds
    spared = [feeds]
    if name == _FEED_TOO:
        spared = [_node_of(server, pid) for pid in (os.getpid(), *(pair.pid(o) for o in INSTANCES if o != active))]
    return next(one for one in server.nodes if one not in spared)


async def _lead(server: EmbeddedServer, pair: FeedPair, stream: str, node: Node) -> None:
    """Have a stream led by this node."""
    step_down = json.dumps({"placement": {"preferred": node.name}}).encode()
    for _ in range(_STEPS):
        if await leader_of(server, pair.transport, stream) is node:
            return
        await pair.transport.request(f"$JS.API.STREAM.LEADER.STEPDOWN.{stream}", step_down, timeout=2.0)
        await asyncio.sleep(_LEAD_S)
    raise AegisError(f"{stream} is not led by {node.name}")


def _node_of(server: EmbeddedServer, pid: int) -> Node:
    """To which a process is connected, by the kernel's table of sockets."""
    ports = {f"{node.client_port:04X}": node for node in server.nodes}
    links = (Path(f"/proc/{pid}/fd/{name.name}") for name in Path(f"/proc/{pid}/fd").iterdir())
    inodes = {target[8:-1] for link in links if (target := _target(link)).startswith("socket:[")}
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        node = ports.get(fields[2].partition(":")[2])
        if node is not None and fields[3] == _ESTABLISHED and fields[9] in inodes:
            return node
    raise AegisError(f"process {pid} is connected to no node")


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
