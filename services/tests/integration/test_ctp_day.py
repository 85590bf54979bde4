"""The market data service through the days of a CTP counter, their nights and a holiday, at high speed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import pytest
from publishing import its_turn

from aegis.cli.bench.ctp_parts import profile
from aegis.contracts.market import Tick
from aegis.contracts.marketdata import FeedChanged
from aegis.contracts.reasons import sentence_of
from aegis.contracts.subscriptions import SUBSCRIBE, WishRequest
from aegis.exchanges.sessions import to_shanghai
from aegis.marketdata import bootstrap
from aegis.marketdata.adapters.ctp import Limits, Patience
from aegis.operations.counter import is_built
from aegis.ticks import subscribe_ticks
from aegis_sdk import Client, Events, subjects
from aegis_sdk.service import Service, ServiceHost
from aegis_sdk.testing import nats_server
from aegis_sdk.transport_nats import NatsTransport
from ctpsim.testing import RunningFront, front

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

SPEED: Final = 240.0
STALL_S: Final = 2.1  # longer than the first two seconds of a break, in which ticks may still be late
WATCHED: Final = ("SHFE.rb2605", "INE.sc2602", "DCE.m2605", "CZCE.SR605", "CFFEX.IF2603", "GFEX.si2605")
AT_NIGHT: Final = ("INE.sc2602", "SHFE.rb2605", "DCE.m2605", "CZCE.SR605")


class Desk:
    """What the service tells of its feed, and what a subscriber of its ticks hears."""

    def __init__(self, counter: RunningFront, client: Client) -> None:
        self._counter = counter
        self._client = client
        self._news = asyncio.Event()
        self.service: Service | None = None
        self.changes: list[FeedChanged] = []
        self.ticks: list[Tick] = []

    def heard(self, tick: Tick) -> None:
        self.ticks.append(tick)
        self._news.set()

    def changed(self, change: FeedChanged) -> None:
        self.changes.append(change)
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(15):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def at(self, moment: str) -> None:
        await self._counter.control.send("jump", to=moment)

    def figure(self, name: str, **labels: str) -> float:
        """What a scrape of the service shows."""
        assert self.service is not None
        shown = (one for each in self.service.metrics() for one in each.samples)
        [found] = (one.value for one in shown if one.name == f"aegis_marketdata_{name}" and one.labels == labels)
        return found

    def ready(self) -> int:
        return sum(change.state == "ready" for change in self.changes)

    def reasons(self, word: str) -> int:
        return sum(word in sentence_of(change.why) for change in self.changes)

    async def until_ticks_at(self, moment: str, *instruments: str) -> None:
        """Until a tick of each has come that is stamped at that Shanghai time, or later on that day."""
        day, clock = moment.replace("-", "").split("T")

        def came() -> set[str]:
            fresh = (stamp(tick) for tick in self.ticks if "snapshot" not in tick.flags)
            return {name for name, at in fresh if at[0] == day and at[1] >= clock}

        try:
            await self.until(lambda: came() >= set(instruments))
        except TimeoutError:
            latest = dict(map(stamp, self.ticks))
            raise AssertionError(
                f"no tick from {moment} on of {set(instruments) - came()}; the latest: {latest}"
            ) from None

    async def stays_in_silence(self) -> None:
        """No session is replaced, though nothing comes for longer than a stall takes."""
        before, ready = -1, self.ready()
        while before != (before := len(self.ticks)):  # noqa: ASYNC110 (what is on its way)
            await asyncio.sleep(0.2)
        await asyncio.sleep(STALL_S + 0.3)  # that nothing happens has no event
        assert len(self.ticks) == before, "this is no silence"
        assert self.ready() == ready
        assert self.changes[-1].state == "ready", self.changes[-1].reason

    async def wish(self) -> None:
        await self._client.call(SUBSCRIBE, WishRequest(consumer="day", instruments=list(WATCHED)), timeout=5)


def stamp(tick: Tick) -> tuple[str, tuple[str, str]]:
    day, second, _ = to_shanghai(tick.ts_exchange_ns)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return str(tick.instrument_id), (day, clock)


@asynccontextmanager
async def desk(monkeypatch: pytest.MonkeyPatch, begin: str) -> AsyncGenerator[Desk]:
    """The counter is at `begin`; the service only starts, and tells of its feed once it has started."""
    monkeypatch.setattr(bootstrap, "Limits", lambda stall_s: Limits(stall_s=STALL_S))
    monkeypatch.setattr(bootstrap, "Patience", partial(Patience, first_pause_s=0.05, longest_pause_s=0.1))
    async with nats_server() as server, front(begin=begin, speed=SPEED) as counter, asyncio.TaskGroup() as group:
        user = server.credentials
        transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
        made = Desk(counter, Client(transport))
        await Events(transport).ensure()
        following = group.create_task(follow(transport, made))
        with profile(counter) as login:
            service = bootstrap.build({"AEGIS_NATS_URL": "x", "AEGIS_PROFILE": str(login), "AEGIS_WANTED": "nothing"})
        made.service = service
        host = ServiceHost(await NatsTransport.connect(server.urls, user=user.user, password=user.password), service)
        async with subscribe_ticks(transport, on_tick=made.heard):
            stop = asyncio.Event()
            serving = group.create_task(serve(host, stop))
            try:
                while "error 7" not in sentence_of(service.feed_why):  # noqa: ASYNC110 (it tells nobody yet)
                    await asyncio.sleep(0.02)
                yield made
            finally:
                stop.set()
                await asyncio.wait({serving})
                following.cancel()
        await transport.close()


async def serve(host: ServiceHost, stop: asyncio.Event) -> None:
    await host.start()
    await its_turn(host.service)  # pyright: ignore[reportArgumentType]
    try:
        await host.wait(stop)
    finally:
        await host.stop()


async def follow(transport: NatsTransport, made: Desk) -> None:
    async with Events(transport).follow(subjects.event("market", "main", "changed"), FeedChanged) as events:
        async for event in events:
            made.changed(event.body)


def days(ticks: list[Tick], name: str, between: tuple[str, str]) -> set[tuple[str, str]]:
    """(trading_day, action_day) of the ticks of an instrument that are stamped between two times, DAYTHH:MM."""
    begin, end = ((day, clock) for day, clock in (moment.split("T") for moment in between))
    found = [(tick, *stamp(tick)) for tick in ticks if "snapshot" not in tick.flags]
    return {(tick.trading_day, tick.action_day) for tick, one, at in found if one == name and begin <= at < end}


async def test_whole_days_with_their_nights_a_weekend_and_a_holiday(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a session is about to end, each contract has 90 s to tick in: some rest for 30 s."""
    async with desk(monkeypatch, begin="2025-11-28T20:05") as day:
        await day.at("2025-11-28T20:31")
        await day.until(lambda: day.ready() == 1)
        assert day.reasons("error 7") >= 1
        await day.wish()
        await day.until(lambda: len({tick.symbol for tick in day.ticks}) == len(WATCHED))
        await day.stays_in_silence()  # before the opening

        await day.at("2025-11-28T20:58")
        await day.until_ticks_at("2025-11-28T21:00:30", *AT_NIGHT)
        await day.at("2025-11-28T22:58")
        await day.until_ticks_at("2025-11-28T22:58:30", *AT_NIGHT)
        await day.until_ticks_at("2025-11-28T23:00:30", "INE.sc2602")  # the night of the others is over
        await day.at("2025-11-28T23:59")
        await day.until_ticks_at("2025-11-29T00:00:10", "INE.sc2602")
        await day.at("2025-11-29T02:28")
        await day.until_ticks_at("2025-11-29T02:28:30", "INE.sc2602")
        await day.stays_in_silence()  # the night is over

        await day.at("2025-11-29T03:00")
        await day.until(lambda: day.reasons("error 4097") >= 1)
        assert day.ready() == 1, "one session from the evening to the end of the night"
        errors = day.reasons("error 7")
        await day.at("2025-12-01T08:05")
        await day.until(lambda: day.reasons("error 7") > errors)
        await day.at("2025-12-01T08:31")
        await day.until(lambda: day.ready() == 2)

        await day.at("2025-12-01T09:28")
        await day.until_ticks_at("2025-12-01T09:30:10", *WATCHED)
        await day.at("2025-12-01T10:13")
        await day.until_ticks_at("2025-12-01T10:13:30", *WATCHED)
        await day.until_ticks_at("2025-12-01T10:15:30", "CFFEX.IF2603")  # the others have a break
        await day.at("2025-12-01T10:29")
        await day.until_ticks_at("2025-12-01T10:30:10", *WATCHED)
        await day.at("2025-12-01T11:28")
        await day.until_ticks_at("2025-12-01T11:28:30", "CFFEX.IF2603")
        await day.stays_in_silence()  # lunch
        await day.at("2025-12-01T13:29")
        await day.until_ticks_at("2025-12-01T13:30:10", *WATCHED)
        await day.at("2025-12-01T14:58")
        await day.until_ticks_at("2025-12-01T14:58:30", *WATCHED)
        assert day.ready() == 2, "one session from the morning to the close"
        closed = day.reasons("error 4097")
        await day.at("2025-12-01T15:45")
        await day.until(lambda: day.reasons("error 4097") > closed)

        closed = day.reasons("error 4097")
        await day.at("2025-12-31T21:30")  # no night before New Year
        await day.until(lambda: day.reasons("error 4097") >= closed + 3)
        assert day.ready() == 2
        await day.at("2026-01-05T08:31")
        await day.until(lambda: day.ready() == 3)
        await day.at("2026-01-05T09:28")
        await day.until_ticks_at("2026-01-05T09:30:10", *WATCHED)
        assert day.figure("ctp_failed_sessions_total", kind="not_ready") == len(day.changes) - day.ready() - 1
        assert day.figure("session_reconnects_total") == 2

    for name in AT_NIGHT:
        assert days(day.ticks, name, ("20251128T21:00", "20251129T00:00")) == {("20251201", "20251128")}, name
    assert days(day.ticks, "INE.sc2602", ("20251129T00:00", "20251129T02:30")) == {("20251201", "20251129")}
    for name in AT_NIGHT[1:]:
        assert not days(day.ticks, name, ("20251128T23:00:02", "20251129T03:00")), name
    for name in WATCHED:
        in_the_break = days(day.ticks, name, ("20251201T10:15:02", "20251201T10:30"))
        assert bool(in_the_break) == (name == "CFFEX.IF2603"), name
        assert days(day.ticks, name, ("20251129T03:00", "20251201T16:00")) == {("20251201", "20251201")}, name
        assert days(day.ticks, name, ("20251201T16:00", "20260105T16:00")) == {("20260105", "20260105")}, name
    assert not day.reasons("no tick for")
    assert {change.state for change in day.changes} <= {"connecting", "ready", "closed"}
    holes = holes_in_order(day.ticks)
    assert holes == day.figure("conflated_ticks_total"), "a busy machine may conflate, and then says for how many"
    assert not day.figure("dropped_ticks_total", reason="lost")


def holes_in_order(ticks: list[Tick]) -> int:
    """How many sequences are missing. Per instrument nothing is repeated, and time never goes back."""
    last: dict[str, tuple[int, int]] = {}
    holes = 0
    for tick in ticks:
        sequence, ts_ns = last.get(tick.symbol, (0, 0))
        assert tick.sequence > sequence
        holes += tick.sequence - sequence - 1
        assert tick.ts_exchange_ns >= ts_ns
        assert to_shanghai(tick.ts_exchange_ns)[0] == tick.action_day
        last[tick.symbol] = tick.sequence, tick.ts_exchange_ns
    return holes
