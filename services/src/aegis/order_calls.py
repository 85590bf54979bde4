"""What is asked of the holder of an account's key about orders: to place one, to cancel all, to close all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from aegis.contracts.order_reasons import FIGURES
from aegis.contracts.orders import Order
from aegis.contracts.trading import (
    ACCOUNT,
    CANCEL_ORDER,
    FLATTEN,
    ORDERS,
    PLACE_ORDER,
    AccountRequest,
    CancelOrder,
    FlattenReply,
    FlattenRequest,
    OrderExpired,
    OrderRejected,
    OrderRequest,
    OrdersRequest,
    PlaceOrderReply,
    order_key,
)
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError, OutcomeUnknown, Unavailable

__all__ = ["CancelsAsked", "cancels_asked", "flattened", "found", "placed"]

_CANCELS_AT_ONCE: Final = 8
_PROOF_S: Final = 0.02
"""A holder that answers without a fresh proof asks for one then, and has it for some tenths of a second."""
_SAME_CALL_NS: Final = 60_000_000_000
"""What was made before that may be of an earlier trading day; the account is asked for its own then."""


class CancelsAsked(NamedTuple):
    """The orders that the venue was asked to cancel, and what went wrong with the others, by their names."""

    asked: list[str]
    failed: Mapping[str, AegisError]


async def placed(client: Client, key: str, request: OrderRequest, timeout_s: float) -> PlaceOrderReply:
    """Place an order at the holder of `key`: once, however often it is asked for by the same request on its day.

    Raises what the call raises; OrderExpired where it is of an earlier day; and OrderRejected (`repeated`) where the
    name is that of another order, of whatever day: nothing was sent. Of an order whose outcome is not stored any more
    the account says what has become of it.
    """
    of = order_key(request.account, request.client_order_id)
    try:
        answer = await client.call_active(PLACE_ORDER, key, request, timeout=timeout_s, idempotency_key=of)
        orders: list[Order] = answer.value.orders
    except OrderExpired as error:
        _same(request, error.orders)
        raise
    except OrderRejected as error:
        if error.details.get("reason") != "duplicate_id":
            raise
        asked = OrdersRequest(account=request.account, client_order_id=request.client_order_id)
        orders = (await client.call_active(ORDERS, key, asked, timeout=timeout_s)).value.orders
        if not orders:
            raise OutcomeUnknown(f"{error}, and the account does not show it now", idempotency_key=of) from error
    _same(request, orders)
    first = orders[0]
    if first.ts_created_ns < time.time_ns() - _SAME_CALL_NS:
        now = await client.call_active(ACCOUNT, key, AccountRequest(account=request.account), timeout=timeout_s)
        if first.trading_day != now.value.state.trading_day:
            says = f"{request.client_order_id} is of {first.trading_day}, and was {first.status} when it was placed"
            raise OrderExpired.of(says, orders)
    return PlaceOrderReply(orders=orders)


async def found(client: Client, key: str, account: str, client_order_id: str, timeout_s: float) -> list[Order]:
    """The orders of the trading day that were asked for by a name.

    None are there for certain: where the holder of `key` has no fresh proof that it still is, it is asked again. Raises
    Unavailable where it has none in time, and what the call raises.
    """
    asked = OrdersRequest(account=account, client_order_id=client_order_id)
    ends = time.monotonic() + timeout_s
    while (left := ends - time.monotonic()) > 0:
        answer = await client.call_active(ORDERS, key, asked, timeout=left)
        if answer.value.orders or not answer.stale:
            return answer.value.orders
        await asyncio.sleep(_PROOF_S)
    raise Unavailable(f"{account} cannot say for certain now that it has no order {client_order_id}")


async def cancels_asked(client: Client, key: str, account: str, timeout_s: float) -> CancelsAsked:
    """Ask the holder of `key` to cancel each order of an account that works now, a few at once."""
    names, after = list[str](), ""
    while True:
        request = OrdersRequest(account=account, working=True, after=after)
        page = (await client.call_active(ORDERS, key, request, timeout=timeout_s)).value
        names += [one.client_order_id for one in page.orders]
        if not (after := page.next):
            break
    room, failed = asyncio.Semaphore(_CANCELS_AT_ONCE), dict[str, AegisError]()

    async def cancel(name: str) -> None:
        async with room:
            try:
                asked = CancelOrder(account=account, client_order_id=name)
                await client.call_active(CANCEL_ORDER, key, asked, timeout=timeout_s)
            except AegisError as error:
                failed[name] = error

    await asyncio.gather(*map(cancel, names))
    asked = [name for name in names if name not in failed]
    return CancelsAsked(asked, {name: failed[name] for name in names if name in failed})


async def flattened(client: Client, key: str, request: FlattenRequest, timeout_s: float) -> FlattenReply:
    """Close positions, part by part; each has `timeout_s`.

    Raises what a call raises: the parts before it are done. Asked again, it closes what no order closes yet.
    """
    orders, refused = list[Order](), dict[str, str]()
    while True:
        part = (await client.call_active(FLATTEN, key, request, timeout=timeout_s)).value
        orders += part.orders
        refused |= part.refused
        if not part.next:
            return FlattenReply(orders=orders, refused=refused)
        request = request.model_copy(update={"after": part.next})


def _same(request: OrderRequest, orders: Sequence[Order]) -> None:
    """Raises OrderRejected where these are not what is asked for."""
    if request.is_of(orders):
        return
    first = orders[0]
    figures = {
        "order": request.client_order_id,
        "side": first.side,
        "instrument": first.instrument,
        "price": "any price" if first.price is None else str(first.price),
        "day": first.trading_day,
    }
    raise OrderRejected(f"repeated: {FIGURES['repeated'].format(**figures)}", reason="repeated", **figures)
