"""Cancels, and the kill: halted first, then everything that works is cancelled, for as long as anything does.

That somebody wants an order cancelled is journaled before its venue hears of it. A cancel may be asked for twice
without harm: whoever takes a key over, and finds one open, asks again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from aegis.accounting.book import Book
from aegis.contracts.orders import Order
from aegis.contracts.reasons import explained
from aegis.contracts.trading import (
    CancelOrder,
    CancelRefused,
    CancelReply,
    KillReply,
    KillRequest,
    VenueUnavailable,
)
from aegis.contracts.venue import Cancel, Submitted
from aegis.trading.domain.changes import CancelAnswered, CancelAsked, Change, ModeSet, write_changes
from aegis.trading.domain.checking import check_cancel
from aegis.trading.handlers.acting import Acting
from aegis.trading.keys import AccountState, KeyState, now_ns
from aegis_sdk.errors import NotFound, OutcomeUnknown, Rejected
from aegis_sdk.single_active import ActiveContext

__all__ = ["Cancelling", "is_asked", "killed", "refused", "told"]

_OTHER_ENV: Final = Submitted(outcome="not_sent", reason="wrong_env")
_MOST_ASKED, _MOST_TOLD = 1_000, 200
"""Of the cancels of a kill those that its intent names, and those whose answers stand beside its reply: however many
orders work, both must be stored. The others are journaled when they are asked for, and ended by reports."""


class Cancelling:
    """`cancel_order` and `kill`; `again` for those that were found open."""

    def __init__(self, acting: Acting) -> None:
        self._acting = acting

    async def cancel(self, state: KeyState, request: CancelOrder, context: ActiveContext) -> CancelReply:
        """Needs no comparison with the venue first, and no mode that allows it.

        Raises CancelRefused and VenueUnavailable where the order goes on as if nobody had asked.
        """
        account, book = state.account(request.account), state.book(request.account)
        order = book.orders.get(request.client_order_id)
        if order is None:
            raise explained(NotFound, "no_order", account=request.account, order=request.client_order_id)
        if order.is_final:
            return CancelReply(order=order)
        now = time.monotonic()
        phase = self._acting.phase(request.account, order.instrument)
        refusal = self._acting.not_here(book.account, book)
        refusal = refusal or check_cancel(self._acting.risk(request.account), phase, account.cancels.last_second(now))
        if refusal is not None:
            raise self._acting.refused(refusal)
        account.cancels.happened(now)
        await context.intend(write_changes([_asked(order)]))
        (answer,) = await self._ask(account, book, [order])
        if answer.answer.outcome == "unknown":
            key = context.idempotency_key
            raise explained(OutcomeUnknown, "cancel_unanswered", order=order.client_order_id, idempotency_key=key)
        if answer.answer.outcome == "refused":
            await account.until_taken()  # what was faster, as a fill
        latest = book.orders.get(order.client_order_id, order)
        if answer.answer.outcome == "accepted" or latest.is_final:
            return await context.commit(write_changes([answer]), CancelReply(order=latest))
        await self._acting.commit(state.key, [answer])
        if answer.answer.outcome == "refused":
            raise refused(answer)
        raise explained(_NotSent, "cancel_not_sent", order=order.client_order_id, text=answer.answer.reason)

    async def kill(self, state: KeyState, request: KillRequest, context: ActiveContext) -> KillReply:
        """From the moment its intent is stored nothing is sent any more, and whatever works is withdrawn.

        The answer comes when the venue has been asked once for each order, or is as far as that was within half of the
        time; the account goes on asking behind it.
        """
        account, book = state.account(request.account), state.book(request.account)
        halted = ModeSet(
            account=book.account, ts_ns=now_ns(), mode="halted", kills=True, reason=request.reason or "killed"
        )
        async with context.lock:
            names = list(book.working)
            await context.intend(write_changes([halted, *map(_asked, book.working_orders()[:_MOST_ASKED])]))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(context.time_left, 0) / 2):
                while not is_asked(account, book, names):
                    account.withdrew.clear()
                    await account.withdrew.wait()
        answers = told(account, names)
        return await context.commit(write_changes(answers), killed(account, book, names))

    async def again(self, state: KeyState, asked: Sequence[CancelAsked]) -> list[CancelAnswered]:
        """Ask once more for those that still work."""
        name = asked[0].account
        book = state.book(name)
        orders = [book.orders[one.client_order_id] for one in asked if one.client_order_id in book.working]
        return await self._ask(state.account(name), book, orders)

    async def withdraw(
        self, state: KeyState, account: AccountState, book: Book, orders: Sequence[Order]
    ) -> list[CancelAnswered]:
        """Cancel orders without a caller. That it is wanted is journaled; what becomes of them, reports say."""
        if fresh := [order for order in orders if not order.cancel_asked]:
            await self._acting.commit(state.key, [*map(_asked, fresh)])
        return await self._ask(account, book, orders)

    async def _ask(self, account: AccountState, book: Book, orders: Sequence[Order]) -> list[CancelAnswered]:
        """Ask the venue for all of them; they go out in this order. One of another env is not asked: numbers recur."""
        venue, answers = self._acting.venue(book.account), [_OTHER_ENV] * len(orders)
        if self._acting.not_here(book.account, book) is None:
            with account.asking():
                answers = await asyncio.gather(*(venue.cancel(_cancel(book, order)) for order in orders))
        return [
            CancelAnswered(account=book.account, ts_ns=now_ns(), client_order_id=order.client_order_id, answer=answer)
            for order, answer in zip(orders, answers, strict=True)
        ]


def is_asked(account: AccountState, book: Book, names: Iterable[str]) -> bool:
    """Whether each order of a kill has been asked for, or works no more."""
    return all(name in account.withdrawn or name not in book.working for name in names)


def told(account: AccountState, names: Iterable[str]) -> list[CancelAnswered]:
    """What the venue has said to the cancels of a kill."""
    return [
        CancelAnswered(
            account=account.account, ts_ns=now_ns(), client_order_id=name, answer=account.withdrawn[name].answer
        )
        for name in islice((name for name in names if name in account.withdrawn), _MOST_TOLD)
    ]


def killed(account: AccountState, book: Book, names: Sequence[str]) -> KillReply:
    """What became of the cancels; an order that is final needed none."""
    accepted = {name for name, one in account.withdrawn.items() if one.answer.outcome == "accepted"}
    failed = [name for name in names if name in book.working and name not in accepted]
    return KillReply(asked=[name for name in names if name not in failed], failed=failed)


def refused(answered: CancelAnswered) -> CancelRefused:
    """What the caller of a cancel is told that its venue refuses."""
    reason, text = answered.answer.reason, answered.answer.text
    says = f"the venue refuses to cancel {answered.client_order_id}: {reason}"
    return CancelRefused(f"{says}, {text}" if text else says, reason=reason, said=text)


class _NotSent(VenueUnavailable, Rejected):
    """To its caller VenueUnavailable; and as what is Rejected it ends the intent of the call."""


def _asked(order: Order) -> Change:
    return CancelAsked(account=order.account, ts_ns=now_ns(), client_order_id=order.client_order_id)


def _cancel(book: Book, order: Order) -> Cancel:
    """By the names that are known by now."""
    latest = book.orders.get(order.client_order_id, order)
    return Cancel(
        account=order.account,
        instrument=order.instrument,
        client_order_id=order.client_order_id,
        venue_order_id=latest.venue_order_id,
    )
