"""Rounds of random faults, each judged by all rules of the checker: CHAOS_ROUNDS of them, seeded by CHAOS_SEED."""

from __future__ import annotations

import asyncio
import os
import random
import warnings
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from . import faults
from .cluster import Cluster
from .links import Flow
from .permissions import NotPermitted
from .rounds import INSTANCES, KEYS, Round, begun
from .wall_clocks import HOUR_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEED: Final = int(os.environ.get("CHAOS_SEED") or random.randrange(10**6))
ROUNDS: Final = int(os.environ.get("CHAOS_ROUNDS") or 1)
FAULTS_OF_A_ROUND: Final = 6

Harm = Callable[[Round, random.Random], Awaitable[object]]


async def _anybody(round_: Round, chance: random.Random) -> str:
    """The holder of some key, or any instance."""
    return await round_.holder(chance.choice(KEYS)) if chance.random() < 0.7 else chance.choice(INSTANCES)


async def _stop(round_: Round, chance: random.Random) -> None:
    await faults.stop(round_, await _anybody(round_, chance), chance.choice((0.1, 0.25, 0.45, 0.8, 2.0)))


async def _kill(round_: Round, chance: random.Random) -> None:
    await faults.kill(round_, await _anybody(round_, chance), chance.choice((0, 0.3, 3)))


async def _block(round_: Round, chance: random.Random) -> None:
    await faults.block(round_, await _anybody(round_, chance), chance.choice((0.15, 0.3, 0.6, 1.5)))


async def _cut(round_: Round, chance: random.Random) -> None:
    flows = chance.choice([(forth, back) for forth in Flow for back in Flow if (forth, back) != (Flow.PASS, Flow.PASS)])
    await faults.cut(round_, await _anybody(round_, chance), chance.choice((0.2, 0.6, 1.5, 4)), *flows)


async def _stop_at(round_: Round, chance: random.Random) -> None:
    point = chance.choice(("after_intent", "before_call", "in_claim"))
    await faults.stop_at(round_, await _anybody(round_, chance), point, chance.choice((0.3, 1.5)), within_s=2)


async def _hand_over(round_: Round, chance: random.Random) -> None:
    await faults.hand_over(round_, chance.choice(KEYS))


async def _hand_over_to_the_dead(round_: Round, chance: random.Random) -> None:
    key = chance.choice(KEYS)
    successor = await _another(round_, chance, key)
    await asyncio.gather(faults.kill(round_, successor, down_s=1), faults.hand_over(round_, key, successor))


async def _hang_in_recovery(round_: Round, chance: random.Random) -> None:
    key = chance.choice(KEYS)
    successor = await _another(round_, chance, key)
    await faults.hang_in_recovery(round_, successor, until=faults.kill(round_, await round_.holder(key), down_s=1))


async def _another(round_: Round, chance: random.Random, key: str) -> str:
    """An instance that does not hold the key."""
    holder = await round_.holder(key)
    return chance.choice([name for name in INSTANCES if name != holder])


async def _move_wall_clock(round_: Round, chance: random.Random) -> None:
    try:
        for name in (*INSTANCES, *(caller.name for caller in round_.callers)):
            faults.move_wall_clock(round_, name, chance.choice((0.0, HOUR_S, -HOUR_S)))
    except NotPermitted as error:
        warnings.warn(f"left out of this round: {error}", stacklevel=2)


async def _kill_nodes(round_: Round, chance: random.Random) -> None:
    count = chance.choice((1, 1, 2, 3))
    await faults.kill_nodes(round_, chance.sample(round_.cluster.nodes, count), chance.choice((0.2, 2, 8)))


async def _isolate(round_: Round, chance: random.Random) -> None:
    leader = await round_.cluster.leader(f"LEDGER_{chance.randrange(3)}") or round_.cluster.nodes[0]
    outbound, inbound = chance.choice([(Flow.HOLD, Flow.HOLD), (Flow.HOLD, Flow.PASS), (Flow.PASS, Flow.HOLD)])
    await faults.isolate(round_, leader, chance.choice((1, 6, 10)), outbound, inbound)


async def _pause_node(round_: Round, chance: random.Random) -> None:
    await faults.pause_node(round_, chance.choice(round_.cluster.nodes), chance.choice((0.3, 2, 6)))


HARMS: Final[tuple[Harm, ...]] = (
    _stop, _stop, _kill, _kill, _block, _cut, _cut, _stop_at, _hand_over, _hand_over_to_the_dead, _hang_in_recovery,
    _move_wall_clock, _move_wall_clock, _kill_nodes, _isolate, _pause_node,
)  # fmt: skip


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
async def test_random_faults(three_nodes: Cluster, seed: int) -> None:
    """Some faults one after the other, some at the same time."""
    print(f"CHAOS_SEED={seed}")
    chance = random.Random(seed)
    async with begun(three_nodes, callers=2, seed=seed) as round_:
        harms = [chance.choice(HARMS) for _ in range(FAULTS_OF_A_ROUND)]
        while harms:
            together = [harms.pop() for _ in range(min(len(harms), chance.choice((1, 1, 2))))]
            await asyncio.sleep(chance.uniform(0.2, 2))
            await asyncio.gather(*(harm(round_, chance) for harm in together))
        three_nodes.heal()
        await three_nodes.wait_healed()
        await round_.all_held()
        await asyncio.sleep(1)
        await round_.told()
