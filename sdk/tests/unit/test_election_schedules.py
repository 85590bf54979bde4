"""Elections under whatever may befall them, in any order."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from .election_nodes import Fate
from .election_world import World

WIRES_S = 0.03  # a tick, a write and what travels


WIRES_S = 0.03  # a tick, a write and what travels


BEFALLINGS = (
    *("kill", "restart", "freeze", "nap", "cut", "mend", "cut ledger", "ledger away", "ledger back"),
    *("retire", "return", "withdraw", "fail", "recover", "lose", "drop", "late", "hide"),
)


def befall(world: World, what: str, choice: int) -> None:
    """Something happens to one of the nodes, or to all."""
    living = [node for node in world.nodes if node.alive]
    node = living[choice % len(living)]
    match what:
        case "kill" if len(living) > 1:
            world.kill(node)
        case "restart":
            world.kill(node)
            world.node(node.instance)
        case "freeze" | "nap" if node.runs:
            world.freeze(node, 1.5 if what == "freeze" else 0.3)
        case "cut" if node.connected and node.runs:
            world.disconnect(node)
        case "mend" if not node.connected and node.runs:
            world.connect(node)
        case "cut ledger":
            node.reaches_ledger = not node.reaches_ledger
        case "ledger away" | "ledger back":
            world.ledger_works = what == "ledger back"
        case "retire" | "return" if node.runs:
            world.retire(node, what == "retire")
        case "withdraw" if node.runs:
            world.withdraw(node, ("k", "l")[choice % 2])
        case "fail" | "recover":
            node.recovers = what == "recover"
        case "lose" | "drop" | "late":
            world.fates.append({"lose": Fate.ANSWER_LOST, "drop": Fate.DROPPED, "late": Fate.LATE}[what])
        case "hide":
            node.lists = not node.lists
        case _:
            pass


def heal(world: World) -> None:
    world.ledger_works = True
    world.fates.clear()
    world.run(2.0)
    for node in world.nodes:
        node.recovers = node.lists = node.reaches_ledger = True
        if node.alive and not node.connected:
            world.connect(node)
        if node.alive and not node.able:
            world.retire(node, False)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**64), events=st.integers(3, 25))
def test_in_every_interleaving_each_epoch_has_one_holder_and_in_the_end_each_key_has_one(
    seed: int, events: int
) -> None:
    random = Random(seed)
    world = World(keys=["k", "l"], random=random)
    world.start("a", "b", "c")
    for _ in range(events):
        befall(world, random.choice(BEFALLINGS), random.randint(0, 5))
        world.run(1.2 * random.random())
    heal(world)
    world.run(15.0)
    for key in ("k", "l"):
        assert world.holder(key) is not None, f"{key}: {world.holders_of(key)}, {world.latest(key)}"
        assert world.epochs(key) == sorted(set(world.epochs(key)))
    assert all(node.stops == [] for node in world.nodes)
    world.check()
    quiet = len(world.epochs("k"))
    world.run(5.0)
    assert len(world.epochs("k")) == quiet
