"""`aegis bench ctp`: from a simulated CTP counter to a subscriber in another process, all of it on this machine.

The counter sends at a steady rate, and stamps each tick with the time of its sending. The service is the real program
with its CTP session in a process of its own; ticks are stored in JetStream. Beside it, at the same rate, a baseline:
vnpy's own gateway with its EventEngine, a coroutine for each tick, and JSON; or all that is ours but the bridge, which
is a coroutine for each tick (`run_coroutine_threadsafe`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import msgspec

from aegis.cli.bench.cases import Baseline, CtpCase
from aegis.cli.bench.ctp_cycles import IN_ORDER, cycles
from aegis.cli.bench.ctp_parts import profile, stock_setting
from aegis.cli.bench.ctp_path import QUIET, CtpPath, ctp_path
from aegis.cli.bench.ctp_sums import EXACT
from aegis.cli.bench.figures import Case, Figures, Report
from aegis.cli.bench.tried import Say
from aegis.cli.bench.workers import worker
from aegis.marketdata.adapters.ctp import start_of
from aegis.marketdata.adapters.replay import read_quotes
from aegis.marketdata.adapters.replay.pace import Pace
from aegis.profiles import load
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport_nats import NatsTransport
from ctpsim.testing import RunningFront, front

__all__ = ["LONG", "SHORT", "Extent", "bench_baseline", "bench_ctp"]

_INSTRUMENTS: Final = 500
_BURST_SPEED: Final = 20.0
_PACED: Final = 5_000.0
_CYCLES_PER_S: Final = 20_000.0

_COMPLETE: Final = {**EXACT, "conflated": 0.0}
_SUSTAINED_PER_S: Final = 30_000.0
_PACED_BARS: Final = {**_COMPLETE, "p50_us": 1_500.0, "p99_us": 8_000.0, "cpu_us_per_item": 30.0}
_OFFERED: Final = 0.95
"""Of what a case is to send: where the counter sends less, it is not the case."""
_PLAYED: Final = 0.99
"""Of a recording's rows: it begins with the first subscription, when some contracts have none yet."""
_PLAYED_WITHIN: Final = 1.1
_CYCLES_BARS: Final = {**IN_ORDER, "close_max_ms": 1_000.0}
_OVERLOAD_BARS: Final = {**EXACT, "newest_max_ms": 250.0, "memory_max_mb": 200.0}


class Extent(NamedTuple):
    """Seconds of each case, and sessions that are ended."""

    sustained_s: float
    paced_s: float
    overload_s: float
    stock_s: float
    cycles: int


SHORT: Final = Extent(8.0, 6.0, 8.0, 5.0, 5)
LONG: Final = Extent(60.0, 30.0, 30.0, 20.0, 100)


async def bench_ctp(
    server: EmbeddedServer,
    *,
    nodes: int,
    rate: float,
    extent: Extent,
    replay: Path | None,
    say: Say,
    cases: Sequence[CtpCase] = tuple(CtpCase),
    baseline: Baseline = Baseline.STOCK,
    instruments: int = _INSTRUMENTS,
) -> Report:
    """The cases that are asked for; burst20 only where there is a recording of a whole market.

    `newest_max_ms`: how old the newest tick of an instrument was at most, at any time, from the counter's sending on.
    """
    measured: list[Case] = []
    for case in cases:
        if case is CtpCase.SUSTAINED:
            measured.append(await _sustained(server, nodes, rate, instruments, extent, baseline, say))
        elif case is CtpCase.PACED:
            measured.append(await _paced(server, nodes, instruments, extent, say))
        elif case is CtpCase.OVERLOAD:
            measured.append(await _overload(server, nodes, rate, instruments, extent, say))
        elif case is CtpCase.CYCLES:
            measured.append(await _cycles(extent, say))
        elif replay is not None:
            measured.append(await _burst(server, nodes, replay, say))
    return Report("ctp", measured)


async def _sustained(
    server: EmbeddedServer, nodes: int, rate: float, instruments: int, extent: Extent, baseline: Baseline, say: Say
) -> Case:
    async with _load(server, nodes, CtpCase.SUSTAINED, instruments) as path:
        found = await path.measured(rate, extent.sustained_s)
    say(f"sustained: {found.figures['rate_per_s']:,.0f} ticks/s")
    plain = await bench_baseline(server, baseline, rate, extent.stock_s)
    say(f"{baseline}: {plain['rate_per_s']:,.0f} ticks/s")
    note = f"{rate:,.0f} ticks/s for {extent.sustained_s:g} s, then drained; beside it {baseline}"
    least = {"rate_per_s": min(_SUSTAINED_PER_S, _OFFERED * rate)}
    return Case("sustained", found.figures, plain, note, bars=_COMPLETE, least=least)


async def _paced(server: EmbeddedServer, nodes: int, instruments: int, extent: Extent, say: Say) -> Case:
    async with _load(server, nodes, CtpCase.PACED, instruments) as path:
        figures = (await path.measured(_PACED, extent.paced_s)).figures
    say(f"5k: {figures['p50_us']:,.0f} us")
    note = "from the callback of CTP's library to the subscriber's handler"
    return Case("5k", figures, note=note, bars=_PACED_BARS, least={"rate_per_s": _OFFERED * _PACED})


