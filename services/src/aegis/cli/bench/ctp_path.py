"""What `aegis bench ctp` measures: a counter, the market data service behind it, and a subscriber of its ticks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple

from aegis.cli.bench.ctp_ages import Oldest
from aegis.cli.bench.ctp_parts import Service, Subscriber, profile, service, subscriber
from aegis.cli.bench.ctp_sums import sums
from aegis.cli.bench.figures import Figures
from aegis_sdk.server import EmbeddedServer
from ctpsim.testing import RunningFront, front

__all__ = ["QUIET", "CtpPath", "Found", "ctp_path"]

QUIET: Final = 0.01
"""Ticks a second before and after what is measured."""
_BEGUN_S: Final = 30.0
_LOOK_S: Final = 0.1
_SILENT_S: Final = 2.0
_LOOKS: Final = 20


class Found(NamedTuple):
    """Figures, and the instrument whose newest tick was once the oldest of all."""

    figures: Figures
    oldest: str


class CtpPath:
    """All ticks are counted from the counter's first to its last, also those before what is measured."""

    def __init__(self, counter: RunningFront, service: Service, subscriber: Subscriber) -> None:
        self.counter = counter
        self.service = service
        self._subscriber = subscriber

    async def measured(self, rate: float, seconds: float) -> Found:
        """What becomes of ticks that are sent at a rate for some time, and then no more."""
        control, service = self.counter.control, self.service
        before = await self._at_rest()
        stored, cpu_s = (await service.status()).stored, service.cpu_s()
        await self._subscriber.begin(before)
        await control.send("rate", rate=rate)
        memory_mb, began_at = 0.0, time.monotonic()
        for _ in range(_LOOKS):
            await asyncio.sleep(seconds / _LOOKS)
            memory_mb = max(memory_mb, service.memory_mb())
        took_s = time.monotonic() - began_at
        at_end = (await service.status()).stored - stored
        offered = sum((await control.sent()).values()) - sum(before.values())
        await self._subscriber.end()
        await control.send("rate", rate=QUIET)
        report: dict[str, Any] = await self._subscriber.report()
        oldest = Oldest(*report["oldest"])
        figures = {
            "instruments": float(len(before)),
            "offered_per_s": offered / took_s,
            "rate_per_s": at_end / took_s,
            **await self._sums(report),
            **report["received"],
            **{f"sent_{name}": value for name, value in report["sent"].items()},
            "newest_max_ms": oldest.age * 1e3,
            "cpu_us_per_item": (service.cpu_s() - cpu_s) * 1e6 / max(report["measured"], 1),
            "subscriber_cpu_us_per_item": report["cpu_us"] / max(report["measured"], 1),
            "memory_max_mb": memory_mb,
        }
        return Found(figures, oldest.symbol)

    async def replayed(self) -> Figures:
        """What becomes of a recording, from its first tick to its last, and how long that took."""
        sent, began_at = -1, time.monotonic()
        sent_at = began_at
        while time.monotonic() - sent_at < _SILENT_S:
            if (now := sum((await self.counter.control.sent()).values())) != sent:
                sent, sent_at = now, time.monotonic()
            await asyncio.sleep(_LOOK_S)
        report: dict[str, Any] = await self._subscriber.report()
        return {**await self._sums(report), **report["received"], "took_s": sent_at - began_at}

    async def _at_rest(self) -> Mapping[str, int]:
        """What was sent, once all contracts are subscribed and the subscriber has what follows on that."""
        control = self.counter.control
        async with asyncio.timeout(_BEGUN_S):
            while True:
                status, sent = await control.status(), await control.sent()
                if len(sent) == status["contracts"] and await self._subscriber.count() >= sum(sent.values()):
                    return sent
                await asyncio.sleep(_LOOK_S)

    async def _sums(self, report: Mapping[str, Any]) -> Figures:
        control, status = self.counter.control, await self.service.status()
        return {
            **sums(await control.sent(), report["counts"], await self.service.left_out()),
            "rejected": float(sum(status.rejected.values())),
            "unsent": float(sum((await control.unsent()).values())),
        }


@asynccontextmanager
async def ctp_path(server: EmbeddedServer, nodes: int, feed: str, **market: Any) -> AsyncGenerator[CtpPath]:
    """Each of a `feed` of its own: within one, the quotes of a counter that begins its day anew would count as old."""
    async with AsyncExitStack() as stack:
        counter = await stack.enter_async_context(front(**market))
        login = stack.enter_context(profile(counter))
        reader = await stack.enter_async_context(subscriber(server, feed))
        behind = await stack.enter_async_context(service(server, login, nodes, AEGIS_FEED=feed))
        await behind.subscribed()
        yield CtpPath(counter, behind, reader)
