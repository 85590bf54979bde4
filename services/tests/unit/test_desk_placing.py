"""A name of an order that is used again: for the same order it is asked for, for another one refused."""

from __future__ import annotations

import time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from trading_desk import MEAL, REBAR, Desk

from aegis.contracts.orders import Order
from aegis.contracts.trading import (
    ACCOUNT,
    ORDERS,
    OrderExpired,
    OrderRejected,
    OrderRequest,
    OrdersReply,
    PlaceOrderReply,
)
from aegis.order_calls import placed
from aegis.trading.domain.placing import orders_of
from aegis_sdk.client import Client
from aegis_sdk.errors import OutcomeUnknown
from aegis_sdk.method import Method


def request(**other: Any) -> OrderRequest:
    facts: dict[str, Any] = {"side": "buy", "offset": "open", "price": "3000", "volume": 1, "instrument": REBAR}
    return OrderRequest(**{"account": "a", "client_order_id": "mine", **facts, **other})


class Stored:
    """The holder of a key that has an outcome, and so answers whatever is asked by it."""

    def __init__(self, day: str, ts_ns: int, *orders: Order) -> None:
        self.day = day
        self.orders = [one.model_copy(update={"ts_created_ns": ts_ns}) for one in orders]
        self.asked: list[str] = []
        self.ends: OrderExpired | OrderRejected | None = None

    async def call_active(self, method: Method[Any, Any], *_: Any, **__: Any) -> Any:
        self.asked.append(method.name)
        if method is ORDERS:
            return SimpleNamespace(value=OrdersReply(orders=self.orders, next="", sequence=1))
        if self.ends is not None:
            raise self.ends
        if method is ACCOUNT:
            return SimpleNamespace(value=SimpleNamespace(state=SimpleNamespace(trading_day=self.day)))
        return SimpleNamespace(value=PlaceOrderReply(orders=self.orders))


def stored(asked: OrderRequest, desk: Desk, age_s: int = 0, day: str = "") -> Stored:
    orders = orders_of(asked, desk.book, "sim", 1)
    return Stored(day or desk.book.trading_day, time.time_ns() - age_s * 10**9, *orders)


async def ask(holder: Stored, asked: OrderRequest) -> list[Order]:
    return (await placed(cast(Client, holder), "a", asked, 1.0)).orders


@pytest.mark.parametrize(
    "other",
    [
        {"side": "sell"},
        {"instrument": MEAL},
        {"offset": "close"},
        {"price": "3001"},
        {"type": "fak"},
        {"type": "market", "price": None},
        {"volume": 5},
        {"hedge": "hedge"},
        {"strategy_id": "other"},
    ],
)
async def test_another_order_under_the_same_name_is_no_success(other: dict[str, Any]) -> None:
    holder = stored(request(), Desk())
    with pytest.raises(OrderRejected, match="repeated: mine is buy") as refused:
        await ask(holder, request(**other))
    assert refused.value.details["reason"] == "repeated"


async def test_the_same_order_is_asked_for_as_often_as_one_likes_on_its_day() -> None:
    fresh, old = stored(request(), Desk()), stored(request(), Desk(), age_s=3600)
    assert (await ask(fresh, request()))[0].client_order_id == "mine"
    assert (await ask(old, request(price=Decimal("3000.0"))))[0].client_order_id == "mine"
    assert (fresh.asked, old.asked) == (["place_order"], ["place_order", "account"])


async def test_the_same_order_of_an_earlier_day_is_told_as_it_was_and_not_called_refused() -> None:
    holder = stored(request(), Desk(), age_s=3600, day="20991231")
    holder.orders = [one.model_copy(update={"status": "accepted"}) for one in holder.orders]
    with pytest.raises(OrderExpired, match=r"mine is of 20251128, and was accepted") as ended:
        await ask(holder, request())
    assert ended.value.orders == holder.orders
    with pytest.raises(OrderRejected, match="repeated"):
        await ask(holder, request(volume=5))


async def test_an_order_whose_day_ended_unheard_is_told_so_and_another_one_of_its_name_is_refused() -> None:
    holder = stored(request(), Desk())
    holder.ends = OrderExpired.of("nobody knows", holder.orders)
    with pytest.raises(OrderExpired, match="nobody knows"):
        await ask(holder, request())
    with pytest.raises(OrderRejected, match="repeated"):
        await ask(holder, request(volume=5))


async def test_an_order_whose_outcome_is_stored_no_more_is_looked_up_and_not_called_refused() -> None:
    holder = stored(request(), Desk())
    holder.ends = OrderRejected("duplicate_id", reason="duplicate_id")
    assert await ask(holder, request()) == holder.orders
    assert holder.asked == ["place_order", "orders"]
    with pytest.raises(OrderRejected, match="repeated"):
        await ask(holder, request(volume=5))
    holder.orders = []
    with pytest.raises(OutcomeUnknown):
        await ask(holder, request())
    holder.ends = OrderRejected("halted", reason="halted")
    with pytest.raises(OrderRejected, match="halted"):
        await ask(holder, request())


async def test_both_orders_of_a_split_and_the_fak_of_a_market_order_are_what_was_asked() -> None:
    desk = Desk()
    desk.done("buy", 2)
    desk.roll()
    desk.done("buy", 1)
    closing = request(side="sell", offset="close", split="today_first", volume=3)
    assert len(await ask(stored(closing, desk), closing)) == 2
    market = request(type="market", price=None)
    holder = stored(market, Desk())
    holder.orders = [one.model_copy(update={"type": "fak", "price": Decimal(3050)}) for one in holder.orders]
    assert await ask(holder, market) == holder.orders


@pytest.mark.parametrize(("side", "price", "other"), [("buy", 2990, 3010), ("sell", 3010, 2990)])
async def test_a_price_that_was_narrowed_is_what_was_asked_by_who_had_asked_for_that(
    side: str, price: int, other: int
) -> None:
    asked = request(side=side, price=Decimal(3000), narrow=True)
    holder = stored(asked, Desk())
    holder.orders = [one.model_copy(update={"price": Decimal(price)}) for one in holder.orders]
    assert await ask(holder, asked) == holder.orders
    for wrong in (request(side=side, price=Decimal(3000)), request(side=side, type="fak", narrow=True)):
        with pytest.raises(OrderRejected, match="repeated"):
            await ask(holder, wrong)
    holder.orders = [one.model_copy(update={"price": Decimal(other)}) for one in holder.orders]
    with pytest.raises(OrderRejected, match="repeated"):
        await ask(holder, asked)
