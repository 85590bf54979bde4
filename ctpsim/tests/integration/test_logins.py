"""Coming to the counter, with vnpy_ctp's own wrappers."""

from __future__ import annotations

from driver import client

from ctpsim.testing import front


async def test_an_unmodified_client_runs_on_the_drop_in_libraries() -> None:
    async with front(market="load") as counter, client(counter) as driver:
        names = ("libthostmduserapi_se.so", "libthosttraderapi_se.so")
        assert driver.libraries == [str(counter.libraries / name) for name in names]


async def test_it_authenticates_logs_in_and_reads_all_contracts() -> None:
    async with front(market="load", day="20251128") as counter, client(counter) as driver:
        login = await driver.begin_trading()
        assert login.data["TradingDay"] == "20251128"
        assert login.data["SystemName"] == "模拟柜台"
        found = await driver.query("reqQryInstrument", "onRspQryInstrument")
        names = {one.data["InstrumentID"]: one.data["InstrumentName"] for one in found}
        assert len(names) > 800
        assert names["rb2605"] == "螺纹钢2605"


async def test_it_subscribes_and_hears_ticks() -> None:
    async with front(market="load", rate=1000, day="20251128") as counter, client(counter) as driver:
        await driver.listen("rb2605", "SR605")
        counts = await driver.counts(lambda counts: counts.get("rb2605", 0) > 20)
        assert set(counts) == {"rb2605", "SR605"}
