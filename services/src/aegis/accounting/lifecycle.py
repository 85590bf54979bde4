"""The way of an order, as a table: from which status, by what happens, to which.

What a venue says may come late, twice or in another order than it happened: a fill before the acknowledgement, a
cancel that crosses a fill, an acknowledgement of what is long filled. So the table only ever leads forwards, a final
status is never left, and figures only grow: whatever the order of what one order's venue says, the end is the same.
One status is a conclusion of ours, `not_sent`, and the venue's word is above it: an order that comes after all lives.
What is not in the table contradicts what is known; it changes no status, and reconciliation looks at it.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from aegis.contracts.amounts import Price
from aegis.contracts.orders import CAME_LATE, Order, OrderStatus
from aegis.contracts.venue import Submitted, VenueOrder, VenueOrderStatus

__all__ = ["FINAL", "TRANSITIONS", "Happening", "answered", "cancelled", "expired", "reported", "step", "traded"]

Happening = Literal["accept", "fill", "fill_all", "cancel", "reject", "expire", "not_sent", "lose"]
"""lose: nobody knows whether the venue has it. not_sent: by all that can be known it does not. fill: some are left."""

FINAL: Final[frozenset[OrderStatus]] = frozenset(("filled", "cancelled", "rejected", "expired", "not_sent"))

_AT_VENUE: Final[dict[Happening, OrderStatus]] = {
    "accept": "accepted",
    "fill": "partly_filled",
    "fill_all": "filled",
    "cancel": "cancelled",
    "reject": "rejected",
    "expire": "expired",
}
TRANSITIONS: Final[dict[OrderStatus, dict[Happening, OrderStatus]]] = {
    "pending": {**_AT_VENUE, "not_sent": "not_sent", "lose": "unknown"},
    "unknown": {**_AT_VENUE, "not_sent": "not_sent", "lose": "unknown"},
    "not_sent": {**_AT_VENUE, "not_sent": "not_sent", "lose": "not_sent"},
    "accepted": {**_AT_VENUE, "lose": "accepted"},
    "partly_filled": {
        "accept": "partly_filled",
        "fill": "partly_filled",
        "fill_all": "filled",
        "cancel": "cancelled",
        "expire": "expired",
        "lose": "partly_filled",
    },
}
"""A status without a row stays. `not_sent` counts as final, and is left only where the venue speaks of the order."""

_SAID: Final[dict[VenueOrderStatus, Happening]] = {
    "accepted": "accept",
    "partly_filled": "fill",
    "filled": "fill_all",
    "cancelled": "cancel",
    "rejected": "reject",
    "expired": "expire",
}


def step(status: OrderStatus, happening: Happening) -> OrderStatus:
    """The status after it; the same one where the table has nothing."""
    return TRANSITIONS.get(status, {}).get(happening, status)


def reported(order: Order, report: VenueOrder) -> Order:
    """The order after a report of its venue. Its fills count, their money comes with the trades."""
    filled = max(order.filled, report.filled)
    happening = _SAID[report.status]
    if filled >= order.volume:
        happening = "fill_all"
    elif filled and happening == "accept":
        happening = "fill"
    return _moved(
        order,
        happening,
        report.ts_exchange_ns,
        reason=report.reason,
        text=report.text,
        filled=filled,
        venue_order_id=report.venue_order_id or order.venue_order_id,
    )


def traded(order: Order, lots: int, price: Price, ts_ns: int, venue_order_id: str = "") -> Order:
    """The order after a trade of so many lots. A trade beyond its volume counts too: the money has moved."""
    done = order.traded + lots
    filled = max(order.filled, done)
    return _moved(
        order,
        "fill_all" if filled >= order.volume else "fill",
        ts_ns,
        filled=filled,
        traded=done,
        turnover=order.turnover + price * lots,
        venue_order_id=venue_order_id or order.venue_order_id,
    )


def answered(order: Order, answer: Submitted, ts_ns: int) -> Order:
    """The order after what the venue, or the way there, said to its submission."""
    happening: dict[str, Happening] = {
        "accepted": "accept",
        "refused": "reject",
        "not_sent": "not_sent",
        "unknown": "lose",
    }
    found = answer.venue_order_id or order.venue_order_id
    return _moved(order, happening[answer.outcome], ts_ns, reason=answer.reason, text=answer.text, venue_order_id=found)


def cancelled(order: Order, reason: str, ts_ns: int) -> Order:
    """The order after its venue has cancelled what is left of it."""
    return _moved(order, "cancel", ts_ns, reason=reason)


def expired(order: Order, ts_ns: int) -> Order:
    """The order after the end of its trading day, which tells nothing of whether its venue ever had it."""
    ended = _moved(order, "expire", ts_ns, reason="day_ended")
    return ended.model_copy(update={"ts_accepted_ns": order.ts_accepted_ns})


def _moved(order: Order, happening: Happening, ts_ns: int, reason: str = "", text: str = "", **figures: Any) -> Order:
    status = step(order.status, happening)
    changed: dict[str, Any] = {**figures, "status": status, "ts_updated_ns": max(order.ts_updated_ns, ts_ns)}
    if happening not in ("reject", "not_sent", "lose"):
        known = order.ts_accepted_ns
        changed["ts_accepted_ns"] = min(known, ts_ns) if known else ts_ns
    if status in FINAL and status != "filled" and order.status not in FINAL:
        changed |= {"reason": reason, "text": text}
    if order.status == "not_sent" != status:
        changed |= {"reason": CAME_LATE, "text": ""}
    return order.model_copy(update=changed)
