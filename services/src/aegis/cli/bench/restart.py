"""`aegis bench restart`: a desk on a simulated CTP counter, all of it killed and started again, until all ticks again.

It is the program `aegis up` with a state directory of its own. A contract is covered when the instance that publishes
has a tick of it in its new session, and a listener has one of it too: what that session says which was published
before the kill is not published once more, so that may be the stored one. How many are fresh by then, received from the
counter after the command, is a figure; the first of these is waited for. `heard` is a share: of the contracts of which
the counter itself says that it had sent a tick by then, those of which the listener has one a second later.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from aegis.cli.bench.ctp_parts import children_of
from aegis.cli.bench.figures import Case, Report
from aegis.cli.bench.tried import Say
from aegis.contracts.market import InstrumentId, Tick
from aegis.contracts.marketdata import STATUS
from aegis.operations import processes
from aegis.operations.plan import MARKETDATA
from aegis.operations.state import Access, StateDirectory
from aegis.ticks import subscribe_ticks
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError, RpcError
from aegis_sdk.method import Empty
from aegis_sdk.transport_nats import NatsTransport
from ctpsim.control import Control

__all__ = ["LONG", "SHORT", "bench_restart"]

SHORT: Final = 2
LONG: Final = 20
_AEGIS: Final = str(Path(sys.executable).with_name("aegis"))
_INSTANCES: Final = (f"{MARKETDATA}-1", f"{MARKETDATA}-2")
_DEADLINE_S: Final = 60.0
_GONE_S: Final = 5.0
_POLL_S: Final = 0.05
_LATE_S: Final = 1.0


class Start(NamedTuple):
    """One start, in seconds since the command."""

    nats_s: float  # until NATS takes connections
    first_s: float  # until the first fresh tick
    covered_s: float
    up_s: float  # until `aegis up` says that everything is ready
    contracts: int
    fresh: int  # of which the listener had a fresh tick by then
    heard: float  # the share that the listener has heard of what the counter had sent by then


class _Listener:
    """A late joiner to all ticks: which contracts it has one of, and which a fresh one, received since `began_ns`."""

    def __init__(self, began_ns: int) -> None:
        self.heard: set[InstrumentId] = set()
        self.fresh: set[InstrumentId] = set()
        self._began_ns = began_ns
        self._grown = asyncio.Event()
        self.first_at = math.inf  # of a fresh one, by the clock of `time.monotonic`

    def take(self, tick: Tick) -> None:
        name = tick.instrument_id
        self.heard.add(name)
        if tick.ts_received_ns >= self._began_ns:
            self.fresh.add(name)
            self.first_at = min(self.first_at, time.monotonic())
        self._grown.set()

    async def share_of(self, ticking: set[str]) -> float:
        """Of how much of that it has a fresh tick, a second from now at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LATE_S):
                while ticking - self._fresh_symbols():
                    self._grown.clear()
                    await self._grown.wait()
        return len(ticking & self._fresh_symbols()) / len(ticking)

    def _fresh_symbols(self) -> set[str]:
        return {name.symbol for name in self.fresh}

    async def covers(self, contracts: int) -> None:
        """Return when it has a tick of so many, and a fresh one."""
        while len(self.heard) < contracts or not self.fresh:
            self._grown.clear()
            await self._grown.wait()


async def bench_restart(*, rounds: int, say: Say) -> Report:
    """Case everything: the worst and the median of the rounds. The first start, of an empty directory, is none."""
    with tempfile.TemporaryDirectory(prefix="aegis-bench-") as directory:
        state = StateDirectory(Path(directory) / "desk")
        starts: list[Start] = []
        try:
            for number in range(rounds + 1):
                starts.append(await _start(state))
                say(f"{number}/{rounds}: {', '.join(f'{name} {value:.2f}' for name, value in _named(starts[-1]))}")
                await asyncio.to_thread(_kill, state)
        finally:
            await asyncio.to_thread(_kill, state)
    return Report("restart", [_case(starts[1:])])


