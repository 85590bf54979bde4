"""The holder of a key is killed, stopped, or relieved, while two callers together call the key every 10 ms.

A crew serves for five rounds, each with a key of its own: a key that is taken over more often within a minute is
claimed with a delay.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aegis.cli.bench.crew import Crew, Held
from aegis.cli.bench.figures import Case
from aegis.cli.bench.paced_calls import paced_calls
from aegis.cli.bench.tally import Add
from aegis.cli.bench.tried import LEAD_S, Say, Tried
from aegis_sdk import codec, subjects
from aegis_sdk.errors import DeadlineExceeded, Unavailable
from aegis_sdk.messages import ERROR_CODE, TIMEOUT_MS
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.single_active.operations import Handover, handover_of

__all__ = ["COUNTS", "ROUNDS_A_CREW", "Repair", "handover", "sigkill", "sigstop"]

COUNTS: Final = ("stale", "lost", "failed")
ROUNDS_A_CREW: Final = 5
_REVIVED_S: Final = 1.0
_ASKED: Final = 5

Repair = Callable[[], Awaitable[None]]
"""What is to be done before the next round."""
Round = Callable[[Crew, str, Tried], Awaitable[Repair]]


async def sigkill(server: EmbeddedServer, rounds: int, say: Say) -> Case:
    tried = await _played(server, "sigkill", _kill, rounds, say)
    return Case("sigkill", tried.figures(*COUNTS), note="from SIGKILL to the first answer of the next holder")


async def sigstop(server: EmbeddedServer, rounds: int, say: Say) -> Case:
    tried = await _played(server, "sigstop", _stop, rounds, say)
    note = (
        "from SIGSTOP to the first answer of the next holder; afterwards SIGCONT, "
        f"when it refused {tried.counts['refused']} of {_ASKED * rounds} requests in its old epoch"
    )
    return Case("sigstop", tried.figures(*COUNTS), note=note)


async def handover(server: EmbeddedServer, rounds: int, say: Say) -> Case:
    tried = await _played(server, "handover", _hand_over, rounds, say)
    note = "the longest time between two answers while the key goes over, less the 10 ms between two calls"
    return Case("handover", tried.figures(*COUNTS), note=note)


async def _played(server: EmbeddedServer, name: str, play: Round, rounds: int, say: Say) -> Tried:
    tried = Tried()
    for first in range(0, rounds, ROUNDS_A_CREW):
        numbers = range(first, min(rounds, first + ROUNDS_A_CREW))
        async with Crew.of(server, f"{name}-{first}", keys=len(numbers)) as crew:
            repair: Repair = crew.settled
            for number, key in zip(numbers, crew.keys, strict=True):
                await repair()
                repair = await play(crew, key, tried)
                say(f"{name} {number + 1}/{rounds}: {tried.seconds[-1] * 1000:.0f} ms")
            await tried.check(crew)
    return tried


async def _kill(crew: Crew, key: str, tried: Tried) -> Repair:
    async with paced_calls(crew.clients, crew.service.add, [key]) as calls:
        holder = await _called_for_a_while(crew, key)
        killed_at = time.perf_counter()
        crew.send_signal(holder.instance, signal.SIGKILL)
        gap_s = await calls.answered_by_later(holder.epoch) - killed_at
    tried.take(gap_s, calls)
    return partial(crew.restart, holder.instance)


async def _stop(crew: Crew, key: str, tried: Tried) -> Repair:
    async with paced_calls(crew.clients, crew.service.add, [key]) as calls:
        holder = await _called_for_a_while(crew, key)
        stopped_at = time.perf_counter()
        crew.send_signal(holder.instance, signal.SIGSTOP)
        gap_s = await calls.answered_by_later(holder.epoch) - stopped_at
        asked = [asyncio.create_task(_ask_in_epoch(crew, key, holder.epoch)) for _ in range(_ASKED)]
        await asyncio.sleep(LEAD_S)
        crew.send_signal(holder.instance, signal.SIGCONT)
        for said in await asyncio.gather(*asked):
            tried.counts[said] += 1
    tried.take(gap_s, calls)
    return crew.settled


async def _ask_in_epoch(crew: Crew, key: str, epoch: int) -> str:
    """Ask the holder of an epoch that has ended, as no caller would; what came of it."""
    subject = subjects.active(crew.service.name, key, epoch, crew.service.total.name)
    body, headers = codec.encode_model(Add(amount=0)), {TIMEOUT_MS: str(int(_REVIVED_S * 1000))}
    try:
        reply = await crew.transport.request(subject, body, headers, LEAD_S + _REVIVED_S)
    except (DeadlineExceeded, Unavailable):
        return "silent"
    return "refused" if ERROR_CODE in reply.headers else "stale"


async def _hand_over(crew: Crew, key: str, tried: Tried) -> Repair:
    async with paced_calls(crew.clients, crew.service.add, [key]) as calls:
        holder = await _called_for_a_while(crew, key)
        asked_at = time.perf_counter()
        await crew.clients[0].call(handover_of(crew.service.name), Handover(key=key), instance=holder.instance)
        answered_at = await calls.answered_by_later(holder.epoch)
        await asyncio.sleep(LEAD_S)
    tried.take(calls.longest_gap_s(asked_at, answered_at), calls)
    return _nothing


async def _nothing() -> None:
    """The one who gave the key away can take another at once."""


async def _called_for_a_while(crew: Crew, key: str) -> Held:
    """Who holds the key, when both callers have found it."""
    await asyncio.sleep(LEAD_S)
    return await crew.holder(key)
