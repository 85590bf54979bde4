"""Orders from vnpy_ctp's wrappers through the counter's venue and back."""

from __future__ import annotations

from typing import Any

from driver import Driver, client

from ctpsim.testing import RunningFront, front

DAY = "20251128"
QUICK = {"query_interval_ms": 20}
REBAR = "rb2605"  # its book in the load market: bids from 3079 down, offers from 3081 up, 10, 20, ... lots


def order(front: RunningFront, ref: str, price: float, volume: int, **other: Any) -> dict[str, Any]:
    user = front.user
    return {
        "BrokerID": user.broker_id,
        "InvestorID": user.user_id,
        "UserID": user.user_id,
        "InstrumentID": REBAR,
        "ExchangeID": "SHFE",
        "OrderRef": ref,
        "OrderPriceType": "2",
        "Direction": "0",
        "CombOffsetFlag": "0",
        "CombHedgeFlag": "1",
        "LimitPrice": price,
        "VolumeTotalOriginal": volume,
        "TimeCondition": "3",
        "VolumeCondition": "1",
        "MinVolume": 1,
        "ContingentCondition": "1",
        "ForceCloseReason": "0",
        **other,
    }


def returns(driver: Driver) -> list[tuple[str, str, int]]:
    """The status, the exchange's number and the traded lots of all order returns."""
    return [
        (one.data["OrderStatus"], one.data["OrderSysID"], one.data["VolumeTraded"])
        for one in driver.all("td", "onRtnOrder")
    ]


async def refused(driver: Driver, values: dict[str, Any]) -> int:
    """The error of an order that the counter refuses."""
    seen = len(driver.heard)
    await driver.request("td", "reqOrderInsert", values)
    answer = await driver.wait("td", "onRspOrderInsert", after=seen)
    assert (await driver.wait("td", "onErrRtnOrderInsert", after=seen)).error == answer.error
    return answer.error


async def test_an_order_fills_in_part_then_more_and_is_cancelled() -> None:
    async with front(market="load", day=DAY, limits=QUICK) as counter, client(counter) as driver:
        login = await driver.begin_trading()
        await driver.request("td", "reqOrderInsert", order(counter, "1", 3081, 25))
        await driver.wait("td", "onRtnTrade")
        number = f"{1:>12}"
        assert returns(driver) == [("a", "", 0), ("3", number, 0), ("1", number, 10)]
        await counter.control.send("tick", symbol=REBAR, asks=[[3081, 4]])
        second = await driver.wait("td", "onRtnTrade", lambda one: one.data["Volume"] == 4)
        assert (second.data["Price"], second.data["OrderSysID"], second.data["TradeID"]) == (3081, number, f"{2:>12}")
        key = {"FrontID": login.data["FrontID"], "SessionID": login.data["SessionID"], "OrderRef": "1"}
        await driver.request("td", "reqOrderAction", cancellation(counter, **key))
        last = await driver.wait("td", "onRtnOrder", lambda one: one.data["OrderStatus"] == "5")
        assert (last.data["VolumeTraded"], last.data["VolumeTotal"], last.data["StatusMsg"]) == (14, 11, "已撤单")
        (position,) = await driver.query("reqQryInvestorPosition", "onRspQryInvestorPosition")
        assert (position.data["Position"], position.data["TodayPosition"]) == (14, 14)


def cancellation(front: RunningFront, **which: Any) -> dict[str, Any]:
    user = front.user
    return {
        "BrokerID": user.broker_id,
        "InvestorID": user.user_id,
        "UserID": user.user_id,
        "InstrumentID": REBAR,
        "ExchangeID": "SHFE",
        "ActionFlag": "0",
        **which,
    }


async def test_orders_are_refused_with_ctps_own_errors() -> None:
    async with front(market="load", day=DAY, limits=QUICK) as counter, client(counter) as driver:
        await driver.connect("td")
        await driver.authenticate(counter.user)
        await driver.log_in("td", counter.user)
        assert await refused(driver, order(counter, "1", 3080, 1)) == 42, "the settlement is not confirmed"
        await driver.request("td", "reqSettlementInfoConfirm", {"BrokerID": counter.user.broker_id})
        await driver.wait("td", "onRspSettlementInfoConfirm")
        assert await refused(driver, order(counter, "2", 3080, 1, InstrumentID="rb9999")) == 16
        assert await refused(driver, order(counter, "2", 3080, 1)) == 22, "its reference was used"
        assert await refused(driver, order(counter, "3", 3080, 0)) == 15
        assert await refused(driver, order(counter, "4", 0, 1, OrderPriceType="1")) == 80, "none on this exchange"
        assert await refused(driver, order(counter, "5", 3080, 1, CombOffsetFlag="3", Direction="1")) == 50
        assert await refused(driver, order(counter, "6", 3080, 1, CombOffsetFlag="1", Direction="1")) == 51
        gold = {"InstrumentID": "au2604", "LimitPrice": 930.0, "VolumeTotalOriginal": 400}
        assert await refused(driver, order(counter, "7", 930, 400, **gold)) == 31
        assert not driver.all("td", "onRtnOrder")
        await driver.request("td", "reqOrderAction", cancellation(counter, OrderSysID="1"))
        assert (await driver.wait("td", "onRspOrderAction")).error == 25, "its number was not padded"


