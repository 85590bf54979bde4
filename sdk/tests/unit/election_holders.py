"""Who holds a key in a world of simulated time, and who would come next."""

from __future__ import annotations

from aegis_sdk.placement import ranking

from .election_nodes import Node
from .election_world import World


def held_by_one_of(world: World) -> tuple[Node, list[Node]]:
    """The holder of `k`, and the others in the order in which they would claim."""
    holder = world.holder()
    assert holder is not None
    order = ranking("s", "k", holder.election.candidates, world.placement)
    return holder, sorted((n for n in world.nodes if n is not holder), key=lambda node: order.index(node.instance))
