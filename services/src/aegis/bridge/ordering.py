"""Orders and cancels of a gateway, and what becomes of those that nobody answers for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError
from vnpy.trader.constant import (  # pyright: ignore[reportMissingImports]  # where CTP is not built
    Direction,
    OrderType,
    Status,
)
from vnpy.trader.object import BaseData, OrderData  # pyright: ignore[reportMissingImports]

from aegis.bridge.doubt import Doubt, fate_of
from aegis.bridge.telling import ENDED, ERROR, WARNING, Teller
from aegis.contracts.trading import OrderExpired, VenueUnavailable
from aegis.desk import Desk
from aegis_sdk.errors import (
    AegisError,
    ConnectionUnavailable,
    InvalidRequest,
    NotExecuted,
    NotFound,
    Rejected,
    Unavailable,
)

__all__ = ["Ordering", "is_nothing_done"]

_NOTHING_DONE: Final = (
    ValidationError,
    ConnectionUnavailable,
    InvalidRequest,
    NotExecuted,
    NotFound,
    Rejected,
    Unavailable,
    VenueUnavailable,
)
_ASKED: Final = "it is not sent again, and the desk is asked for it"


class Ordering:
    """Runs in the bridge's loop. `hear` is given what vnpy is to be told, `say` logs with a level of vnpy's."""

    def __init__(self, teller: Teller, hear: Callable[[BaseData], None], say: Callable[[str, int], None]) -> None:
        self._teller = teller
        self._hear = hear
        self._say = say
        self._doubts: asyncio.Queue[Doubt] = asyncio.Queue()
        self.limits: dict[str, tuple[float, float]] = {}  # the lower and the upper one of the day, as vnpy was told

    async def place(self, desk: Desk, order: OrderData, arguments: dict[str, Any]) -> None:
        """What became of it an event tells, unless there is none.

        vnpy's strategies ask for the day's limit where they mean any price, as when a stop order is triggered.
        """
        doubt = Doubt(order, self._teller.trading_day)
        at_any_price = _is_at_limit(order, self.limits.get(arguments["instrument"]))
        try:
            await desk.place(**arguments, client_order_id=order.orderid, narrow=at_any_price)
        except (AegisError, ValidationError, TimeoutError) as error:
            if is_nothing_done(error):
                self.refuse(order, _why(error))
            else:
                self._doubt(doubt, str(error))
        except asyncio.CancelledError:
            self._doubt(doubt, "the gateway was closed")
            raise

    def refuse(self, order: OrderData, why: str) -> None:
        self._end(order, Status.REJECTED)
        self._say(f"order {order.orderid} of {order.vt_symbol} was refused: {why}", WARNING)

    async def cancel(self, desk: Desk, client_order_id: str) -> None:
        try:
            await desk.cancel(client_order_id)
        except (AegisError, ValidationError, TimeoutError) as error:
            self._say(f"the cancel of {client_order_id} failed: {_why(error)}", WARNING)

    async def clear_up(self, desk: Desk, timeout_s: float) -> None:
        """Until it is cancelled: orders in doubt of an earlier connection, and each that comes.

        `timeout_s` is how long a call may take.
        """
        for doubt in self._teller.in_doubt.values():
            self._doubts.put_nowait(doubt)
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._clear(desk, await self._doubts.get(), timeout_s))

    async def _clear(self, desk: Desk, doubt: Doubt, timeout_s: float) -> None:
        order = doubt.order
        status = await fate_of(desk, doubt, timeout_s)
        self._teller.in_doubt.pop(order.orderid, None)
        if status is None or self._teller.knows(order.orderid):
            return
        self._end(order, status)
        why = "it never came to the desk" if status is Status.REJECTED else f"its day has ended; {ENDED}"
        self._say(f"order {order.orderid} of {order.vt_symbol} is in doubt no more: {why}", WARNING)

    def _doubt(self, doubt: Doubt, why: str) -> None:
        order = doubt.order
        if not self._teller.knows(order.orderid):
            self._teller.in_doubt[order.orderid] = doubt
            self._doubts.put_nowait(doubt)
        self._say(f"order {order.orderid} of {order.vt_symbol}: nobody knows what became of it; {_ASKED}: {why}", ERROR)

    def _end(self, order: OrderData, status: Status) -> None:
        for data in self._teller.ended(order, status):
            self._hear(data)


def is_nothing_done(error: Exception) -> bool:
    """Whether an order that ended with it is at no venue for certain."""
    return isinstance(error, _NOTHING_DONE) and not isinstance(error, OrderExpired)


def _is_at_limit(order: OrderData, limits: tuple[float, float] | None) -> bool:
    """Whether no worse price is possible on this day. vnpy has 0 for a limit that is not known."""
    lower, upper = limits or (0.0, 0.0)
    if order.type is OrderType.MARKET:
        return False
    return 0 < upper <= order.price if order.direction is Direction.LONG else 0 < order.price <= lower


def _why(error: Exception) -> str:
    """An error on one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