def _case(starts: list[Start]) -> Case:
    figures: dict[str, float] = {}
    for name in ("nats_s", "first_s", "covered_s", "up_s"):
        taken = sorted(getattr(one, name) for one in starts)
        figures |= {f"p50_{name}": taken[len(taken) // 2], f"max_{name}": taken[-1]}
    figures |= {name: min(getattr(one, name) for one in starts) for name in ("contracts", "fresh", "heard")}
    bars = {"max_covered_s": 5.0}
    return Case("everything", figures, note=f"{len(starts)} rounds", bars=bars, least={"heard": 0.9})


def _named(start: Start) -> list[tuple[str, float]]:
    return list(start._asdict().items())


async def _start(state: StateDirectory) -> Start:
    """Start the desk and return when it is up and covered. Raises AegisError where it does not come up."""
    began, began_ns = time.monotonic(), time.time_ns()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
    command = (_AEGIS, "up", "--detach", "--market", "ctpsim", "--directory", str(state.path))
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    listener = _Listener(began_ns)
    async with asyncio.timeout(_DEADLINE_S):
        async with _connected(state, began_ns / 1e9) as transport:
            nats_s = time.monotonic() - began
            async with subscribe_ticks(transport, on_tick=listener.take):
                contracts = await _covered(Client(transport))
                await listener.covers(contracts)
                covered_s, fresh = time.monotonic() - began, len(listener.fresh)
                heard = await listener.share_of(await _ticking(state))
        if await process.wait():
            raise AegisError(f"the desk did not come up; its logs are in {state.logs}")
        up_s = time.monotonic() - began
    return Start(nats_s, listener.first_at - began, covered_s, up_s, contracts, fresh, heard)


@asynccontextmanager
async def _connected(state: StateDirectory, since: float) -> AsyncGenerator[NatsTransport]:
    """To the NATS of the desk that was started at `since`, as soon as it is there."""
    while not (access := _access(state, since)):  # noqa: ASYNC110 (the run file tells nobody)
        await asyncio.sleep(_POLL_S)
    password = await asyncio.to_thread(Path(access.password_file).read_text)
    transport = await NatsTransport.connect(access.urls, user=access.user, password=password)
    try:
        yield transport
    finally:
        await transport.close()


def _access(state: StateDirectory, since: float) -> Access | None:
    run = state.read()
    return run.nats if run and run.started_at >= since else None


async def _ticking(state: StateDirectory) -> set[str]:
    """The symbols of which the counter has sent a tick, and not only their state behind each feed's subscription."""
    async with Control.at(state.path / "ctpsim") as counter:
        while True:
            found = {symbol for symbol, ticks in (await counter.sent()).items() if ticks > len(_INSTANCES)}
            if found:
                return found
            await asyncio.sleep(_POLL_S)


async def _covered(client: Client) -> int:
    """Return when all that is wanted ticks at the instance that publishes; how much that is."""
    asking = [asyncio.create_task(_covers(client, instance)) for instance in _INSTANCES]
    try:
        done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)


async def _covers(client: Client, instance: str) -> int:
    """The other one may not answer yet, and nobody is to wait for it."""
    while True:
        with suppress(RpcError):
            status = await client.call(STATUS, Empty(), instance=instance, timeout=1.0)
            if status.role == "active" and 0 < status.wanted == status.subscribed == status.ticking:
                return status.wanted
        await asyncio.sleep(_POLL_S)


def _kill(state: StateDirectory) -> None:
    """SIGKILL for all processes of the desk, the supervisor's first: nobody is to stop in order or start anything."""
    run = state.read()
    if run is None:
        return
    ours = [run.supervisor, *(one.process for one in run.processes if one.process)]
    alive = [one for one in ours if processes.is_alive(one)]
    whole = [*alive, *filter(None, (processes.identify(pid) for one in alive for pid in _children(one.pid)))]
    for one in whole:
        processes.send(one, signal.SIGKILL)
    for one in whole:
        if not processes.wait_gone(one, _GONE_S):
            raise AegisError(f"process {one.pid} outlived SIGKILL")


def _children(pid: int) -> list[int]:
    try:
        return children_of(pid)
    except AegisError:
        return []
