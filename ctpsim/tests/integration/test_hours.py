"""The counter through its day, its week and its holidays, at high speed."""

from __future__ import annotations

from typing import Any

from driver import Driver, client

from ctpsim.testing import RunningFront, front

READ_FAILED = 0x1001
SPEED = 60.0
WATCHED = ("rb2605", "m2605", "SR605", "sc2602", "IF2512")


async def at(counter: RunningFront, moment: str) -> None:
    await counter.control.send("jump", to=moment)


async def begin(driver: Driver, side: str) -> int:
    """Log in on a side; the error."""
    user = driver.front.user
    if side == "td":
        await driver.authenticate(user)
    return (await driver.log_in(side, user)).error


def days(ticks: list[dict[str, Any]], from_time: str) -> set[tuple[str, str]]:
    return {(tick["TradingDay"], tick["ActionDay"]) for tick in ticks if tick["UpdateTime"] >= from_time}


def at_night(ticks: list[dict[str, Any]]) -> bool:
    return any(tick["UpdateTime"] > "21:00" for tick in ticks)


async def test_a_whole_day_from_the_evening_before_to_the_close() -> None:
    async with front(begin="2025-11-27T20:05", speed=SPEED) as counter, client(counter) as driver:
        await driver.call("", "keep")
        await driver.connect("td")
        assert await begin(driver, "td") == 7, "the counter is not initialised before the opening"
        await at(counter, "2025-11-27T20:31")
        assert await begin(driver, "td") == 0
        await driver.listen(*WATCHED)
        await at(counter, "2025-11-27T20:58")
        rebar = await driver.ticks("rb2605", at_night)
        assert "20:59" in {tick["UpdateTime"][:5] for tick in rebar}, "the auction's match"
        told = [one.data for one in driver.all("td", "onRtnInstrumentStatus")]
        statuses = [one["InstrumentStatus"] for one in told if one["InstrumentID"] == "rb"]
        assert statuses == ["6", "3", "5", "2"], "closed, the auction, its match, trading"
        assert days(rebar, "21:00") == {("20251128", "20251127")}
        assert days(await driver.ticks("m2605", at_night), "21:00") == {("20251128", "20251128")}, "DCE's ActionDay"
        sugar = await driver.ticks("SR605", at_night)
        assert days(sugar, "21:00") == {("20251127", "20251127")}, "CZCE's TradingDay"
        assert {tick["UpdateMillisec"] for tick in sugar} == {0}
        await at(counter, "2025-11-27T23:59")
        crude = await driver.ticks("sc2602", lambda ticks: any("00:00" <= tick["UpdateTime"] < "01" for tick in ticks))
        stamps = {(tick["UpdateTime"][:5], tick["TradingDay"], tick["ActionDay"]) for tick in crude}
        assert {("23:59", "20251128", "20251127"), ("00:00", "20251128", "20251128")} <= stamps
        await at(counter, "2025-11-28T03:00")
        assert (await driver.wait("md", "onFrontDisconnected")).data == READ_FAILED
        seen = len(driver.heard)
        await at(counter, "2025-11-28T08:05")
        await driver.wait("md", "onFrontConnected", after=seen)
        assert await begin(driver, "md") == 7
        await at(counter, "2025-11-28T09:29")
        assert await begin(driver, "md") == 0
        await driver.call("md", "subscribeMarketData", "IF2512")
        index = await driver.ticks("IF2512", lambda ticks: any("09:30" < tick["UpdateTime"] < "12" for tick in ticks))
        assert (index[-1]["TradingDay"], index[-1]["ActionDay"]) == ("20251128", "20251128")
        seen = len(driver.heard)
        await at(counter, "2025-11-28T15:45")
        await driver.wait("md", "onFrontDisconnected", after=seen)
        assert (await counter.control.status())["front"] == "closed"


async def test_friday_night_belongs_to_monday_and_the_weekend_is_closed() -> None:
    async with front(begin="2025-11-28T20:31", speed=SPEED) as counter, client(counter) as driver:
        await driver.connect("td")
        await driver.authenticate(counter.user)
        assert (await driver.log_in("td", counter.user)).data["TradingDay"] == "20251201"
        await at(counter, "2025-11-29T10:00")
        await driver.wait("td", "onFrontDisconnected")
        seen = len(driver.heard)
        await driver.wait("td", "onFrontDisconnected", after=seen)
        await at(counter, "2025-12-01T08:31")
        await driver.wait("td", "onFrontConnected", after=seen)
        await driver.authenticate(counter.user)
        assert (await driver.log_in("td", counter.user)).data["TradingDay"] == "20251201"


async def test_the_evening_before_a_holiday_has_no_session() -> None:
    holidays = frozenset({"20251219"})
    async with front(begin="2025-12-18T21:30", speed=SPEED, holidays=holidays) as counter:
        assert (await counter.control.status())["front"] == "closed"
        await at(counter, "2025-12-22T09:30")
        assert await counter.control.status() | {"now": ""} == {
            **await counter.control.status(),
            "now": "",
            "front": "open",
            "trading_day": "20251222",
        }


async def test_what_was_bought_today_is_yesterdays_on_the_next_trading_day() -> None:
    options = {"begin": "2025-11-28T09:31", "speed": SPEED, "limits": {"query_interval_ms": 20}}
    async with front(**options) as counter, client(counter) as driver:
        await driver.begin_trading()
        await driver.listen("rb2605")
        await driver.counts(lambda counts: counts.get("rb2605", 0) > 3)
        await driver.request("td", "reqOrderInsert", buy(counter, "rb2605"))
        await driver.wait("td", "onRtnTrade")
        (position,) = await driver.query("reqQryInvestorPosition", "onRspQryInvestorPosition")
        assert (position.data["PositionDate"], position.data["Position"]) == ("1", 1)
        seen = len(driver.heard)
        await at(counter, "2025-11-28T20:31")
        await driver.wait("td", "onFrontDisconnected", after=seen)
        await driver.wait("td", "onFrontConnected", after=seen)
        await driver.authenticate(counter.user)
        assert (await driver.log_in("td", counter.user)).data["TradingDay"] == "20251201"
        (position,) = await driver.query("reqQryInvestorPosition", "onRspQryInvestorPosition")
        assert (position.data["PositionDate"], position.data["YdPosition"]) == ("2", 1)


def buy(counter: RunningFront, symbol: str) -> dict[str, Any]:
    """At the limit: whoever sells, it is bought."""
    return {
        "BrokerID": counter.user.broker_id,
        "InvestorID": counter.user.user_id,
        "InstrumentID": symbol,
        "OrderRef": "1",
        "OrderPriceType": "2",
        "Direction": "0",
        "CombOffsetFlag": "0",
        "LimitPrice": 3200.0,
        "VolumeTotalOriginal": 1,
        "TimeCondition": "3",
        "VolumeCondition": "1",
    }
