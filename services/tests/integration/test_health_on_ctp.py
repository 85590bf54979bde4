"""The health agent as a program, and a CTP counter that goes wrong in single contracts and as a whole.

By default among 60 contracts that tick ten times a second each, so that their pace is known soon. With
AEGIS_HEALTH_CONTRACTS=800 among that many, twice a second each, with one that ticks by chance every 0.8 s on average,
and with one whose silence only a fresh session heals; it prints what it measures.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from aegis.cli.bench.ctp_parts import profile
from aegis.contracts.health import REPORT, HealthChanged, HealthReport, RepairDone
from aegis.contracts.marketdata import INSTRUMENTS, InstrumentsRequest
from aegis.contracts.reasons import sentence_of
from aegis.operations.counter import is_built
from aegis_sdk import subjects
from aegis_sdk.client import Client
from aegis_sdk.errors import RpcError
from aegis_sdk.events import Event, Events
from aegis_sdk.messages import Message
from aegis_sdk.method import Empty
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.testing import nats_server
from aegis_sdk.transport import Transport
from aegis_sdk.transport_nats import NatsTransport
from ctpsim.testing import RunningFront, front

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

CONTRACTS = int(os.environ.get("AEGIS_HEALTH_CONTRACTS", "60"))
IS_WHOLE = CONTRACTS > 60
RATE = (2.0 if IS_WHOLE else 10.0) * CONTRACTS
SLOW_S = 0.8
SLOW_INTERVALS = 110
AEGIS = str(Path(sys.executable).with_name("aegis"))
WARM_S = 150.0
DEADLINE_S = 30.0
FOUND_S = 3.0


@dataclass
class Running:
    """A desk with an agent, and what both say."""

    counter: RunningFront
    transport: Transport
    client: Client
    environment: dict[str, str]
    changes: AsyncIterator[Event[HealthChanged]]
    repairs: AsyncIterator[Event[RepairDone]]
    slow: str = ""  # a symbol

    async def report(self) -> HealthReport:
        return (await self.client.call_active(REPORT, "main", Empty(), timeout=DEADLINE_S)).value

    async def until(self, level: str, named: list[str] | None = None) -> HealthChanged:
        """The next change to a level, with these instruments where it matters which."""
        async with asyncio.timeout(DEADLINE_S):
            async for change in self.changes:
                if change.body.level == level and named in (None, change.body.named):
                    return change.body
        raise AssertionError("the events have ended")

    async def repaired(self, kind: str) -> RepairDone:
        """The next repair of a kind."""
        async with asyncio.timeout(DEADLINE_S):
            async for repair in self.repairs:
                if repair.body.kind == kind:
                    return repair.body
        raise AssertionError("the events have ended")

    async def warm(self) -> HealthReport:
        """Return when the pace of all is known."""
        async with asyncio.timeout(WARM_S):
            while True:
                try:
                    report = await self.report()
                    if report.in_all.verdicts == {"healthy": CONTRACTS} and await self._all_learned():
                        return report
                except RpcError:  # it only starts
                    pass
                await asyncio.sleep(0.2)

    async def _all_learned(self) -> bool:
        """More than a hundred intervals of each: then one that leaves none out is missed after 2.5 s."""
        sent = await self.counter.control.sent()
        return len(sent) >= CONTRACTS and min(sent[symbol] for symbol in sent if symbol != self.slow) > 160

    @asynccontextmanager
    async def next_tick(self, name: str) -> AsyncGenerator[asyncio.Future[None]]:
        ticked: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_tick(_: Message) -> None:
            if not ticked.done():
                ticked.set_result(None)

        listening = await self.transport.subscribe(subjects.tick(*name.split(".")), on_tick)
        yield ticked
        await listening.unsubscribe()

    async def health(self, *options: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(AEGIS, "health", *options),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()


@asynccontextmanager
async def program(module: str, environment: dict[str, str]) -> AsyncGenerator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=environment, stderr=None if os.environ.get("AEGIS_SHOWN") else -3
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def a_desk(server: EmbeddedServer, counter: RunningFront) -> AsyncGenerator[Running]:
    user = server.credentials
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")},
        "AEGIS_NATS_URL": server.urls[0],
        "AEGIS_NATS_USER": user.user,
        "AEGIS_NATS_PASSWORD": user.password,
    }
    async with AsyncExitStack() as stack:
        login = str(stack.enter_context(profile(counter)))
        own = stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-test-health-"))
        feed = {**environment, "AEGIS_PROFILE": login, "TMPDIR": own}
        await stack.enter_async_context(program("aegis.marketdata", feed))
        await stack.enter_async_context(program("aegis.marketdata.health", environment))
        transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
        stack.push_async_callback(transport.close)
        events = Events(transport)
        await events.ensure()
        changes = await stack.enter_async_context(events.follow("event.health.main.changed", HealthChanged))
        repairs = await stack.enter_async_context(events.follow("event.health.main.repair", RepairDone))
        yield Running(counter, transport, Client(transport), environment, changes, repairs)


async def test_it_finds_what_falls_silent_and_heals_it() -> None:
    async with (
        nats_server() as server,
        front(market="load", instruments=CONTRACTS, rate=RATE) as counter,
        a_desk(server, counter) as desk,
        slowly(desk) as pacer,
    ):
        report = await desk.warm()
        assert (report.level, report.in_all.coverage) == ("healthy", 1.0)
        names = {one.partition(".")[2]: one for one in await listed(desk)}
        symbols = sorted(names.keys() - {desk.slow})

        await forgotten(desk, symbols[3], names)
        await muted(desk, symbols[7], names)
        if pacer is not None:
            await muted_in_its_session(desk, symbols[11], names)
            await slow_and_forgotten(desk, pacer, names)
        await looked_at(desk)
        if pacer is not None:
            await pacer.end()
        await silent(desk)


class Pacer:
    """In place of the market, ticks of one contract at intervals without memory."""

    def __init__(self, counter: RunningFront, symbol: str) -> None:
        self.symbol = symbol
        self._counter = counter
        self._sent = 0
        self._chance = random.Random(7)
        self._enough = asyncio.Event()
        self._pacing = asyncio.create_task(self._pace())

    async def _pace(self) -> None:
        await self._counter.control.send("mute", symbol=self.symbol)
        while True:
            self._sent += await self._counter.control.send("tick", symbol=self.symbol, volume=1_000_000 + self._sent)
            if self._sent > SLOW_INTERVALS:
                self._enough.set()
            await asyncio.sleep(self._chance.expovariate(1 / SLOW_S))

    async def known(self) -> None:
        """Return when its pace is known for good."""
        async with asyncio.timeout(WARM_S):
            await self._enough.wait()

    async def end(self) -> None:
        self._pacing.cancel()
        await asyncio.wait({self._pacing})


@asynccontextmanager
async def slowly(desk: Running) -> AsyncGenerator[Pacer | None]:
    """Make a contract slow as soon as there are ticks; none among the few that are known soon."""
    if not IS_WHOLE:
        yield None
        return
    async with asyncio.timeout(WARM_S):
        while not (sent := await desk.counter.control.sent()):  # noqa: ASYNC110 (it is asked)
            await asyncio.sleep(0.2)
    pacer = Pacer(desk.counter, min(sent))
    desk.slow = pacer.symbol
    try:
        yield pacer
    finally:
        await pacer.end()


async def listed(desk: Running) -> list[str]:
    names: list[str] = []
    after, more = "", True
    while more:
        page = await desk.client.call(INSTRUMENTS, InstrumentsRequest(after=after))
        names += (one.instrument for one in page.instruments)
        after = page.next
        more = bool(after)
    return names


async def forgotten(desk: Running, symbol: str, names: dict[str, str]) -> None:
    """The front loses a subscription: found, and healed by subscribing again."""
    began = time.monotonic()
    assert await desk.counter.control.send("forget", symbol=symbol) == 1
    change = await desk.until("degraded")
    found_s = time.monotonic() - began
    repair = await desk.repaired("resubscribe")
    await desk.until("healthy")
    healed_s = time.monotonic() - began
    print(f"forgotten: found after {found_s:.2f} s, healed after {healed_s:.2f} s")
    assert change.named == [names[symbol]]
    assert (repair.outcome, repair.named) == ("done", [names[symbol]])
    assert found_s < FOUND_S


async def muted(desk: Running, symbol: str, names: dict[str, str]) -> None:
    """The front sends nothing of one contract: subscribing again does not help until it does."""
    began = time.monotonic()
    await desk.counter.control.send("mute", symbol=symbol)
    change = await desk.until("degraded")
    found_s = time.monotonic() - began
    print(f"muted: found after {found_s:.2f} s")
    assert change.named == [names[symbol]]
    assert found_s < FOUND_S
    await desk.repaired("resubscribe")
    code, _ = await desk.health()
    assert code == 1
    await desk.counter.control.send("unmute", symbol=symbol)
    await desk.until("healthy")


async def muted_in_its_session(desk: Running, symbol: str, names: dict[str, str]) -> None:
    """Subscribing again does not help; a fresh session does."""
    began = time.monotonic()
    await desk.counter.control.send("mute", symbol=symbol, until_login=True)
    change = await desk.until("degraded")
    found_s = time.monotonic() - began
    async with desk.next_tick(names[symbol]) as tick:
        repair = await desk.repaired("renew")
        await desk.until("healthy")
        assert tick.done(), "it is not called healthy before it ticks"
    print(f"muted in its session: found after {found_s:.2f} s, healed after {time.monotonic() - began:.2f} s")
    assert change.named == repair.named == [names[symbol]]
    assert found_s < FOUND_S


async def slow_and_forgotten(desk: Running, pacer: Pacer, names: dict[str, str]) -> None:
    """The front loses the subscription to a slow contract: found within ten of its usual intervals, and healed."""
    await pacer.known()
    async with desk.next_tick(names[pacer.symbol]) as tick, asyncio.timeout(DEADLINE_S):
        await tick
    began = time.monotonic()
    assert await desk.counter.control.send("forget", symbol=pacer.symbol) == 1
    change = await desk.until("degraded")
    found_s = time.monotonic() - began
    [case] = (await desk.report()).cases
    repair = await desk.repaired("resubscribe")
    await desk.until("healthy")
    healed_s = time.monotonic() - began
    print(f"slow: usually {case.usual_s:.2f} s, found after {found_s:.2f} s, healed after {healed_s:.2f} s")
    assert change.named == repair.named == [case.instrument] == [names[pacer.symbol]]
    assert case.usual_s is not None
    assert 3 * SLOW_S > case.usual_s / 1.5 > SLOW_S
    assert found_s < 10 * case.usual_s


async def looked_at(desk: Running) -> None:
    """By the agent, and by a look that touches nothing."""
    code, out = await desk.health("--json")
    report = json.loads(out)
    assert (code, report["level"], report["in_all"]["covered"]) == (0, "healthy", CONTRACTS)
    assert report["agent_epoch"]
    code, out = await desk.health("--json", "--read-only", "--look", "2")
    report = json.loads(out)
    assert (code, report["level"], report["agent_epoch"], report["repairs_on"]) == (0, "healthy", None, False)
    code, out = await desk.health()
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80


async def silent(desk: Running) -> None:
    """All of the front: critical, and a fresh session."""
    began = time.monotonic()
    await desk.counter.control.fault("no_ticks")
    change = await desk.until("critical")
    print(f"silent: found after {time.monotonic() - began:.2f} s: {sentence_of(change.why)}")
    assert sentence_of(change.why).startswith("no ticks of ")
    repair = await desk.repaired("renew")
    assert (repair.instruments, repair.outcome) == (0, "done")
    await desk.counter.control.clear()
    await desk.until("healthy")
    print(f"silent: healed after {time.monotonic() - began:.2f} s")
