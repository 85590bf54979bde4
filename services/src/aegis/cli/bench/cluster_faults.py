"""What befalls the cluster or the machine, and must move no key: all are called through it, one every 10 ms."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

from aegis.cli.bench.cluster import healed, leader_of
from aegis.cli.bench.crew import Crew
from aegis.cli.bench.figures import Case
from aegis.cli.bench.paced_calls import Calls, call_each, paced_calls
from aegis.cli.bench.tally import Add
from aegis.cli.bench.tried import LEAD_S, Say, Tried
from aegis_sdk.ledger.streams import stream_of
from aegis_sdk.server import EmbeddedServer

__all__ = ["busy", "leader_killed", "rolling_restart"]

_COUNTS: Final = ("switches", "failed", "unknown", "stale", "lost")
_KEYS: Final = 33  # of every shard some; odd, so that both callers call each
_BUSY_PROCESSES: Final = 8
_BUSY: Final = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
_SAY_S: Final = 30.0

Fault = Callable[[Crew, Calls, int], Awaitable[float]]
"""Harms in a round of a number, and undoes it; returns when it was over for the callers."""


async def leader_killed(server: EmbeddedServer, rounds: int, say: Say) -> Case:
    tried = await _played(server, "leader-killed", partial(_kill_leader, server), rounds, say)
    note = (
        "calls from SIGKILL of the node that leads a shard until every key answers again: how long until the caller "
        f"knows; {tried.counts['same_epoch']} of {_KEYS * rounds} keys went on in the same epoch"
    )
    figures = {**tried.figures(*_COUNTS), "outage_max_ms": max(tried.rounds_s) * 1e3}
    return Case("leader_killed", figures, note=note)


async def rolling_restart(server: EmbeddedServer, rounds: int, say: Say) -> Case:
    tried = await _played(server, "rolling-restart", partial(_restart_in_turn, server), rounds, say)
    note = f"calls while each of the nodes is stopped by SIGTERM and started again, {rounds} times"
    return Case("rolling_restart", tried.figures(*_COUNTS), note=note)


async def busy(server: EmbeddedServer, seconds: float, say: Say) -> Case:
    tried = await _played(server, "busy", partial(_keep_busy, seconds, say), 1, say)
    note = f"calls during {seconds:g} s with {_BUSY_PROCESSES} busy processes on this machine"
    return Case("busy", tried.figures(*_COUNTS), note=note)


async def _played(server: EmbeddedServer, name: str, harm: Fault, rounds: int, say: Say) -> Tried:
    tried = Tried()
    async with Crew.of(server, name, keys=_KEYS) as crew:
        await crew.settled()
        tried.note(await call_each(crew.clients[0], crew.service.add, crew.keys, Add(amount=1)))
        epochs = await crew.epochs()
        for number in range(rounds):
            async with paced_calls(crew.clients, crew.service.add, crew.keys) as calls:
                before = await crew.epochs()
                await asyncio.sleep(LEAD_S)
                began_at = time.perf_counter()
                ended_at = await harm(crew, calls, number)
                await calls.each_answered(crew.keys, time.perf_counter())
            during = calls.seconds(began_at, ended_at)
            tried.seconds += during
            tried.rounds_s.append(ended_at - began_at)
            tried.counts["same_epoch"] += sum(calls.latest_epoch(key) == before[key] for key in crew.keys)
            tried.note(calls)
            slowest_ms, failed = max(during) * 1e3, len(calls.failed)
            say(f"{name} {number + 1}/{rounds}: {ended_at - began_at:.1f} s, {slowest_ms:.0f} ms, {failed} failed")
        await tried.check(crew, epochs)
    return tried


async def _kill_leader(server: EmbeddedServer, crew: Crew, calls: Calls, number: int) -> float:
    node = await leader_of(server, crew.transport, stream_of(number % crew.shards))
    await node.kill()
    again_at = await calls.each_answered(crew.keys, time.perf_counter())
    await node.start()
    await healed(server, crew.transport)
    return again_at


async def _restart_in_turn(server: EmbeddedServer, crew: Crew, calls: Calls, number: int) -> float:
    for node in server.nodes:
        await node.stop()
        await node.start()
        await healed(server, crew.transport)
    return time.perf_counter()


async def _keep_busy(seconds: float, say: Say, crew: Crew, calls: Calls, number: int) -> float:
    async with _busy_processes():
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await asyncio.sleep(_SAY_S)
                    say(f"busy: {len(calls.answered)} calls answered, {len(calls.failed)} failed")
        return time.perf_counter()


@asynccontextmanager
async def _busy_processes() -> AsyncGenerator[None]:
    """They end with this program, also with one that is killed."""
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", _BUSY) for _ in range(_BUSY_PROCESSES)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            await process.wait()
