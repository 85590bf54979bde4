"""The holder of a third of many keys is killed: how long until the last of them answers again."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from aegis.cli.bench.crew import INSTANCES, Crew
from aegis.cli.bench.figures import Case
from aegis.cli.bench.instance_faults import COUNTS, ROUNDS_A_CREW, Repair
from aegis.cli.bench.paced_calls import Calls, call_each
from aegis.cli.bench.tally import Add
from aegis.cli.bench.tried import LEAD_S, Say, Tried
from aegis_sdk.errors import RpcError
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.single_active.operations import Handover, handover_of

__all__ = ["many_keys"]

_HANDOVERS: Final = 16
_RECORDS: Final = 10
_GIVEN_BACK_S: Final = 60.0


async def many_keys(server: EmbeddedServer, rounds: int, many: int, say: Say) -> Case:
    tried = Tried()
    for first in range(0, rounds, ROUNDS_A_CREW):
        async with Crew.of(server, f"many-{first}", keys=many) as crew:
            repair: Repair = partial(_fill, crew, tried)
            for number in range(first, min(rounds, first + ROUNDS_A_CREW)):
                await repair()
                repair = await _kill_holder(crew, crew.keys[number % many], tried)
                say(f"many_keys {number + 1}/{rounds}: {tried.seconds[-1] * 1000:.0f} ms")
            await tried.check(crew)
    note = f"from SIGKILL to the answer of the last of its keys, a third of {many:,} with {_RECORDS} entries each"
    return Case("many_keys", tried.figures(*COUNTS), note=note)


async def _fill(crew: Crew, tried: Tried) -> None:
    """Give each instance as many keys as the others, and each key its entries."""
    await crew.settled()
    tried.note(await _call(crew, crew.keys, Add(amount=1, changes=_RECORDS)))
    held = await _held(crew)
    fair = -(-len(crew.keys) // len(held))
    spare = [key for keys in held.values() for key in keys[fair:]]
    moves = [(spare.pop(), instance) for instance, keys in held.items() for _ in range(fair - len(keys)) if spare]
    await _hand_over_all(crew, moves)


async def _held(crew: Crew) -> dict[str, list[str]]:
    """The keys of each instance."""
    held: dict[str, list[str]] = {instance: [] for instance in INSTANCES}
    for key in crew.keys:
        held[(await crew.holder(key)).instance].append(key)
    return held


async def _call(crew: Crew, keys: Sequence[str], request: Add) -> Calls:
    return await call_each(crew.clients[0], crew.service.add, keys, request)


async def _kill_holder(crew: Crew, key: str, tried: Tried) -> Repair:
    victim = (await crew.holder(key)).instance
    keys = (await _held(crew))[victim]
    killed_at = time.perf_counter()
    crew.send_signal(victim, signal.SIGKILL)
    calls = await _call(crew, keys, Add(amount=1))
    tried.take(max(call.at for call in calls.answered) - killed_at, calls)
    return partial(_give_back, crew, keys, victim)


async def _give_back(crew: Crew, keys: list[str], instance: str) -> None:
    """Start an instance again, and hand keys over to it, so that it holds as many as before."""
    await crew.restart(instance)
    await _hand_over_all(crew, [(key, instance) for key in keys])


async def _hand_over_all(crew: Crew, moves: list[tuple[str, str]]) -> None:
    """Hand each key over to the instance named with it."""
    handovers = asyncio.Semaphore(_HANDOVERS)

    async def hand_over(key: str, instance: str) -> None:
        async with handovers:
            while (holder := (await crew.holder(key)).instance) != instance:
                try:
                    request = Handover(key=key, to=instance)
                    await crew.clients[0].call(handover_of(crew.service.name), request, instance=holder)
                    return
                except RpcError:  # as long as the instance takes no keys
                    await asyncio.sleep(LEAD_S)

    async with asyncio.timeout(_GIVEN_BACK_S), asyncio.TaskGroup() as group:
        for key, instance in moves:
            group.create_task(hand_over(key, instance))
