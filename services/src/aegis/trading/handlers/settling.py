"""What became of a call that was begun and whose end nobody has written down: the venue is asked.

An order that the venue has speaks for itself. One that it has not heard of may be on its way there still: whoever sent
it may have been stopped in the middle. Where a cancel makes its name void, that is done, and it is not sent for
certain. Elsewhere it is called not sent only by a venue that was asked `settle_s` after it was found, or later, and
has answered: one that is silent has perhaps not read it yet, however long that takes. With the end of its day nobody
can say it any more, and its caller is told that: it may have traded.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from aegis.accounting.book import Book
from aegis.accounting.lifecycle import answered, reported
from aegis.contracts.orders import Order
from aegis.contracts.trading import (
    CANCEL_ORDER,
    FLATTEN,
    KILL,
    CancelReply,
    FlattenPart,
    OrderExpired,
    PlaceOrderReply,
)
from aegis.contracts.venue import Cancel, Submitted, VenueOrder
from aegis.trading.domain.changes import (
    Answered,
    CancelAsked,
    Change,
    OrdersIntended,
    OrderTold,
    read_changes,
    write_changes,
)
from aegis.trading.domain.placing import MOST_CLOSED, place_behind
from aegis.trading.handlers.acting import Acting
from aegis.trading.handlers.cancelling import Cancelling, is_asked, killed, refused, told
from aegis.trading.keys import AccountState, KeyState, now_ns
from aegis_sdk.errors import DeadlineExceeded, Unavailable
from aegis_sdk.single_active import OpenIntent, Settled

__all__ = ["UNKNOWN_ORDER", "Settling"]

UNKNOWN_ORDER: Final = "unknown_order"
"""The reason of a venue that refuses a cancel since it has no such order, and where it can, makes the name void."""


class Settling:
    """Answers for calls whose handlers did not finish."""

    def __init__(self, acting: Acting, cancelling: Cancelling) -> None:
        self._acting = acting
        self._cancelling = cancelling

    async def settle(self, state: KeyState, intent: OpenIntent) -> Settled | None:
        """The answer; None where it cannot be given yet. Raises what the venue's queries raise."""
        changes = read_changes(intent.data)
        name = changes[0].account
        if self._acting.not_here(name, state.group.books.get(name)):
            return None  # the venue that was asked is another one
        since = state.first_asked.setdefault(intent.idempotency_key, time.monotonic())
        if isinstance(changes[0], OrdersIntended):
            settled = await self._orders(state, intent.method, changes[0], since + self._acting.settle_s)
        else:
            settled = await self._cancels(state, intent.method, changes)
        if settled is not None:
            del state.first_asked[intent.idempotency_key]
        return settled

    async def _orders(self, state: KeyState, method: str, change: OrdersIntended, due: float) -> Settled | None:
        book = state.book(change.account)
        theirs: dict[str, VenueOrder] = {}
        is_sure = False
        if any(_is_open(book, one.order) for one in change.orders):
            is_sure = await self._look_up(state, change.account, due)
            told = await self._acting.venue(change.account).orders(change.account)
            theirs = {one.client_order_id: one for one in told if one.trading_day == book.trading_day}
        found: list[Change] = []
        orders: list[Order] = []
        ended: list[str] = []
        for one in change.orders:
            order = book.orders.get(one.order.client_order_id)
            if order is None:
                ended.append(one.order.client_order_id)
                orders.append(one.order.model_copy(update={"status": "unknown"}))
            elif not _is_open(book, order):
                orders.append(order)
            elif (report := theirs.get(order.client_order_id)) is not None:
                found.append(_told(order, report))
                orders.append(reported(order, report))
            elif is_sure or await self._is_void(order):
                missing = _missing(order)
                found.append(missing)
                orders.append(answered(order, missing.answer, missing.ts_ns))
            else:
                return None
        if any(isinstance(change, Answered) for change in found) and await self._has_rolled(book):
            return None
        stored = write_changes(found) if found else None
        if ended:
            return Settled(_ended(ended, orders), stored)
        if method != FLATTEN.name:
            return Settled(PlaceOrderReply(orders=orders), stored)
        after = place_behind(orders[-1], book) if len(orders) >= MOST_CLOSED else ""  # else it was the last part
        return Settled(FlattenPart(orders=orders, refused={}, next=after), stored)

    async def _look_up(self, state: KeyState, account: str, due: float) -> bool:
        """Whether the venue was asked at `due` or later, and has answered. One that can void names need not be."""
        now = time.monotonic()
        if now < due or self._acting.can_void(account):
            return False
        if state.looked_up.get(account, 0.0) < due:
            await self._acting.venue(account).look_up(account)
            state.looked_up[account] = now
        return True

    async def _has_rolled(self, book: Book) -> bool:
        """Whether the venue is on a later day than our books: then it tells no more what it had on theirs.

        These follow soon, and the order is gone from them.
        """
        return await self._acting.venue(book.account).trading_day(book.account) > book.trading_day

    async def _is_void(self, order: Order) -> bool:
        """Whether it can never come to its venue any more; if it came meanwhile, it is found the next time."""
        if not self._acting.can_void(order.account):
            return False
        venue = self._acting.venue(order.account)
        cancel = Cancel(account=order.account, instrument=order.instrument, client_order_id=order.client_order_id)
        answer = await venue.cancel(cancel)
        return answer.outcome == "refused" and answer.reason == UNKNOWN_ORDER

    async def _cancels(self, state: KeyState, method: str, changes: Sequence[Change]) -> Settled | None:
        asked = [change for change in changes if isinstance(change, CancelAsked)]
        book = state.book(changes[0].account)
        if method == KILL.name:
            named = dict.fromkeys([*(one.client_order_id for one in asked), *(book.working if book.killed else ())])
            return self._kill(state.account(book.account), book, [*named])
        assert method == CANCEL_ORDER.name, method
        try:
            if await self._has_rolled(book):
                return None  # numbers of orders begin anew with a day: it may be another one's
        except (Unavailable, DeadlineExceeded):
            return None
        answers = await self._cancelling.again(state, asked)
        if any(one.answer.outcome in ("unknown", "not_sent") for one in answers):
            return None  # the first one may be there: it is asked for again
        stored = write_changes(answers) if answers else None
        order = book.orders.get(asked[0].client_order_id)
        if order is None:
            gone = f"the trading day of {asked[0].client_order_id} has ended, and the order with it"
            return Settled(OrderExpired(gone), stored)
        if not order.is_final and any(one.answer.outcome == "refused" for one in answers):
            return Settled(refused(answers[0]), stored)
        return Settled(CancelReply(order=order), stored)

    def _kill(self, account: AccountState, book: Book, names: Sequence[str]) -> Settled | None:
        """Whoever holds the account asks for its orders; the answer waits until that has begun."""
        if not is_asked(account, book, names):
            return None
        answers = told(account, names)
        return Settled(killed(account, book, names), write_changes(answers) if answers else None)


def _is_open(book: Book, order: Order) -> bool:
    known = book.orders.get(order.client_order_id)
    return known is not None and known.status in ("pending", "unknown")


def _ended(names: Sequence[str], orders: Sequence[Order]) -> OrderExpired:
    says = "the day ended before its venue had said what became of it: the statement says what it traded"
    return OrderExpired.of(f"{', '.join(names)}: {says}", orders)


def _told(order: Order, report: VenueOrder) -> Change:
    return OrderTold(account=order.account, ts_ns=now_ns(), client_order_id=order.client_order_id, report=report)


def _missing(order: Order) -> Answered:
    answer = Submitted(outcome="not_sent", reason="never_arrived")
    return Answered(account=order.account, ts_ns=now_ns(), client_order_id=order.client_order_id, answer=answer)
