"""Each guard of the product has a scenario in which the checker misses it, and finds nothing while it is there.

The guard is taken out in the processes of the instances, by the environment variable CHAOS_MUTATION.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import pytest

from aegis_sdk.ledger.records import Result
from aegis_sdk.timers import AGGRESSIVE

from . import faults
from .cluster import Cluster
from .evidence import Evidence, Rule
from .history import History
from .links import LATE_S, Flow
from .rounds import Round, begun

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS: Final = ("K1", "K2", "K3", "K4")
PATIENCE_S: Final = 15.0
Scenario = Callable[[Round], Awaitable[None]]


async def deaf_and_stopped(round_: Round) -> None:
    """A holder stands still while another takes over, and its reader of the ledger tells it nothing of that."""
    epoch, holder = await round_.held("K1")
    round_.instances[holder].order("deaf")
    await asyncio.sleep(0.2)
    await faults.stop(round_, holder, 1.2)
    await round_.held("K1", above=epoch)
    await asyncio.sleep(1)
    await faults.kill(round_, holder)


async def killed(round_: Round) -> None:
    """A holder dies; the next one takes over from what it has read."""
    epoch, holder = await round_.held("K1")
    await asyncio.sleep(0.5)
    await faults.kill(round_, holder)
    await round_.held("K1", above=epoch)
    await asyncio.sleep(1)


async def called_now_and_then(round_: Round) -> None:
    """Pauses between calls, longer than a proof holds."""
    for _ in range(8):
        await asyncio.sleep(0.1)
        for caller in round_.callers:
            caller.signal(signal.SIGSTOP)
        await asyncio.sleep(0.15)
        for caller in round_.callers:
            caller.signal(signal.SIGCONT)
    await asyncio.sleep(0.3)


async def written_twice_and_killed(round_: Round) -> None:
    """Acknowledgements come so late that entries are written again, and land twice; then their writer dies."""
    while not await _results_landed_twice(round_):
        holder = await round_.holder("K1")
        await faults.cut(round_, holder, LATE_S + 2 * AGGRESSIVE.write_s, Flow.PASS, Flow.LATE)
        await asyncio.sleep(0.2)
    await killed(round_)


async def _results_landed_twice(round_: Round) -> bool:
    evidence = Evidence(history=History(), copies=await round_.cluster.copies(round_.service))
    void = (entry for book in evidence.books.values() for entry in book.void)
    return any(isinstance(record, Result) and record.data != b"null" for entry in void for record in entry.records)


SCENARIOS: Final[dict[str, tuple[Scenario, frozenset[Rule]]]] = {
    "guard_removed": (deaf_and_stopped, frozenset({Rule.FENCED})),
    "guard_in_lower_case": (deaf_and_stopped, frozenset({Rule.FENCED})),
    "gate_never_breaks": (deaf_and_stopped, frozenset({Rule.STOPPED})),
    "proof_age_ignored": (called_now_and_then, frozenset({Rule.PROOF})),
    "old_proof_not_awaited": (killed, frozenset({Rule.HOLDERS})),
    "number_ignored_in_replay": (written_twice_and_killed, frozenset({Rule.VALUE})),
    "message_id_without_epoch": (killed, frozenset({Rule.DURABLE})),
}


@pytest.mark.parametrize("mutation", SCENARIOS)
async def test_a_guard_taken_out_is_found_out(three_nodes: Cluster, mutation: str) -> None:
    scenario, expected = SCENARIOS[mutation]
    async with begun(three_nodes, keys=KEYS, mutation=mutation) as round_:
        with suppress(TimeoutError):  # what stops a key that contradicts itself is a second guard
            async with asyncio.timeout(PATIENCE_S):
                await scenario(round_)
        rules = {violation.rule for violation in await round_.found()}
        assert expected <= rules, f"{mutation} broke only {sorted(rules)}"


async def test_nothing_is_found_while_the_guards_are_there(three_nodes: Cluster) -> None:
    async with begun(three_nodes, keys=KEYS) as round_:
        for scenario in (called_now_and_then, written_twice_and_killed, deaf_and_stopped, killed):
            await scenario(round_)
        evidence = await round_.hold()
        assert any(book.void for book in evidence.books.values()), "nothing landed twice"
