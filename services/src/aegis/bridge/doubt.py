"""An order of which nobody knows what became of it: its desk is asked until that is certain.

Its request may still be on its way when the call has ended, as with a server or a holder that hangs. But it comes
before what is sent behind it, and is begun within its own time or never. So when the desk has no such order, and
has none again that time later, there will be none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeVar

from vnpy.trader.constant import Status  # pyright: ignore[reportMissingImports]  # where CTP is not built
from vnpy.trader.object import OrderData  # pyright: ignore[reportMissingImports]

from aegis.desk import Desk
from aegis_sdk.errors import AegisError

__all__ = ["Doubt", "fate_of"]

Answer = TypeVar("Answer")

_RETRY_S: Final = 0.5


class Doubt(NamedTuple):
    """An order as vnpy was told of it, and the trading day on which it was sent."""

    order: OrderData
    trading_day: str


async def fate_of(desk: Desk, doubt: Doubt, patience_s: float) -> Status | None:
    """None where the desk has it, and so tells of it. Else REJECTED: it never came; CANCELLED: its day has ended.

    It takes as long as the desk cannot be asked. `patience_s` is how long a call for the order may have taken.
    """
    for pause_s in (0.0, patience_s):
        await asyncio.sleep(pause_s)
        if await _answered(lambda: desk.find(doubt.order.orderid)):
            return None
    account = await _answered(desk.account)
    return Status.REJECTED if account.trading_day == doubt.trading_day else Status.CANCELLED


async def _answered(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    while True:
        try:
            return await ask()
        except AegisError:
            await asyncio.sleep(_RETRY_S)
