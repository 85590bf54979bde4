"""What can go wrong at a front, as a client sees it. Each fault of the list has a test here or in test_hours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio
from driver import PATIENCE_S, client
from test_orders import order

from ctpsim.control import ControlRefused
from ctpsim.records import MISSING
from ctpsim.testing import RunningFront, front

DAY = "20251128"
READ_FAILED = 0x1001
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared() -> AsyncIterator[RunningFront]:
    async with front(market="load", day=DAY, limits={"query_interval_ms": 20}) as counter:
        yield counter


@pytest_asyncio.fixture(loop_scope="module")
async def counter(shared: RunningFront) -> AsyncIterator[RunningFront]:
    """A counter where all is well, before and after each test."""
    yield shared
    await shared.control.clear()


async def test_a_front_that_accepts_and_closes_is_tried_again_every_second(counter: RunningFront) -> None:
    await counter.control.fault("accept_and_close")
    async with client(counter, retry_ms=1000) as driver:
        began = asyncio.get_running_loop().time()
        await driver.open("md", counter.address.market)
        first = await driver.wait("md", "onFrontDisconnected")
        await driver.wait("md", "onFrontDisconnected", after=driver.heard.index(first) + 1)
        assert first.data == READ_FAILED
        assert asyncio.get_running_loop().time() - began > 0.9
        await counter.control.clear()
        await driver.wait("md", "onFrontConnected")


async def test_a_front_that_does_not_greet_is_no_connection(counter: RunningFront) -> None:
    await counter.control.fault("refuse_hello")
    async with client(counter) as driver:
        await driver.open("td", counter.address.trader)
        while (await counter.control.status())["clients"]["trader"] == 0:
            await asyncio.sleep(0.01)
        assert await driver.request("td", "reqQryTradingAccount", {}) == -1
        assert not driver.all("td", "onFrontConnected")


async def test_a_front_that_is_down_says_nothing_and_its_backup_is_taken() -> None:
    async with front(market="load", day=DAY, fronts=2) as counter, client(counter) as driver:
        await counter.control.send("front_down", front=0)
        await driver.open("md", *(each.market for each in counter.access.fronts))
        await driver.wait("md", "onFrontConnected")
        assert not driver.all("md", "onFrontDisconnected")
        await counter.control.send("front_up", front=0)
        await counter.control.send("front_down", front=1)
        await driver.wait("md", "onFrontDisconnected")
        await driver.wait("md", "onFrontConnected", after=len(driver.heard))


async def test_a_client_is_dropped_with_a_reason_and_comes_back(counter: RunningFront) -> None:
    async with client(counter) as driver:
        await driver.connect("td")
        seen = len(driver.heard)
        await counter.control.send("warn", side="trader", seconds=30)
        assert (await driver.wait("td", "onHeartBeatWarning")).data == 30
        assert await counter.control.send("drop", side="trader", reason=0x2001) == 1
        assert (await driver.wait("td", "onFrontDisconnected")).data == 0x2001
        await driver.wait("td", "onFrontConnected", after=seen)


async def test_logins_are_refused_with_ctps_errors(counter: RunningFront) -> None:
    async with client(counter) as driver:
        user = counter.user
        await driver.connect("td")
        assert (await driver.log_in("td", user)).error == 64, "it has not authenticated"
        assert (await driver.authenticate(user, AuthCode="0" * 16)).error == 63
        assert (await driver.authenticate(user, AppID="other")).error == 63
        assert (await driver.authenticate(user)).error == 0
        wrong = await driver.log_in("td", user, Password="no")
        assert (wrong.error, wrong.arguments[1]["ErrorMsg"]) == (3, "CTP:不合法的登录")
        await counter.control.fault("login_error@trader=7")
        assert (await driver.log_in("td", user)).error == 7
        await counter.control.fault("auth_error")
        assert (await driver.authenticate(user)).error == 63
        await counter.control.clear()
        assert (await driver.authenticate(user)).error == 0
        assert (await driver.log_in("td", user)).error == 0


async def test_without_a_login_nothing_is_answered_but_error_6(counter: RunningFront) -> None:
    async with client(counter) as driver:
        await driver.connect("td")
        await driver.request("td", "reqQryTradingAccount", {})
        assert (await driver.wait("td", "onRspError")).error == 6


async def test_the_library_itself_refuses_requests(counter: RunningFront) -> None:
    async with client(counter) as driver:
        await driver.connect("td")
        for answer in (-1, -2, -3):
            await counter.control.fault(f"answer={answer}")
            async with asyncio.timeout(PATIENCE_S):
                while await driver.request("td", "reqUserLogin", {}) != answer:
                    await asyncio.sleep(0.01)


async def test_a_second_query_within_the_second_is_refused_and_so_are_too_many_requests() -> None:
    limits = {"query_interval_ms": 60_000, "requests_per_s": 5}
    async with front(market="load", limits=limits) as counter, client(counter) as driver:
        await driver.begin_trading()
        assert await driver.request("td", "reqQryTradingAccount", {}) == 0
        assert await driver.request("td", "reqQryTradingAccount", {}) == -3
        answers = [await driver.request("td", "reqSettlementInfoConfirm", {}) for _ in range(5)]
        assert -3 in answers


async def test_queries_are_not_ready_while_the_front_says_so(counter: RunningFront) -> None:
    async with client(counter) as driver:
        await driver.begin_trading()
        await counter.control.fault("query_error")
        (answer,) = await driver.query("reqQryInstrument", "onRspQryInstrument")
        assert answer.error == 90


async def test_a_stalled_front_stays_connected_and_silent(counter: RunningFront) -> None:
    async with client(counter) as driver:
        await driver.listen("rb2605")
        await driver.counts(lambda counts: counts.get("rb2605", 0) > 0)
        await counter.control.fault("stall@market")
        sent = await counter.control.sent()
        before = await driver.counts(lambda counts: counts["rb2605"] == sent["rb2605"])
        await asyncio.sleep(0.2)
        assert await counter.control.sent() == sent
        assert await driver.call("", "counts") == before
        assert not driver.all("md", "onFrontDisconnected")
        await counter.control.clear()
        await driver.counts(lambda counts: counts["rb2605"] > before["rb2605"])


async def test_a_front_that_reads_nothing_lets_requests_pile_up_to_minus_2(counter: RunningFront) -> None:
    async with client(counter) as driver:
        await driver.connect("td")
        await counter.control.fault("hang@trader")
        async with asyncio.timeout(PATIENCE_S):
            while (await driver.call("td", "reqUserLogin", {"UserID": "x"}, 1)) == 0:
                pass
        assert await driver.call("td", "reqUserLogin", {"UserID": "x"}, 1) == -2


async def test_subscriptions_are_refused(counter: RunningFront) -> None:
    await counter.control.fault("subscribe_error")
    async with client(counter) as driver:
        await driver.listen("rb2605")
        assert (await driver.wait("md", "onRspSubMarketData")).error == 16


async def test_texts_that_are_no_gbk_and_an_unknown_exchange_do_not_end_a_query() -> None:
    quick = {"query_interval_ms": 0}
    async with front(market="load", day=DAY, instruments=3, limits=quick) as counter, client(counter) as driver:
        await counter.control.fault("unknown_exchange")
        await counter.control.fault("broken_text")
        await driver.begin_trading()
        found = await driver.query("reqQryInstrument", "onRspQryInstrument")
        assert [one.data["ExchangeID"] for one in found] == ["SHFE"] * 3 + ["XXEX"]
        assert found[-1].arguments[3], "the last one says so"
        await counter.control.fault("no_contracts")
        [nothing] = await driver.query("reqQryInstrument", "onRspQryInstrument")
        assert (nothing.data, nothing.arguments[3]) == ({}, True)


async def test_odd_ticks_follow_a_subscription() -> None:
    faults = ("stale_snapshot", "early_ticks", "late_ticks")
    async with front(market="load", day=DAY, rate=1, faults=faults) as counter, client(counter) as driver:
        await driver.call("", "keep")
        await driver.listen("rb2605")
        ticks = await driver.ticks("rb2605", lambda ticks: len(ticks) >= 4)
        assert [(tick["TradingDay"], tick["UpdateTime"]) for tick in ticks[:4]] == [
            ("20251127", "15:00:00"),
            (DAY, "08:30:00"),
            (DAY, "08:59:00"),
            (DAY, "15:20:00"),
        ]


async def test_ticks_are_spoiled() -> None:
    faults = ("missing_prices", "repeated_time", "repeated_ticks", "volume_reset")
    options = {"day": DAY, "rate": 200, "faults": faults}
    async with front(market="simulated", **options) as counter, client(counter) as driver:
        await driver.call("", "keep")
        await driver.listen("rb2605")
        ticks = (await driver.ticks("rb2605", lambda ticks: len(ticks) > 60))[1:]
        assert len({(tick["UpdateTime"], tick["UpdateMillisec"]) for tick in ticks}) == 1
        assert {tick["BidPrice1"] for tick in ticks} == {MISSING}
        volumes = [tick["Volume"] for tick in ticks]
        assert volumes[0::2][:20] == volumes[1::2][:20], "each came twice"
        assert any(after < before for before, after in pairwise(volumes))


async def test_ticks_of_the_load_market_cannot_be_spoiled(counter: RunningFront) -> None:
    with pytest.raises(ControlRefused, match="volume_reset does nothing on this market"):
        await counter.control.fault("volume_reset")


async def test_without_ticks_a_front_still_answers(counter: RunningFront) -> None:
    await counter.control.fault("no_ticks")
    async with client(counter) as driver:
        await driver.listen("rb2605")
        assert (await driver.wait("md", "onRspSubMarketData")).error == 0
        assert await driver.call("", "counts") == {}


async def test_single_contracts_are_silenced_and_forgotten_while_others_tick(counter: RunningFront) -> None:
    async with client(counter) as driver:
        await driver.listen("rb2605", "hc2605", "cu2605")
        await driver.counts(lambda counts: len(counts) == 3)
        await counter.control.send("mute", symbol="rb2605")
        assert await counter.control.send("forget", symbol="hc2605") == 1
        assert await counter.control.send("forget", symbol="hc2605") == 0
        before, sent = await driver.counts(lambda _: True), await counter.control.sent()
        counts = await driver.counts(lambda counts: counts["cu2605"] > before["cu2605"] + 100)
        later = await counter.control.sent()
        assert all(later[symbol] == sent[symbol] for symbol in ("rb2605", "hc2605"))
        await counter.control.send("unmute", symbol="rb2605")
        await driver.call("md", "subscribeMarketData", "hc2605")
        await driver.counts(lambda now: all(now[symbol] > counts[symbol] + 50 for symbol in ("rb2605", "hc2605")))
        with pytest.raises(ControlRefused, match="is not listed"):
            await counter.control.send("mute", symbol="none")


async def test_a_contract_is_silent_until_somebody_logs_in(counter: RunningFront) -> None:
    await counter.control.send("mute", symbol="rb2605", until_login=True)
    async with client(counter) as driver:
        await driver.listen("rb2605")
        await driver.counts(lambda counts: counts.get("rb2605", 0) > 0)


async def test_a_user_has_so_many_sessions_and_each_logs_in_once(counter: RunningFront) -> None:
    await counter.control.fault("session_limit=1")
    async with client(counter) as first, client(counter) as second:
        await first.begin_trading()
        await second.connect("td")
        await second.authenticate(counter.user)
        refused = await second.log_in("td", counter.user)
        assert (refused.error, refused.arguments[1]["ErrorMsg"]) == (60, "CTP:用户在线会话超出上限")
        assert await first.request("td", "reqUserLogin", {}) == 0  # is dropped
        await first.query("reqQryTradingAccount", "onRspQryTradingAccount")
        assert len(first.all("td", "onRspUserLogin")) == 1
        await counter.control.fault("session_limit=2")
        assert (await second.log_in("td", counter.user)).error == 0


async def test_an_exchange_takes_so_many_orders_a_second(counter: RunningFront) -> None:
    await counter.control.fault("order_limit=2")
    async with client(counter) as driver:
        await driver.begin_trading()
        for number in range(1, 7):  # a second may end among them
            await driver.request("td", "reqOrderInsert", order(counter, f"{number}", 3000, 1))
        ended = await driver.wait("td", "onRtnOrder", lambda one: one.data["OrderStatus"] == "5")
        assert (ended.data["OrderSysID"], ended.data["OrderSubmitStatus"]) == ("", "4")
        assert ended.data["StatusMsg"] == "CTP:交易所每秒发送请求数超过许可数"
        assert (await driver.wait("td", "onErrRtnOrderInsert")).error == 41
        taken = [one for one in driver.all("td", "onRtnOrder") if one.data["OrderStatus"] == "3"]
        assert len({one.data["OrderRef"] for one in taken}) >= 2


async def test_orders_are_refused(counter: RunningFront) -> None:
    await counter.control.fault("order_error")
    async with client(counter) as driver:
        await driver.begin_trading()
        await driver.request("td", "reqOrderInsert", {"InstrumentID": "rb2605", "OrderRef": "1"})
        assert (await driver.wait("td", "onRspOrderInsert")).error == 31
