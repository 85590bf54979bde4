"""What is concluded of an order that nobody answered for."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

pytest.importorskip("vnpy", reason="vnpy comes with CTP, which needs a C++ compiler")

from vnpy.trader.constant import Direction, Exchange, Status
from vnpy.trader.object import OrderData
from vnpy_samples import DAY, an_account, an_order

from aegis.bridge.doubt import Doubt, fate_of
from aegis.contracts.orders import Account, Order
from aegis.desk import Desk
from aegis_sdk.errors import NotExecuted, Unavailable

pytestmark = pytest.mark.own_time
PATIENCE_S = 5.0
DOUBT = Doubt(OrderData("AEGIS", "rb2605", Exchange.SHFE, "o1", direction=Direction.LONG), DAY)


class Slow:
    """Stands for a desk whose account has an order from some moment on, and that cannot be asked at first."""

    def __init__(self, *, comes_after_s: float = float("inf"), failures: int = 0, day: str = DAY) -> None:
        self._failures = [NotExecuted("nobody holds it"), Unavailable("not certain")][:failures]
        self._day = day
        self._comes_at = asyncio.get_running_loop().time() + comes_after_s

    async def find(self, client_order_id: str) -> list[Order]:
        if self._failures:
            raise self._failures.pop()
        return [an_order(client_order_id)] if asyncio.get_running_loop().time() >= self._comes_at else []

    async def account(self) -> Account:
        return an_account(trading_day=self._day)


async def concluded(**facts: Any) -> Status | None:
    return await fate_of(cast(Desk, Slow(**facts)), DOUBT, PATIENCE_S)


async def test_an_order_that_is_there_is_told_by_the_desk() -> None:
    assert await concluded(comes_after_s=0) is None


async def test_one_that_was_still_on_its_way_is_not_called_lost() -> None:
    assert await concluded(comes_after_s=PATIENCE_S - 0.1) is None


@pytest.mark.parametrize("failures", [0, 2])
async def test_one_that_is_not_there_and_can_come_no_more_is_lost(failures: int) -> None:
    assert await concluded(failures=failures) is Status.REJECTED


async def test_nobody_says_that_an_order_of_a_day_that_has_ended_was_never_there() -> None:
    assert await concluded(day="20251201") is Status.CANCELLED
