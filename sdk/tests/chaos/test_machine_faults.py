"""Faults for which the machine must let us: packets lost on a real wire, and a disk that is full. They need root."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from aegis_sdk import clock
from aegis_sdk.server import Node
from aegis_sdk.timers import AGGRESSIVE

from . import faults
from .cluster import cluster
from .disks import small_disk
from .namespaces import Namespace, namespace
from .permissions import permitted
from .rounds import Round, begun

LOST_S: Final = AGGRESSIVE.suspended_s + 2.0
"""Who is still heard, but hears nothing, is replaced only when it has been suspended for its time."""


def listen_everywhere(node: Node, configuration: dict[str, Any]) -> None:
    configuration["listen"] = f"0.0.0.0:{node.client_port}"


async def test_a_holder_whose_packets_are_lost_is_replaced_and_answers_nobody() -> None:
    """The holder lives in a network namespace of its own; what it sends is lost, or what it is sent, or both."""
    with permitted("a network namespace"), namespace() as there:
        async with cluster(listen_everywhere) as nodes, begun(nodes, namespaces={"a": there}) as round_:
            for outbound, inbound in ((True, True), (True, False), (False, True)):
                await faults.hand_over(round_, "K1", "a")
                await asyncio.sleep(0.5)
                epoch, _ = await round_.held("K1")
                await lose_packets(round_, there, LOST_S, outbound=outbound, inbound=inbound)
                await round_.held("K1", above=epoch)
            await asyncio.sleep(0.5)
            await round_.hold()


async def lose_packets(round_: Round, there: Namespace, seconds: float, *, outbound: bool, inbound: bool) -> None:
    began = clock.now()
    there.cut(outbound=outbound, inbound=inbound)
    await asyncio.sleep(seconds)
    there.heal()
    round_.note("packets_lost", "a", began)


async def test_a_node_whose_disk_is_full_costs_no_acknowledged_write(tmp_path: Path) -> None:
    """One node of three; it is started again when there is room."""
    with permitted("a file system of its own"), small_disk(tmp_path, megabytes=64) as disk:

        def on_a_small_disk(node: Node, configuration: dict[str, Any]) -> None:
            if node.name.endswith("-1"):
                configuration["jetstream"]["store_dir"] = str(disk.path)

        async with cluster(on_a_small_disk) as nodes, begun(nodes) as round_:
            await asyncio.sleep(0.5)
            began = clock.now()
            disk.fill()
            await asyncio.sleep(3)
            disk.empty()
            await nodes.nodes[0].stop()
            await nodes.nodes[0].start()
            await nodes.wait_healed()
            round_.note("disk_full", "all", began)
            await round_.all_held()
            await asyncio.sleep(0.5)
            await round_.hold()
