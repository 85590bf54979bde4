"""The feed while a node of NATS dies, alone or with whoever publishes: nobody who listens or reads misses anything."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Final

from aegis.cli.bench.cases import FeedCase
from aegis.cli.bench.cluster import healed, leader_of
from aegis.cli.bench.feed_pair import INSTANCES, FeedPair
from aegis.marketdata.adapters.bus import TICKS
from aegis_sdk.errors import AegisError
from aegis_sdk.ledger.streams import shard_of, stream_of
from aegis_sdk.server import EmbeddedServer, Node

__all__ = ["node_killed"]

_LEAD_S: Final = 0.5
_SHARDS: Final = 3
_KEY: Final = "main"
_SHARD: Final = stream_of(shard_of(_KEY, _SHARDS))
_LED: Final = {
    FeedCase.NODE_KILLED: (),
    FeedCase.TICKS_KILLED: (TICKS,),
    FeedCase.SHARD_KILLED: (_SHARD,),
    FeedCase.BOTH_KILLED: (TICKS, _SHARD),
    FeedCase.LEADER_KILLED: (TICKS,),
    FeedCase.FEED_TOO_KILLED: (TICKS,),
}
"""What is led by the node that is killed."""
_NOT_OWN: Final = frozenset({FeedCase.LEADER_KILLED, FeedCase.FEED_TOO_KILLED})
"""Where it is not the publishing feed's own node."""
_FEED_LIVES_S: Final = 0.2
"""For so long it sends to live subscribers only, some of the time."""
_STEPS: Final = 20
_ESTABLISHED: Final = "01"


async def node_killed(server: EmbeddedServer, pair: FeedPair, case: FeedCase) -> float:
    """The longest pause of a subscriber after a node is killed, until all is healed.

    It is the node of the publishing feed, and leads what the case says, nothing else of the feed: node_killed neither
    TICKS nor the shard of its key, ticks_killed TICKS, shard_killed the shard, both_killed both. leader_killed: another
    one, which leads TICKS. feed_too_killed: the one that leads TICKS, and 0.2 s later whoever publishes; neither the
    standby nor we are connected to it.
    """
    active = await pair.settled()
    node = _chosen(server, pair, case, active)
    other = next(one for one in server.nodes if one is not node)
    for stream in (TICKS, _SHARD):
        await _lead(server, pair, stream, node if stream in _LED[case] else other)
    await healed(server, pair.transport)
    await pair.settled()
    await pair.proven()
    pair.begin(case)
    await asyncio.sleep(_LEAD_S)
    await node.kill()
    if case is FeedCase.FEED_TOO_KILLED:
        await asyncio.sleep(_FEED_LIVES_S)
        await pair.kill(active)
        await pair.taken_over(active)
    await asyncio.sleep(2 * _LEAD_S)
    await node.start()
    await healed(server, pair.transport)
    if case is FeedCase.FEED_TOO_KILLED:
        await pair.start(active)
    await pair.settled()
    return pair.listener.longest_s


def _chosen(server: EmbeddedServer, pair: FeedPair, case: FeedCase, active: str) -> Node:
    """The node that is to be killed."""
    feeds = _node_of(server, pair.pid(active))
    if case not in _NOT_OWN:
        return feeds
    spared = [feeds]
    if case is FeedCase.FEED_TOO_KILLED:
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
