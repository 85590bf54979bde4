"""Checks of an order against its account and group. Each is a question of its own, None where it passes."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, get_args

from aegis.accounting.book import Book
from aegis.accounting.charges import order_fees
from aegis.accounting.holdings import holding_key
from aegis.accounting.offsets import held_back
from aegis.accounting.resting import may_meet
from aegis.contracts.amounts import ZERO
from aegis.contracts.orders import Hedge, Mode, Order
from aegis.trading.domain.situation import Reason, Refusal, Situation

__all__ = [
    "crosses_nothing_own",
    "has_counts_left",
    "has_lots_to_close",
    "has_money",
    "has_room",
    "is_affordable_loss",
    "is_allowed",
    "is_new",
    "is_slow_enough",
    "mode_refusal",
]

_MODES: Final[dict[Mode, Reason]] = {"halted": "halted", "cancel_only": "cancel_only", "close_only": "close_only"}
_USED: Final[dict[str, Reason]] = {
    "orders": "orders_used",
    "cancels": "cancels_used",
    "large_cancels": "large_cancels_used",
    "self_trades": "self_trades_used",
}


def is_new(s: Situation) -> Refusal | None:
    """A client_order_id is used once in an account and day; that of a request too, however it was split."""
    mine = s.order
    same = (s.book.orders.get(name) for name in (mine.request_id, f"{mine.request_id}-1"))
    is_used = mine.client_order_id in s.book.orders or any(one and one.request_id == mine.request_id for one in same)
    return Refusal("duplicate_id") if is_used else None


def is_allowed(s: Situation) -> Refusal | None:
    """The account's env, whether it is armed, and its mode."""
    if s.order.env != s.book.env:
        return Refusal.of("wrong_env", books=s.book.env, venue=s.order.env)
    return mode_refusal(s.book, s.order)


def mode_refusal(book: Book, order: Order) -> Refusal | None:
    """Why the account may not send the order now; asked again right before it is sent."""
    if not book.armed:
        return Refusal("disarmed")
    if book.mode == "normal" or (book.mode == "close_only" and not order.is_open):
        return None
    return Refusal(_MODES[book.mode])


def is_slow_enough(s: Situation) -> Refusal | None:
    most = s.settings.orders_per_s
    return Refusal.of("order_rate", most=most) if s.orders_last_s >= most else None


def has_counts_left(s: Situation) -> Refusal | None:
    """Openings end before the exchange's limit of the day, so that what is left serves to close and to cancel."""
    tally = s.group.tallies.get(s.order.instrument)
    if tally is None or not s.order.is_open:
        return None
    for name, limit in s.settings.limits(s.exchange).items():
        count = getattr(tally, name)
        if count >= s.settings.stop_at(limit):
            return Refusal.of(_USED[name], count=count, limit=limit)
    return None


def crosses_nothing_own(s: Situation) -> Refusal | None:
    """No order of the group that works on the other side may trade with it; none of an earlier day works any more.

    An account that left the group rolls no more: its orders of that day stand in its book for ever.
    """
    mine = s.order
    for book in s.group.books.values():
        if book.trading_day < s.book.trading_day or not book.resting.may_meet(mine):
            continue
        for other in book.working_orders(mine.instrument):
            if other.side != mine.side and may_meet(mine, other):
                return Refusal.of("self_trade", account=other.account, order=other.client_order_id)
    return None


def has_room(s: Situation) -> Refusal | None:
    """Lots of a direction, with those that working orders may still open."""
    if not s.order.is_open:
        return None
    hedges: Iterable[Hedge] = get_args(Hedge)
    keys = [holding_key(s.order.instrument, s.direction, hedge) for hedge in hedges]
    held = sum(s.book.holdings[key].lots for key in keys if key in s.book.holdings)
    opening = s.book.resting.opening(s.order.instrument, s.order.side)
    after, most = held + opening + s.order.volume, s.settings.lots_allowed(s.order.instrument, s.facts.product)
    return Refusal.of("position_limit", lots=after, most=most) if after > most else None


def is_affordable_loss(s: Situation) -> Refusal | None:
    """The day's loss: of closed and open positions, and commission. Of what is held all prices are needed, none old."""
    most = s.settings.max_loss
    if most is None or not s.order.is_open:
        return None
    for instrument in sorted(s.book.held):
        if instrument not in s.prices:
            return Refusal.of("no_price", instrument=instrument)
        if (age := s.ages.get(instrument, 0.0)) > s.settings.held_stale_after_s:
            return Refusal.of("stale_price", instrument=instrument, age=f"{age:.1f}")
    loss = s.book.commission - s.book.close_profit - s.book.position_profit(s.prices)
    return Refusal.of("loss_limit", loss=f"{loss:.2f}", most=most) if loss >= most else None


def has_lots_to_close(s: Situation) -> Refusal | None:
    """Lots that the offset may close and no other order does."""
    if s.order.is_open:
        return None
    free = s.book.free(holding_key(s.order.instrument, s.direction, s.order.hedge))
    lots = sum(held_back(s.exchange, s.order.offset, s.order.volume, free))
    return Refusal.of("too_few_to_close", lots=lots, volume=s.order.volume) if lots < s.order.volume else None


def has_money(s: Situation) -> Refusal | None:
    """Margin, commission and fee of what opens, at the worst price; a close is never kept back for its commission."""
    if not s.order.is_open:
        return None
    hold = s.book.hold_for(s.order, s.hold_price)
    sent = s.order.model_copy(update={"status": "accepted", "ts_accepted_ns": 1})
    needed: Decimal = (hold.margin_each + hold.commission_each) * hold.lots + order_fees(s.facts, sent)
    available = s.book.available(s.prices)
    if needed <= available:
        return None
    return Refusal.of("no_money", needed=f"{needed:.2f}", available=f"{max(available, ZERO):.2f}")