async def test_an_exchange_refuses_with_an_order_that_ended() -> None:
    async with front(market="load", day=DAY, limits=QUICK) as counter, client(counter) as driver:
        await driver.begin_trading()
        for ref, price, reason in (("1", 3080.5, "最小单位"), ("2", 9999, "涨停板"), ("3", 1, "跌停板")):
            seen = len(driver.heard)
            await driver.request("td", "reqOrderInsert", order(counter, ref, price, 1))
            ended = await driver.wait("td", "onRtnOrder", lambda one: one.data["OrderStatus"] == "5", after=seen)
            assert ended.data["OrderSubmitStatus"] == "4"
            assert reason in ended.data["StatusMsg"]
            await driver.wait("td", "onErrRtnOrderInsert", after=seen)
        (account,) = await driver.query("reqQryTradingAccount", "onRspQryTradingAccount")
        assert account.data["Available"] == account.data["Balance"] == 10_000_000


async def test_a_second_session_begins_references_anew_and_hears_the_day_again() -> None:
    async with front(market="load", day=DAY, limits=QUICK) as counter:
        async with client(counter) as driver:
            await driver.begin_trading()
            await driver.request("td", "reqOrderInsert", order(counter, "7", 3081, 5, OrderMemo="of mine"))
            trade = await driver.wait("td", "onRtnTrade")
        async with client(counter) as driver:
            await driver.begin_trading(resume=0)
            again = await driver.wait("td", "onRtnTrade")
            assert again.data == trade.data
            assert {one.data["OrderMemo"] for one in driver.all("td", "onRtnOrder")} == {"of mine"}
            assert await driver.request("td", "reqOrderInsert", order(counter, "1", 3081, 1)) == 0
            await driver.wait("td", "onRtnTrade", lambda one: one.data["OrderRef"] == "1")
        async with client(counter) as driver:
            await driver.begin_trading(resume=2)
            await driver.query("reqQryTradingAccount", "onRspQryTradingAccount")
            assert not driver.all("td", "onRtnTrade"), "QUICK hears only what comes from now on"
        await counter.control.fault("forget_orders")
        async with client(counter) as driver:
            await driver.begin_trading(resume=0)
            await driver.query("reqQryTradingAccount", "onRspQryTradingAccount")
            assert not driver.all("td", "onRtnTrade")


async def test_a_resumed_session_hears_what_it_missed_and_nothing_twice(tmp_path: Any) -> None:
    flow = f"{tmp_path}/"
    async with front(market="load", day=DAY, limits=QUICK) as counter:
        async with client(counter) as driver:
            await driver.begin_trading(resume=1, flow=flow)
            await driver.request("td", "reqOrderInsert", order(counter, "1", 3070, 5))
            await driver.wait("td", "onRtnOrder", lambda one: one.data["OrderStatus"] == "3")
        await counter.control.send("tick", symbol=REBAR, asks=[[3070, 5]])
        async with client(counter) as driver:
            await driver.begin_trading(resume=1, flow=flow)
            await driver.wait("td", "onRtnTrade")
            assert [status for status, *_ in returns(driver)] == ["0"]


async def test_fak_and_fok_and_closing() -> None:
    async with front(market="load", day=DAY, limits=QUICK) as counter, client(counter) as driver:
        await driver.begin_trading()
        await driver.request("td", "reqOrderInsert", order(counter, "1", 3081, 25, TimeCondition="1"))
        ended = await driver.wait("td", "onRtnOrder", lambda one: one.data["OrderStatus"] == "5")
        assert ended.data["VolumeTraded"] == 10
        fok = {"TimeCondition": "1", "VolumeCondition": "3"}
        await driver.request("td", "reqOrderInsert", order(counter, "2", 3081, 25, **fok))
        ended = await driver.wait(
            "td", "onRtnOrder", lambda one: (one.data["OrderRef"], one.data["OrderStatus"]) == ("2", "5")
        )
        assert ended.data["VolumeTraded"] == 0
        close = {"Direction": "1", "CombOffsetFlag": "3"}
        await driver.request("td", "reqOrderInsert", order(counter, "3", 3079, 10, **close))
        trade = await driver.wait("td", "onRtnTrade", lambda one: one.data["OrderRef"] == "3")
        assert (trade.data["OffsetFlag"], trade.data["Price"]) == ("3", 3079)
        (account,) = await driver.query("reqQryTradingAccount", "onRspQryTradingAccount")
        assert account.data["CloseProfit"] == (3079 - 3081) * 10 * 10
        assert account.data["CurrMargin"] == 0
