"""`aegis bench ctp`: from a simulated CTP counter to a subscriber in another process, all of it on this machine.

The counter sends at a steady rate, and stamps each tick with the time of its sending. The service is the real program
with its CTP session in a process of its own; ticks are stored in JetStream. Beside it, at the same rate, a baseline:
vnpy's own gateway with its EventEngine, a coroutine for each tick, and JSON; or all that is ours but the bridge, which
is a coroutine for each tick (`run_coroutine_threadsafe`).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import msgspec

from aegis.cli.bench.cases import Baseline, CtpCase
from aegis.cli.bench.ctp_parts import Service, Subscriber, profile, service, stock_setting, subscriber
from aegis.cli.bench.figures import Case, Figures, Report
from aegis.cli.bench.tried import Say
from aegis.cli.bench.workers import worker
from aegis.marketdata.adapters.ctp import start_of
from aegis.profiles import load
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport_nats import NatsTransport
from ctpsim.testing import RunningFront, front

__all__ = ["LONG", "SHORT", "Extent", "bench_baseline", "bench_ctp"]

_QUIET: Final = 0.01
"""Ticks a second before and after what is measured."""
_SETTLE_S: Final = 2.0
_INSTRUMENTS: Final = 500
_MEMORY_LOOKS: Final = 20
_BURST_SPEED: Final = 20.0


class Extent(NamedTuple):
    """Seconds of each case."""

    sustained_s: float
    paced_s: float
    overload_s: float
    stock_s: float


SHORT: Final = Extent(8.0, 6.0, 8.0, 5.0)
LONG: Final = Extent(60.0, 30.0, 30.0, 20.0)


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
) -> Report:
    """The cases that are asked for; burst20 only where there is a recording of a whole market.

    `lost`: ticks that the counter has sent, and that were neither received by the subscriber nor counted as conflated
    or rejected; `unaccounted`: instruments for which these do not add up exactly.
    """
    measured: list[Case] = []
    for case in cases:
        if case is CtpCase.SUSTAINED:
            measured.append(await _sustained(server, nodes, rate, extent, baseline, say))
        elif case is CtpCase.PACED:
            measured.append(await _paced(server, nodes, extent, say))
        elif case is CtpCase.OVERLOAD:
            measured.append(await _overload(server, nodes, rate, extent, say))
        elif replay is not None:
            measured.append(await _burst(server, nodes, replay, say))
    return Report("ctp", measured)


async def _sustained(
    server: EmbeddedServer, nodes: int, rate: float, extent: Extent, baseline: Baseline, say: Say
) -> Case:
    async with _path(server, nodes, CtpCase.SUSTAINED, market="load") as path:
        figures = await path.measured(rate, extent.sustained_s)
    say(f"sustained: {figures['rate_per_s']:,.0f} ticks/s")
    plain = await bench_baseline(server, baseline, rate, extent.stock_s)
    say(f"{baseline}: {plain['rate_per_s']:,.0f} ticks/s")
    note = f"{rate:,.0f} ticks/s for {extent.sustained_s:g} s, then drained; beside it {baseline}"
    return Case("sustained", figures, plain, note)


async def _paced(server: EmbeddedServer, nodes: int, extent: Extent, say: Say) -> Case:
    async with _path(server, nodes, CtpCase.PACED, market="load") as path:
        figures = await path.measured(5_000, extent.paced_s)
    say(f"5k: {figures['p50_us']:,.0f} us")
    return Case("5k", figures, note="from the callback of CTP's library to the subscriber's handler")


async def _overload(server: EmbeddedServer, nodes: int, rate: float, extent: Extent, say: Say) -> Case:
    async with _path(server, nodes, CtpCase.OVERLOAD, market="load") as path:
        figures = await path.measured(2 * rate, extent.overload_s)
    say(f"overload: {figures['rate_per_s']:,.0f} ticks/s, {figures['sent_max_us'] / 1e3:,.0f} ms old at most")
    return Case("overload", figures, note=f"{2 * rate:,.0f} ticks/s offered for {extent.overload_s:g} s")


async def _burst(server: EmbeddedServer, nodes: int, replay: Path, say: Say) -> Case:
    async with _path(server, nodes, CtpCase.BURST, market="replay", path=replay, speed=_BURST_SPEED) as path:
        figures = await path.replayed()
    say(f"burst20: {figures['lost']:.0f} lost, {figures['conflated']:.0f} conflated")
    return Case("burst20", figures, note=f"{replay.name} at {_BURST_SPEED:g} times its speed")


class _Path:
    """The counter, the service and the subscriber."""

    def __init__(self, counter: RunningFront, service: Service, subscriber: Subscriber) -> None:
        self._counter = counter
        self._service = service
        self._subscriber = subscriber

    async def measured(self, rate: float, seconds: float) -> Figures:
        """What becomes of ticks that are sent at a rate for some time."""
        await self._service.subscribed()
        await asyncio.sleep(_SETTLE_S)
        before = await self._before()
        await self._counter.control.send("rate", rate=rate)
        memory_mb, began_at = 0.0, time.monotonic()
        for _ in range(_MEMORY_LOOKS):
            await asyncio.sleep(seconds / _MEMORY_LOOKS)
            memory_mb = max(memory_mb, self._service.memory_mb())
        took_s = time.monotonic() - began_at
        at_end = (await self._service.status()).stored - before.stored
        await self._counter.control.send("rate", rate=_QUIET)
        figures = await self._after(before, took_s)
        return {**figures, "rate_per_s": at_end / took_s, "memory_max_mb": memory_mb}

    async def replayed(self) -> Figures:
        """What becomes of a recording, from its first tick to its last."""
        before = await self._before()
        began_at = time.monotonic()
        await self._service.subscribed()
        sent = -1
        while (now := sum((await self._counter.control.sent()).values())) != sent:
            sent = now
            await asyncio.sleep(_SETTLE_S)
        return await self._after(before, time.monotonic() - began_at)

    async def _before(self) -> _Before:
        await self._subscriber.begin()
        control = self._counter.control
        return _Before(
            Counter(await control.sent()),
            await self._service.conflated(),
            (await self._service.status()).stored,
            self._service.cpu_s(),
        )

    async def _after(self, before: _Before, took_s: float) -> Figures:
        report: dict[str, Any] = await self._subscriber.report()
        status = await self._service.status()
        sent = Counter(await self._counter.control.sent())
        sent.subtract(before.sent)
        conflated = await self._service.conflated()
        conflated.subtract(before.conflated)
        missing = Counter(sent)
        missing.subtract(report["counts"])
        missing.subtract(conflated)
        ticks = sum(report["counts"].values())
        return {
            "rate_per_s": ticks / took_s,
            "sent": float(sum(sent.values())),
            "unsent": float(sum((await self._counter.control.unsent()).values())),
            "lost": float(sum(missing.values()) - sum(status.rejected.values())),
            "conflated": float(sum(conflated.values())),
            "unaccounted": float(sum(count not in (0, 1) for count in missing.values())),
            **report["received"],
            **{f"sent_{name}": value for name, value in report["sent"].items()},
            "cpu_us_per_item": (self._service.cpu_s() - before.cpu_s) * 1e6 / max(ticks, 1),
            "subscriber_cpu_us_per_item": report["cpu_us"] / max(ticks, 1),
        }


class _Before(NamedTuple):
    sent: Counter[str]
    conflated: Counter[str]
    stored: int
    cpu_s: float


@asynccontextmanager
async def _path(server: EmbeddedServer, nodes: int, case: CtpCase, **market: Any) -> AsyncGenerator[_Path]:
    """A feed set for each case: within one, the quotes of a counter that begins its day anew would count as old."""
    given: Mapping[str, Any] = {"instruments": _INSTRUMENTS, "rate": _QUIET} if market["market"] == "load" else {}
    async with AsyncExitStack() as stack:
        counter = await stack.enter_async_context(front(**given, **market))
        login = stack.enter_context(profile(counter))
        reader = await stack.enter_async_context(subscriber(server))
        behind = await stack.enter_async_context(service(server, login, nodes, AEGIS_FEED=f"case-{case}"))
        await behind.subscribed()
        yield _Path(counter, behind, reader)


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
        async with front(market="load", instruments=_INSTRUMENTS, rate=_QUIET) as counter:
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
