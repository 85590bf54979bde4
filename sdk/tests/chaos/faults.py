"""What may befall a round: each fault happens, lasts, is undone, and is written down with its times."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

from aegis_sdk import clock
from aegis_sdk.server import Node
from aegis_sdk.timers import AGGRESSIVE

from .links import Flow
from .rounds import Round


async def stop(round_: Round, name: str, seconds: float) -> None:
    """SIGSTOP, and SIGCONT after a time."""
    worker, began = round_.instances[name], clock.now()
    worker.signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    round_.note("SIGSTOP", name, began, worker.pid)
    worker.signal(signal.SIGCONT)


async def kill(round_: Round, name: str, down_s: float = 0.0) -> None:
    """SIGKILL, and a new start under the same name after a time. Kills of one instance come one after the other."""
    async with round_.restarting[name]:
        began = clock.now()
        pid = round_.instances[name].pid
        await round_.instances[name].kill()
        await asyncio.sleep(down_s)
        await round_.start_instance(name)
        round_.note("SIGKILL", name, began, pid)


async def block(round_: Round, name: str, seconds: float) -> None:
    """The instance blocks its own event loop, and writes that down itself."""
    round_.instances[name].order("block", seconds=seconds)
    await asyncio.sleep(seconds)


def move_wall_clock(round_: Round, name: str, ahead_s: float) -> None:
    """That of an instance or a caller; a restart does not set it right. Raises NotPermitted."""
    began = clock.now()
    round_.wall_clock(name).move_to(ahead_s)
    round_.note("wall_clock", name, began)


@contextmanager
def cut_off(round_: Round, name: str, forth: Flow = Flow.HOLD, back: Flow = Flow.HOLD) -> Iterator[None]:
    """Cut an instance from all nodes; with PASS for one direction the other alone."""
    began = clock.now()
    round_.cluster.cut_client(round_.link(name), forth, back)
    yield
    round_.note("cut", name, began)
    round_.cluster.heal_client(round_.link(name))


async def cut(round_: Round, name: str, seconds: float, forth: Flow = Flow.HOLD, back: Flow = Flow.HOLD) -> None:
    with cut_off(round_, name, forth, back):
        await asyncio.sleep(seconds)


async def isolate(
    round_: Round, node: Node, seconds: float, outbound: Flow = Flow.HOLD, inbound: Flow = Flow.HOLD
) -> None:
    """Cut a node from the other nodes, but not from its clients."""
    began = clock.now()
    round_.cluster.isolate(round_.cluster.nodes.index(node), outbound=outbound, inbound=inbound)
    await asyncio.sleep(seconds)
    round_.cluster.heal()
    await round_.cluster.wait_healed()
    round_.note("isolated", "all", began)


async def kill_nodes(round_: Round, nodes: list[Node], down_s: float) -> None:
    """SIGKILL of nodes, which are started again after a time."""
    began = clock.now()
    for node in nodes:
        await node.kill()
    await asyncio.sleep(down_s)
    for node in nodes:
        await node.start()
    await round_.cluster.wait_healed()
    round_.note("node_killed", ",".join(node.name for node in nodes), began)


async def pause_node(round_: Round, node: Node, seconds: float) -> None:
    """SIGSTOP of a node: whoever is connected to it hears nothing, and is not heard."""
    began = clock.now()
    node.pause()
    await asyncio.sleep(seconds)
    node.resume()
    await round_.cluster.wait_healed()
    round_.note("node_paused", "all", began)


async def restart_in_turn(round_: Round) -> None:
    """A rolling restart, each node ended as maintenance does it."""
    for node in round_.cluster.nodes:
        began = clock.now()
        await node.stop()
        await node.start()
        await round_.cluster.wait_healed()
        round_.note("node_restarted", node.name, began)


async def stop_at(round_: Round, name: str, point: str, seconds: float, within_s: float = 5.0) -> bool:
    """Let the instance stop itself at a fail point, and continue it after a time; False where it never came there."""
    worker = round_.instances[name]
    worker.order("arm", point=point)
    if not await worker.stopped(within_s):
        return False
    began = clock.now()
    await asyncio.sleep(seconds)
    round_.note("SIGSTOP", name, began, worker.pid)
    worker.signal(signal.SIGCONT)
    return True


async def hang_in_recovery(round_: Round, name: str, until: Awaitable[object]) -> None:
    """The instance ends no recovery of a key, until `until` is done and it has given the key up."""
    began = clock.now()
    round_.instances[name].order("recover_slowly", seconds=3600)
    await until
    await asyncio.sleep(AGGRESSIVE.recover_s)
    round_.instances[name].order("recover_slowly", seconds=0)
    round_.note("hang", name, began)


async def hand_over(round_: Round, key: str, successor: str = "") -> None:
    """Let the holder of a key give it to another instance, until that has it: it may not be able to take it at once."""
    first = await round_.held(key)
    epoch, holder = first
    while holder != successor if successor else (epoch, holder) == first:
        began = clock.now()
        round_.instances[holder].order("hand_over", key=key, successor=successor)
        await asyncio.sleep(0.3)
        round_.note("hand_over", holder, began)
        epoch, holder = await round_.held(key)