async def _overload(
    server: EmbeddedServer, nodes: int, rate: float, instruments: int, extent: Extent, say: Say
) -> Case:
    async with _load(server, nodes, CtpCase.OVERLOAD, instruments) as path:
        found = await path.measured(2 * rate, extent.overload_s)
    figures = found.figures
    offered, stored, newest_ms = (figures[name] for name in ("offered_per_s", "rate_per_s", "newest_max_ms"))
    say(f"overload: {offered:,.0f} ticks/s offered, {stored:,.0f} stored, the newest {newest_ms:,.0f} ms old at most")
    note = (
        f"{2 * rate:,.0f} ticks/s for {extent.overload_s:g} s; the oldest was of {found.oldest}. "
        "Where nothing is conflated there is no overload: it takes a higher --rate"
    )
    least = {"conflated": 1.0, "offered_per_s": _OFFERED * 2 * rate}
    return Case("overload", figures, note=note, bars=_OVERLOAD_BARS, least=least)


async def _burst(server: EmbeddedServer, nodes: int, replay: Path, say: Say) -> Case:
    rows, seconds = await asyncio.to_thread(_extent, replay)
    market = {"market": "replay", "path": replay, "speed": _BURST_SPEED}
    async with ctp_path(server, nodes, f"case-{CtpCase.BURST}", **market) as path:
        figures = await path.replayed()
    say(f"burst20: {figures['lost']:.0f} lost, {figures['conflated']:.0f} conflated of {figures['sent']:,.0f}")
    note = f"{replay.name}, {rows:,} rows, at {_BURST_SPEED:g} times its speed"
    bars = {**_COMPLETE, "took_s": _PLAYED_WITHIN * seconds}
    return Case("burst20", figures, note=note, bars=bars, least={"sent": _PLAYED * rows})


def _extent(replay: Path) -> tuple[int, float]:
    """The rows of a recording that are quotes, and how many seconds its burst takes."""
    rows, seconds, pace = 0, 0.0, Pace(_BURST_SPEED)
    for quote in read_quotes(replay, lambda *_: None):
        rows, seconds = rows + 1, max(seconds, pace.delay_s(quote.ts_received_ns, 0))
    return rows, seconds


async def _cycles(extent: Extent, say: Say) -> Case:
    async with front(market="load", instruments=_INSTRUMENTS, rate=_CYCLES_PER_S) as counter:
        figures, other = await cycles(counter, extent.cycles)
    say(f"cycles: {figures['killed']:.0f} of {extent.cycles} killed, {figures['close_max_ms']:,.0f} ms at most")
    ends = ", ".join(f"{count} by {end}" for end, count in other.items())
    note = f"feeds that are closed while ticks come{f'; not in order: {ends}' if ends else ''}"
    return Case("cycles", figures, note=note, bars=_CYCLES_BARS)


def _load(server: EmbeddedServer, nodes: int, case: CtpCase, instruments: int) -> AbstractAsyncContextManager[CtpPath]:
    return ctp_path(server, nodes, f"case-{case}", market="load", instruments=instruments, rate=QUIET)


async def bench_baseline(server: EmbeddedServer, baseline: Baseline, rate: float, seconds: float) -> Figures:
    """How many ticks a second a baseline brings to NATS."""
    received = 0

    def count(_: object) -> None:
        nonlocal received
        received += 1

    user = server.credentials
    transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
    try:
        await transport.subscribe("stock.*", count)
        async with front(market="load", instruments=_INSTRUMENTS, rate=QUIET) as counter:
            module, told, environment = _BASELINES[baseline](counter)
            with TemporaryDirectory(prefix="aegis-bench-") as directory:  # where it leaves its files
                of_it = {**environment, "TMPDIR": directory}
                async with worker(server, f"aegis.cli.bench.{module}", environment=of_it) as process:
                    await process.say(msgspec.json.encode(told).decode())
                    await process.hear()
                    await counter.control.send("rate", rate=rate)
                    before, began_at = received, time.monotonic()
                    await asyncio.sleep(seconds)
                    return {"rate_per_s": (received - before) / (time.monotonic() - began_at)}
    finally:
        await transport.close()


def _of_stock(counter: RunningFront) -> _Told:
    return "ctp_stock", stock_setting(counter), {**counter.environment(), "PYTHONUTF8": "1"}


def _of_threadsafe(counter: RunningFront) -> _Told:
    with profile(counter) as path:
        login = load(str(path), {})
    return "ctp_threadsafe", start_of(login, login.primary), {"LOCPATH": counter.access.locale}


_Told = tuple[str, Any, Mapping[str, str]]
"""The module of a baseline's process, what it is told, and what is added to its environment."""
_BASELINES: Final = {Baseline.STOCK: _of_stock, Baseline.THREADSAFE: _of_threadsafe}
