"""What users are told of their accounts, and what they are not told of others'."""

from __future__ import annotations

from typing import Any

import pytest
from driver import Driver, client

from ctpsim.testing import RunningFront, front

OPTIONS: dict[str, Any] = {"market": "load", "day": "20251128", "limits": {"query_interval_ms": 20}}


def user(number: int) -> dict[str, Any]:
    names = ("broker_id", "user_id", "password", "app_id", "auth_code")
    return {**dict(zip(names, ("9999", f"10000{number}", "p", "client", "code"), strict=True)), "balance": 1e6 * number}


def order(counter: RunningFront, number: int, symbol: str, price: float) -> dict[str, Any]:
    mine = counter.access.users[number]
    return {
        "BrokerID": mine.broker_id,
        "InvestorID": mine.user_id,
        "InstrumentID": symbol,
        "OrderRef": "1",
        "OrderPriceType": "2",
        "Direction": "0",
        "CombOffsetFlag": "0",
        "LimitPrice": price,
        "VolumeTotalOriginal": 2,
        "TimeCondition": "3",
        "VolumeCondition": "1",
    }


async def begin(driver: Driver, number: int) -> None:
    mine = driver.front.access.users[number]
    await driver.connect("td")
    await driver.authenticate(mine)
    assert (await driver.log_in("td", mine)).error == 0
    await driver.request("td", "reqSettlementInfoConfirm", {"BrokerID": mine.broker_id, "InvestorID": mine.user_id})
    await driver.wait("td", "onRspSettlementInfoConfirm")


async def test_users_neither_hear_nor_cancel_nor_impersonate_each_other() -> None:
    users = (user(1), user(2))
    async with front(users=users, **OPTIONS) as counter, client(counter) as first, client(counter) as second:
        await begin(first, 0)
        await begin(second, 1)
        await first.request("td", "reqOrderInsert", order(counter, 0, "rb2605", 3000.0))
        waiting = await first.wait("td", "onRtnOrder", lambda one: one.data["OrderStatus"] == "3")
        cancel = {"ActionFlag": "0", "ExchangeID": "SHFE", "OrderSysID": waiting.data["OrderSysID"]}
        await second.request("td", "reqOrderAction", cancel)
        assert (await second.wait("td", "onRspOrderAction")).error == 25
        await second.request("td", "reqOrderInsert", order(counter, 0, "rb2605", 3000.0))
        assert (await second.wait("td", "onRspOrderInsert")).error == 15
        assert await second.query("reqQryOrder", "onRspQryOrder")
        (account,) = await second.query("reqQryTradingAccount", "onRspQryTradingAccount")
        assert (account.data["AccountID"], account.data["Available"]) == ("100002", 2e6)
        assert not second.all("td", "onRtnOrder")


async def test_a_counter_may_charge_for_each_order_and_each_cancel() -> None:
    async with front(faults=("order_fee@trader=3",), **OPTIONS) as counter, client(counter) as driver:
        await begin(driver, 0)
        rate = "InstrumentOrderCommRate"
        (found,) = await driver.query(f"reqQry{rate}", f"onRspQry{rate}", InstrumentID="rb2605")
        assert (found.data["OrderCommByTrade"], found.data["OrderActionCommByTrade"]) == (0.03, 0.03)
        await driver.request("td", "reqOrderInsert", order(counter, 0, "rb2605", 3000.0))
        waiting = await driver.wait("td", "onRtnOrder", lambda one: one.data["OrderStatus"] == "3")
        cancel = {"ActionFlag": "0", "ExchangeID": "SHFE", "OrderSysID": waiting.data["OrderSysID"]}
        await driver.request("td", "reqOrderAction", cancel)
        await driver.wait("td", "onRtnOrder", lambda one: one.data["OrderStatus"] == "5")
        (account,) = await driver.query("reqQryTradingAccount", "onRspQryTradingAccount")
        assert account.data["Commission"] == pytest.approx(0.06)


async def test_a_user_asks_for_orders_trades_rates_and_the_settlement() -> None:
    async with front(**OPTIONS) as counter, client(counter) as driver:
        await begin(driver, 0)
        await driver.request("td", "reqOrderInsert", order(counter, 0, "rb2605", 3081.0))
        trade = await driver.wait("td", "onRtnTrade")
        (found,) = await driver.query("reqQryOrder", "onRspQryOrder")
        assert (found.data["OrderStatus"], found.data["VolumeTraded"]) == ("0", 2)
        (found,) = await driver.query("reqQryTrade", "onRspQryTrade")
        assert found.data == trade.data
        margin, commission = "InstrumentMarginRate", "InstrumentCommissionRate"
        (found,) = await driver.query(f"reqQry{margin}", f"onRspQry{margin}", InstrumentID="rb2605")
        assert found.data["LongMarginRatioByMoney"] == 0.1
        (found,) = await driver.query(f"reqQry{commission}", f"onRspQry{commission}", InstrumentID="rb2605")
        assert found.data["OpenRatioByMoney"] == 0.0001
        (account,) = await driver.query("reqQryTradingAccount", "onRspQryTradingAccount")
        assert account.data["CurrMargin"] == 3081 * 2 * 10 * 0.1
        assert abs(account.data["Commission"] - 3081 * 2 * 10 * 0.0001) < 1e-9
        lines = await driver.query("reqQrySettlementInfo", "onRspQrySettlementInfo")
        assert "模拟柜台 交易结算单" in "".join(line.data["Content"] for line in lines)
        (found,) = await driver.query("reqQrySettlementInfoConfirm", "onRspQrySettlementInfoConfirm")
        assert found.data["ConfirmDate"] == "20251128"


async def test_an_empty_answer_has_one_empty_record_and_says_it_is_the_last() -> None:
    async with front(**OPTIONS) as counter, client(counter) as driver:
        await begin(driver, 0)
        (found,) = await driver.query("reqQryInvestorPosition", "onRspQryInvestorPosition")
        assert (found.data, found.arguments[3]) == ({}, True)
