"""Each guard of the product has a scenario in which the checker misses it, and finds nothing while it is there.

The guard is taken out in the processes of the instances, by the environment variable CHAOS_MUTATION.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

import pytest

from aegis_sdk import clock
from aegis_sdk.ledger.records import Result, Verdict
from aegis_sdk.single_active.trace import GateBroke, Wrote
from aegis_sdk.timers import AGGRESSIVE

from . import faults
from .accounts import Amount
from .cluster import Cluster
from .evidence import Evidence, Rule
from .history import History
from .links import LATE_S, Flow
from .rounds import Round, begun

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY: Final = "K1"
TOGETHER: Final = 3
"""So many rounds are played at the same time: each of them waits more than it works."""
PATIENCE_S: Final = 20.0
ATTEMPTS: Final = 3
"""A scenario brings a weakness about by its timing, which a busy machine may spoil: so often it is played."""
UNNOTICED_S: Final = (AGGRESSIVE.gate_s + AGGRESSIVE.silence_s) / 2 - 0.02
"""An instance must notice such a stop itself: nobody takes over for it."""
Scenario = Callable[[Round], Awaitable[None]]


async def deaf_and_stopped(round_: Round) -> None:
    """A holder stands still while another takes over, and its reader of the ledger tells it nothing of that."""
    epoch, holder = await round_.held(KEY)
    round_.instances[holder].order("deaf")
    await asyncio.sleep(0.2)
    await faults.stop(round_, holder, 1.2)
    await round_.until(lambda history: _taken(history, epoch))  # what contradicts itself may be held by nobody any more
    await asyncio.sleep(1)


def _taken(history: History, above: int) -> bool:
    return any(became.key == KEY and became.epoch > above for _, became in history.became())


async def stopped_briefly(round_: Round, times: int) -> None:
    """A holder stands still again and again; once it may be its heartbeat that comes first afterwards."""
    _, holder = await round_.held(KEY)
    pid, noticed = round_.instances[holder].pid, True
    while noticed and times:
        began, times = clock.now(), times - 1
        await faults.stop(round_, holder, UNNOTICED_S)
        ended = clock.now()
        await round_.until(lambda history, since=ended: _writes(history, pid, since))
        history = await round_.history()
        noticed = any(seen.pid == pid and broke.at > began for seen, broke in history.traces(GateBroke))


def _writes(history: History, pid: int, since: float) -> bool:
    return any(seen.pid == pid and wrote.sent_at > since for seen, wrote in history.traces(Wrote))


async def killed(round_: Round, entries: int) -> None:
    """A holder dies; the next one takes over from what it has read, and writes so many entries."""
    epoch, holder = await round_.held(KEY)
    await round_.until(lambda history: _entries(history, epoch - 1) > 20)
    await faults.kill(round_, holder)
    await round_.until(lambda history: _entries(history, epoch) >= entries)


def _entries(history: History, above: int) -> int:
    """How many were acknowledged in epochs above one."""
    return sum(wrote.key == KEY and wrote.epoch > above and wrote.n > 0 for _, wrote in history.traces(Wrote))


async def called_now_and_then(round_: Round) -> None:
    """Pauses between calls, longer than a proof holds."""
    for _ in range(6):
        await asyncio.sleep(0.1)
        for caller in round_.callers:
            caller.signal(signal.SIGSTOP)
        await asyncio.sleep(0.15)
        for caller in round_.callers:
            caller.signal(signal.SIGCONT)
    await asyncio.sleep(0.3)


async def written_twice_and_killed(round_: Round) -> None:
    """Acknowledgements come so late that entries are written again, and land twice; then their writer dies."""
    while not await _landed_twice(round_):
        holder = await round_.holder(KEY)
        await faults.cut(round_, holder, LATE_S + 2 * AGGRESSIVE.write_s, Flow.PASS, Flow.LATE)
        await asyncio.sleep(0.2)
    await killed(round_, entries=20)


async def _landed_twice(round_: Round) -> int:
    """The sum of what would be counted twice."""
    evidence = Evidence(history=History(), copies=await round_.cluster.copies(round_.service))
    records = (record for entry in evidence.book(KEY).void for record in entry.records)
    done = [record.data for record in records if isinstance(record, Result) and record.verdict is Verdict.OK]
    return sum(Amount.model_validate_json(bytes(data)).amount for data in done)


SCENARIOS: Final[dict[str, tuple[Scenario, Rule]]] = {
    "number_ignored_in_replay": (written_twice_and_killed, Rule.VALUE),
    "guard_removed": (deaf_and_stopped, Rule.FENCED),
    "guard_in_lower_case": (deaf_and_stopped, Rule.FENCED),
    "heartbeat_before_gate": (partial(stopped_briefly, times=30), Rule.STOPPED),
    "proof_age_ignored": (called_now_and_then, Rule.PROOF),
    "old_proof_not_awaited": (partial(killed, entries=5), Rule.HOLDERS),
    "message_id_without_epoch": (partial(killed, entries=1), Rule.DURABLE),
}


async def test_each_guard_that_is_taken_out_is_found_out(three_nodes: Cluster) -> None:
    turns = asyncio.Semaphore(TOGETHER)
    async with asyncio.TaskGroup() as group:
        played = {name: group.create_task(_broken(three_nodes, name, turns)) for name in SCENARIOS}
    missed = {name: task.result() for name, task in played.items() if SCENARIOS[name][1] not in task.result()}
    assert not missed, f"these broke only other rules: {missed}"


async def _broken(nodes: Cluster, mutation: str, turns: asyncio.Semaphore) -> set[Rule]:
    """The rules that are broken without a guard, in as many rounds as it takes to break the guard's own."""
    scenario, guarded = SCENARIOS[mutation]
    broken: set[Rule] = set()
    for _ in range(ATTEMPTS):
        if guarded not in broken:
            async with turns, begun(nodes, keys=[KEY], instances=("a", "b"), mutation=mutation) as round_:
                with suppress(TimeoutError):  # what stops a key that contradicts itself is a second guard
                    async with asyncio.timeout(PATIENCE_S):
                        await scenario(round_)
                broken |= {violation.rule for violation in await round_.found()}
    return broken


async def test_nothing_is_found_while_the_guards_are_there(three_nodes: Cluster) -> None:
    async with begun(three_nodes, keys=[KEY], instances=("a", "b")) as round_:
        await called_now_and_then(round_)
        await stopped_briefly(round_, times=4)
        await written_twice_and_killed(round_)
        _, holder = await round_.held(KEY)
        await deaf_and_stopped(round_)
        await faults.kill(round_, holder)
        evidence = await round_.hold()
        assert any(book.void for book in evidence.books.values()), "nothing landed twice"
