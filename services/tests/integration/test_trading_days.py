"""The end of a trading day for an account at each venue: what is stored, booked and counted anew."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from desk_calls import DEADLINE_S, compared, serving, until_orders
from paper_stage import FEED, connect, instruments, paper_house, ready, tick
from trading_rounds.house import PAPER, accounts_at, start_trading

from aegis.contracts.orders import OrderReported
from aegis.contracts.tick_codec import tick_codec
from aegis.contracts.trading import OrderRejected
from aegis.desk import Desk
from aegis.operations.counter import is_built
from aegis_sdk import NatsTransport, subjects
from aegis_sdk.kv import KeyValue
from aegis_sdk.testing import nats_server_thread
from ctpsim.testing import RunningFront, front

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

DAY, NEXT_DAY = "20251128", "20251201"
REBAR = "SHFE.rb2605"
LIMITS = {"upper_limit_price": 3300.0, "lower_limit_price": 2700.0}


class MarketDays:
    """Ticks of both accounts' instruments, of the trading day that it is."""

    def __init__(self, counter: RunningFront, transport: NatsTransport, traded: dict[str, str]) -> None:
        self._counter = counter
        self._transport = transport
        self._traded = traded
        self._day, self._last = DAY, 3000

    async def next_day(self) -> None:
        """The evening after: the counter ends all sessions, and yesterday was settled at 3010."""
        self._day, self._last = NEXT_DAY, 3010
        await self._hold()
        await self._counter.control.send("jump", to="2025-11-28T21:01")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        await self._hold()
        task = asyncio.create_task(self._publish())
        try:
            yield
        finally:
            task.cancel()

    async def _hold(self) -> None:
        book = {"bids": [(self._last - 1, 10)], "asks": [(self._last + 1, 10)], "last_price": self._last}
        await self._counter.control.send("tick", symbol="rb2605", hold=True, **book, **LIMITS)

    async def _publish(self) -> None:
        codec = tick_codec("json")
        while True:
            for instrument in self._traded.values():
                of_day = {"trading_day": self._day, "action_day": self._day, "pre_settlement_price": float(self._last)}
                one = tick(instrument, (self._last - 1, 10), (self._last + 1, 10), self._last, 1, **of_day)
                self._transport.publish(subjects.tick(one.exchange, one.symbol), codec.encode(one), codec.headers)
            await asyncio.sleep(0.1)


async def test_a_day_ends_and_the_next_one_begins(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        counter = await stack.enter_async_context(front(begin="2025-11-28T09:31", limits={"query_interval_ms": 20}))
        access = stack.enter_context(nats_server_thread())
        house = stack.enter_context(paper_house(access))
        transport = await connect(access)
        stack.push_async_callback(transport.close)
        risk = f'tick_feeds = ["sim/{FEED}"], day_limits = {{ SHFE = {{ orders = 3 }} }}'
        start_trading(house, accounts_at(counter, tmp_path, risk), "trading")
        traded = {PAPER: (await instruments(transport, "SHFE", "rb"))[-1], counter.user.user_id: REBAR}
        market = MarketDays(counter, transport, traded)
        await stack.enter_async_context(market.open())
        await ready(transport, PAPER)
        await serving(transport)
        desks = {
            account: await stack.enter_async_context(Desk.over(transport, account, timeout_s=10)) for account in traded
        }
        for account, desk in desks.items():
            await a_day(desk, traded[account])
        following = [asyncio.create_task(expiries(desk)) for desk in desks.values()]
        await asyncio.sleep(0)
        await market.next_day()
        assert await asyncio.gather(*following) == [["rests"], ["rests"]]
        for account, desk in desks.items():
            await another_day(desk, traded[account])
        await the_statement_is_stored_once(transport, desks[counter.user.user_id])


async def a_day(desk: Desk, instrument: str) -> None:
    """It ends with two lots, and an order that waits; a third order would be the day's last."""
    assert (await compared(desk)).differences == []
    await desk.place(instrument, "buy", 2, price=3001, client_order_id="fills")
    await until_orders(desk, {"fills": "filled"})
    await desk.place(instrument, "buy", 1, price=2950, client_order_id="rests")
    with pytest.raises(OrderRejected, match="orders_used"):
        await desk.place(instrument, "buy", 1, price=2950)
    (held,) = await desk.positions()
    assert (held.today, held.yesterday, (await desk.account()).trading_day) == (2, 0, DAY)


async def expiries(desk: Desk) -> list[str]:
    """The names of orders that expire, up to the event of an account on its new day."""
    names: list[str] = []
    async with desk.follow() as changes, asyncio.timeout(DEADLINE_S):
        async for change in changes:
            if isinstance(change, OrderReported) and change.order.status == "expired":
                assert change.order.reason == "day_ended"
                names.append(change.order.client_order_id)
            if (await desk.account()).trading_day == NEXT_DAY and names:
                break
    return names


async def another_day(desk: Desk, instrument: str) -> None:
    """Yesterday's lots at yesterday's settlement, counts anew, and the venue agrees to the cent."""
    assert (await compared(desk)).differences == []
    account = await desk.account()
    assert (account.trading_day, account.mode, account.close_profit) == (NEXT_DAY, "normal", 0)
    assert await desk.orders() == []
    (held,) = await desk.positions()
    assert (held.today, held.yesterday, held.position_cost) == (0, 2, 2 * 10 * 3010)
    await desk.place(instrument, "sell", 1, price=3009, offset="close_yesterday", client_order_id="closes")
    await until_orders(desk, {"closes": "filled"})
    await desk.place(instrument, "buy", 1, price=2950, client_order_id="waits")
    assert (await compared(desk)).differences == []


async def the_statement_is_stored_once(transport: NatsTransport, desk: Desk) -> None:
    bucket = KeyValue(transport, "aegis_statements")
    for day in (DAY, NEXT_DAY):
        stored = await bucket.get(f"{desk.account_name}.{day}")
        await compared(desk)
        assert stored is not None
        assert f"交易日 {day}" in stored.value.decode()
        assert await bucket.get(f"{desk.account_name}.{day}") == stored
    assert f"期初结存 {(await desk.account()).pre_balance:.2f}" in stored.value.decode()
