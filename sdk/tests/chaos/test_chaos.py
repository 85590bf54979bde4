"""Rounds with faults over a real cluster and real processes; each is judged by all rules of the checker.

With CHAOS_ROUNDS=N there are N rounds of random faults as well, seeded by CHAOS_SEED; CHAOS_KEEP=DIRECTORY keeps what
was written down.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import pytest

from . import faults
from .cluster import Cluster
from .evidence import Evidence
from .links import Flow
from .rounds import INSTANCES, KEYS, Round, begun, summary

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEED: Final = int(os.environ.get("CHAOS_SEED") or random.randrange(10**6))
ROUNDS: Final = int(os.environ.get("CHAOS_ROUNDS") or 0)
FAULTS_OF_A_ROUND: Final = 6


async def some_calls(seconds: float = 0.5) -> None:
    """Let the callers call."""
    await asyncio.sleep(seconds)


async def told(round_: Round) -> Evidence:
    """Judge the round, and say what happened in it, for whoever reads the output of a failure."""
    evidence = await round_.hold()
    print(summary(evidence))
    return evidence


async def test_whatever_befalls_a_process_its_keys_are_served_by_one(three_nodes: Cluster) -> None:
    """Its wall clock jumps, it is stopped, shorter and longer than a takeover takes, hangs, is killed and restarted."""
    async with begun(three_nodes) as round_:
        before = await round_.all_held()
        for name, by in zip(INSTANCES, (3600.0, -3600.0, 1e7), strict=True):
            await faults.move_wall_clock(round_, name, by)
        await some_calls(1)
        assert await round_.all_held() == before
        for _ in range(3):
            await faults.stop(round_, await round_.holder("K1"), 0.28)
            await some_calls()
        for harm in partial(faults.stop, seconds=1.2), partial(faults.block, seconds=0.7), faults.kill, faults.kill:
            epoch, holder = await round_.held("K1")
            await harm(round_, holder)
            await round_.held("K1", above=epoch)
            await some_calls()
        await told(round_)


async def test_holders_that_stop_at_the_worst_moments_do_no_harm(three_nodes: Cluster) -> None:
    """After the acknowledgement of an intent, right before the call of the venue, and in the middle of a claim."""
    async with begun(three_nodes, callers=2) as round_:
        for point in ("after_intent", "before_call"):
            epoch, holder = await round_.held("K1")
            assert await faults.stop_at(round_, holder, point, 1.2)
            await round_.held("K1", above=epoch)
            await some_calls()
        epoch, holder = await round_.held("K1")
        others = [name for name in INSTANCES if name != holder]
        claims = [asyncio.create_task(faults.stop_at(round_, name, "in_claim", 1.2)) for name in others]
        await faults.kill(round_, holder)
        assert any(await asyncio.gather(*claims))
        await round_.held("K1", above=epoch)
        await some_calls()
        await told(round_)


async def test_a_recovery_may_take_its_time_but_not_for_ever(three_nodes: Cluster) -> None:
    """For longer than the silence of a dead holder its keys stay; past its deadline it gives them back."""
    async with begun(three_nodes, keys=KEYS[:2], instances=INSTANCES[:2]) as round_:
        epoch, first = await round_.held("K1")
        second = next(name for name in round_.instances if name != first)
        round_.instances[second].order("recover_slowly", seconds=1.5)
        await faults.kill(round_, first, down_s=2.5)
        slow, holder = await round_.held("K1", above=epoch)
        assert holder == second
        await faults.hang_in_recovery(round_, first, until=faults.kill(round_, second, down_s=1))
        assert (await round_.held("K1", above=slow + 1))[1] == second
        await some_calls()
        evidence = await told(round_)
        assert sorted(evidence.book("K1").epochs)[1] == slow, "somebody else had it while it was recovered"


async def test_a_successor_that_is_dead_is_not_waited_for(three_nodes: Cluster) -> None:
    async with begun(three_nodes) as round_:
        epoch, holder = await round_.held("K1")
        first, second = (name for name in INSTANCES if name != holder)
        await asyncio.gather(
            faults.kill(round_, first, down_s=1), faults.kill(round_, second), faults.hand_over(round_, "K1")
        )
        await round_.held("K1", above=epoch)
        await some_calls()
        await told(round_)


async def test_a_holder_cut_from_nats_answers_nobody(three_nodes: Cluster) -> None:
    """Both ways and one way, with bytes that come late and bytes that never come."""
    async with begun(three_nodes) as round_:
        for forth, back in (
            (Flow.HOLD, Flow.HOLD),
            (Flow.HOLD, Flow.PASS),
            (Flow.PASS, Flow.HOLD),
            (Flow.PASS, Flow.LATE),
            (Flow.DROP, Flow.PASS),
        ):
            await some_calls()
            await faults.cut(round_, await round_.holder("K1"), 1.5, forth, back)
            await round_.all_held()
        await some_calls(1)
        await told(round_)


async def test_acknowledgements_that_come_late_make_nothing_uncertain_certain(three_nodes: Cluster) -> None:
    """A commit is acknowledged when its proof is too old, and then nothing is acknowledged any more for a while."""
    async with begun(three_nodes) as round_:
        for _ in range(2):
            await some_calls()
            holder = await round_.holder("K1")
            await faults.cut(round_, holder, 0.25, Flow.PASS, Flow.HOLD)
            await asyncio.sleep(0.005)
            await faults.cut(round_, holder, 1.3, Flow.PASS, Flow.HOLD)
        await some_calls()
        await told(round_)


async def test_servers_restarted_in_turn_cost_no_key_and_servers_killed_no_write(three_nodes: Cluster) -> None:
    async with begun(three_nodes) as round_:
        before = await round_.all_held()
        await faults.restart_in_turn(round_)
        await some_calls()
        assert await round_.all_held() == before
        leader = await three_nodes.leader("LEDGER_0")
        assert leader is not None
        await faults.kill_nodes(round_, [leader], down_s=6)
        await some_calls()
        await faults.kill_nodes(round_, three_nodes.nodes, down_s=0.5)
        await some_calls()
        await round_.all_held()
        await told(round_)


# Long rounds

long = pytest.mark.skipif(not ROUNDS, reason="a long round: make chaos")


@long
async def test_a_leader_that_only_its_clients_reach_promises_nothing(three_nodes: Cluster) -> None:
    async with begun(three_nodes) as round_:
        for outbound, inbound in ((Flow.HOLD, Flow.HOLD), (Flow.HOLD, Flow.PASS), (Flow.PASS, Flow.HOLD)):
            await some_calls()
            leader = await three_nodes.leader("LEDGER_1")
            assert leader is not None
            await faults.isolate(round_, leader, 8, outbound, inbound)
            await round_.all_held()
        await told(round_)


@long
async def test_nothing_is_lost_when_the_majority_is_killed(three_nodes: Cluster) -> None:
    async with begun(three_nodes) as round_:
        for down in (three_nodes.nodes[:2], three_nodes.nodes[1:]):
            await some_calls()
            await faults.kill_nodes(round_, down, down_s=5)
            await round_.all_held()
        await told(round_)


@long
async def test_healthy_processes_keep_their_keys(three_nodes: Cluster) -> None:
    async with begun(three_nodes, callers=2) as round_:
        before = await round_.all_held()
        await some_calls(60)
        assert await round_.all_held() == before
        await told(round_)


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
    _stop, _stop, _kill, _kill, _block, _cut, _cut, _stop_at, _hand_over, _kill_nodes, _isolate, _pause_node,
)  # fmt: skip


@long
@pytest.mark.parametrize("seed", range(SEED, SEED + max(ROUNDS, 1)))
async def test_random_faults(three_nodes: Cluster, seed: int) -> None:
    """Some faults one after the other, some at the same time."""
    print(f"CHAOS_SEED={seed}")
    chance = random.Random(seed)
    async with begun(three_nodes, callers=2, seed=seed) as round_:
        harms = [chance.choice(HARMS) for _ in range(FAULTS_OF_A_ROUND)]
        while harms:
            together = [harms.pop() for _ in range(min(len(harms), chance.choice((1, 1, 2))))]
            await some_calls(chance.uniform(0.2, 2))
            await asyncio.gather(*(harm(round_, chance) for harm in together))
        three_nodes.heal()
        await three_nodes.wait_healed()
        await round_.all_held()
        await some_calls(1)
        await told(round_)
