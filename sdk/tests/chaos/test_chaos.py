"""Rounds with faults over a real cluster and real processes; each is judged by all rules of the checker.

CHAOS_KEEP=DIRECTORY keeps what was written down.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import pytest

from aegis_sdk import clock

from . import faults, wall_clocks
from .caller_rules import LATE_S, OUTAGE_S
from .checker import windows
from .cluster import Cluster
from .history import Outcome
from .links import Flow
from .permissions import permitted
from .rounds import INSTANCES, KEYS, Round, begun
from .wall_clocks import HOUR_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLOCK_S: Final = 5.0
"""What a wall clock shows is told that late at most, however busy the machine is."""


async def some_calls(seconds: float = 0.5) -> None:
    """Let the callers call."""
    await asyncio.sleep(seconds)


async def test_whatever_befalls_a_process_its_keys_are_served_by_one(three_nodes: Cluster) -> None:
    """It is stopped, shorter and longer than a takeover takes, hangs, is killed and restarted."""
    async with begun(three_nodes) as round_:
        for _ in range(3):
            await faults.stop(round_, await round_.holder("K1"), 0.28)
            await some_calls()
        for harm in partial(faults.stop, seconds=1.2), partial(faults.block, seconds=0.7), faults.kill, faults.kill:
            epoch, holder = await round_.held("K1")
            await harm(round_, holder)
            await round_.held("K1", above=epoch)
            await some_calls()
        await round_.told()


async def test_however_wall_clocks_jump_one_holder_is_effective(three_nodes: Cluster) -> None:
    """An hour either way: in health, while a holder is cut off, both ways and one way, and through a restart."""
    with permitted("a wall clock that jumps"):
        wall_clocks.require()
    async with begun(three_nodes) as round_:
        before = await round_.all_held()
        await jump(round_, "a", HOUR_S)
        await some_calls()
        assert await round_.all_held() == before
        for forth, back in ((Flow.HOLD, Flow.HOLD), (Flow.HOLD, Flow.PASS), (Flow.PASS, Flow.HOLD)):
            epoch, holder = await round_.held("K1")
            with faults.cut_off(round_, holder, forth, back):
                await jump(round_, holder, HOUR_S)
                await round_.held("K1", above=epoch)
                await jump(round_, holder, -HOUR_S)
                await some_calls()
            await some_calls()
        holder = await round_.holder("K1")
        ahead_s = round_.wall_clock(holder).ahead_s
        await faults.kill(round_, holder)
        assert await round_.wall_clock_ahead(holder) == pytest.approx(ahead_s, abs=CLOCK_S)
        await some_calls()
        await round_.told()


async def jump(round_: Round, name: str, ahead_s: float) -> None:
    """Set an instance's wall clock ahead, and those of all others and of callers back by as much; each says so."""
    moved = {other: ahead_s if other == name else -ahead_s for other in (*INSTANCES, "caller0")}
    for other, ahead in moved.items():
        faults.move_wall_clock(round_, other, ahead)
    for other in INSTANCES:
        assert await round_.wall_clock_ahead(other) == pytest.approx(moved[other], abs=CLOCK_S)


async def test_holders_that_stop_at_the_worst_moments_do_no_harm(three_nodes: Cluster) -> None:
    """After the acknowledgement of an intent, right before the call of the venue, and in the middle of a claim."""
    async with begun(three_nodes, callers=2) as round_:
        for point in ("after_intent", "before_call"):
            epoch, late = await round_.held("K1")
            assert await faults.stop_at(round_, late, point, 1.2)
            await round_.held("K1", above=epoch)
            await some_calls()
        epoch, holder = await round_.held("K1")
        others = [name for name in INSTANCES if name != holder]
        claims = [asyncio.create_task(faults.stop_at(round_, name, "in_claim", 1.2)) for name in others]
        await faults.kill(round_, holder)
        assert any(await asyncio.gather(*claims))
        await round_.held("K1", above=epoch)
        await some_calls()
        found = windows(await round_.told())
        assert any(f" of {late} in epoch " in each for each in found), "no command came late: the window was not shown"


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
        evidence = await round_.told()
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
        await round_.told()


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
        await round_.told()


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
        await round_.told()


async def test_a_stream_leader_killed_hard_costs_no_key_its_holder_and_no_caller_more_than_a_second(
    three_nodes: Cluster,
) -> None:
    async with begun(three_nodes, callers=2) as round_:
        before = await round_.all_held()
        leader = await three_nodes.leader("LEDGER_0")
        assert leader is not None
        await faults.kill_nodes(round_, [leader], down_s=6)
        assert await round_.all_held() == before
        healed_at = clock.now()
        await some_calls(1)
        evidence = await round_.told()
        for key in KEYS:
            after = [call for call in evidence.answers[key] if call.sent.at > healed_at]
            written = [call for call in after if call.sent.method not in evidence.reads]
            assert {call.ended.epoch for call in written} == {before[key][0]}, f"{key} does not go on"
        (outage,) = evidence.history.faults
        during = [call for call in evidence.calls if outage.began <= call.sent.at <= outage.ended]
        assert any(call.ended.outcome is not Outcome.OK for call in during), "the outage was none"
        assert max(call.ended.at - call.sent.at for call in during) < OUTAGE_S + LATE_S


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
        await round_.told()


async def test_a_leader_that_only_its_clients_reach_promises_nothing(three_nodes: Cluster) -> None:
    async with begun(three_nodes) as round_:
        for outbound, inbound in ((Flow.HOLD, Flow.HOLD), (Flow.HOLD, Flow.PASS), (Flow.PASS, Flow.HOLD)):
            await some_calls()
            leader = await three_nodes.leader("LEDGER_1")
            assert leader is not None
            await faults.isolate(round_, leader, 8, outbound, inbound)
            await round_.all_held()
        await round_.told()


async def test_nothing_is_lost_when_the_majority_is_killed(three_nodes: Cluster) -> None:
    async with begun(three_nodes) as round_:
        for down in (three_nodes.nodes[:2], three_nodes.nodes[1:]):
            await some_calls()
            await faults.kill_nodes(round_, down, down_s=5)
            await round_.all_held()
        await round_.told()


async def test_healthy_processes_keep_their_keys(three_nodes: Cluster) -> None:
    async with begun(three_nodes, callers=2) as round_:
        before = await round_.all_held()
        await some_calls(60)
        assert await round_.all_held() == before
        await round_.told()
