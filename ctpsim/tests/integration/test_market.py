"""What clients hear of the counter's markets, and what the counter says of it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from driver import PATIENCE_S, client

from ctpsim.market.universe import listed
from ctpsim.testing import front

DAY = "20251128"
COLUMNS = (
    "TradingDay,InstrumentID,ExchangeID,UpdateTime,UpdateMillisec,ActionDay,LastPrice,Volume,Turnover,OpenInterest"
)
ROWS = """\
20251128,rb2605,SHFE,09:30:00,0,20251128,3081,100,3081000,5000
20251128,SR605,CZCE,09:30:00,0,20251128,5450,10,54500,800
20251128,rb2605,SHFE,09:30:00,500,20251128,3082,110,3389200,5001
"""


async def test_every_tick_that_was_sent_arrives_and_is_counted() -> None:
    async with front(market="load", day=DAY, rate=2000) as counter, client(counter) as driver:
        await driver.listen("rb2605", "m2605", "SR605")
        await driver.counts(lambda counts: sum(counts.values()) > 500)
        await counter.control.fault("no_ticks")
        sent = await counter.control.sent()
        assert await driver.counts(lambda counts: counts == sent) == sent
        assert await counter.control.unsent() == {}


async def test_a_load_tick_says_when_it_was_sent() -> None:
    async with front(market="load", day=DAY, rate=500) as counter, client(counter) as driver:
        await driver.call("", "keep")
        began = time.monotonic_ns() // 1000
        await driver.listen("rb2605", "SR605")
        for symbol, multiplier in (("rb2605", 1), ("SR605", 10)):
            ticks = await driver.ticks(symbol, lambda ticks: len(ticks) > 20)
            times = [tick["Turnover"] * multiplier for tick in ticks[1:]]
            assert times == sorted(times)
            assert began < times[0] <= times[-1] < time.monotonic_ns() // 1000
            assert [tick["Volume"] for tick in ticks[1:]] == [1001 + number for number in range(len(ticks) - 1)]


async def test_a_client_that_does_not_read_is_counted_and_no_other_suffers() -> None:
    async with front(market="load", day=DAY, rate=20_000) as counter, client(counter) as driver:
        await driver.listen("cu2602")
        async with client(counter) as sleeper:
            await sleeper.listen("cu2602")
            await sleeper.counts(lambda counts: counts.get("cu2602", 0) > 100)
            os.kill(sleeper.pid, signal.SIGSTOP)
            async with asyncio.timeout(PATIENCE_S):
                while (await counter.control.unsent()).get("cu2602", 0) == 0:
                    await asyncio.sleep(0.05)
            before = (await driver.call("", "counts"))["cu2602"]
            await driver.counts(lambda counts: counts["cu2602"] > before + 1000)


async def test_the_simulated_market_is_heard_and_goes_on_after_unsubscribing() -> None:
    async with front(market="simulated", day=DAY, rate=200) as counter, client(counter) as driver:
        await driver.listen("rb2605", "IF2512")
        await driver.counts(lambda counts: min(counts.get("rb2605", 0), counts.get("IF2512", 0)) > 5)
        await driver.call("md", "unSubscribeMarketData", "rb2605")
        await driver.wait("md", "onRspUnSubMarketData")
        before = await driver.call("", "counts")
        after = await driver.counts(lambda counts: counts["IF2512"] > before["IF2512"] + 20)
        assert after["rb2605"] <= before["rb2605"] + 1


async def test_a_recording_is_replayed_row_by_row(tmp_path: Path) -> None:
    recording = tmp_path / "ticks.csv"
    recording.write_text(f"{COLUMNS}\n{ROWS}")
    async with front(market="replay", path=recording, speed=0) as counter, client(counter) as driver:
        await driver.call("", "keep")
        await driver.begin_trading()
        found = await driver.query("reqQryInstrument", "onRspQryInstrument")
        assert {one.data["InstrumentID"] for one in found} == {"rb2605", "SR605"}
        await driver.listen("rb2605")
        ticks = await driver.ticks("rb2605", lambda ticks: len(ticks) == 2)
        assert [(tick["LastPrice"], tick["UpdateMillisec"]) for tick in ticks] == [(3081, 0), (3082, 500)]


async def test_all_25000_contracts_are_listed_with_their_names_intact() -> None:
    options = {"market": "load", "day": DAY, "universe": "all", "rate": 10}
    async with front(**options) as counter, client(counter) as driver:
        await driver.begin_trading()
        found = await driver.query("reqQryInstrument", "onRspQryInstrument")
        expected = listed(DAY, "all")
        assert 24_500 < len(expected) < 26_500
        names = {one.data["InstrumentID"]: one.data["InstrumentName"] for one in found}
        assert names == {symbol: listing.instrument.name for symbol, listing in expected.items()}
