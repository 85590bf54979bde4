"""The way of an order: decided, intended, sent, committed.

    decide      under the key's lock: nobody else decides by the same lots and the same money. Orders that waited for it
                together are decided together, each by what those before it hold
    intend      journaled and acknowledged before the venue hears of it; the lock is given back behind that
    submit      side by side with other orders; once, and only if no mode has forbidden it meanwhile
    commit      what the venue said, with the caller's reply; or its caller is told that it is not known

An order of which nobody knows keeps its intent open. `settle` finds out, here or wherever the key goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any

from aegis.accounting.book import Book
from aegis.accounting.holdings import split_key
from aegis.accounting.lifecycle import answered
from aegis.contracts.orders import Order
from aegis.contracts.reasons import explained
from aegis.contracts.trading import (
    FlattenPart,
    FlattenRequest,
    OrderRejected,
    OrderRequest,
    PlaceOrderReply,
    VenueUnavailable,
)
from aegis.contracts.venue import Submitted
from aegis.trading.domain.account_checks import mode_refusal
from aegis.trading.domain.changes import Answered, Intended, OrdersIntended, write_changes
from aegis.trading.domain.checking import narrowed
from aegis.trading.domain.foreseen import Foreseen
from aegis.trading.domain.order_checks import collar_price
from aegis.trading.domain.placing import MOST_CLOSED, at_once, closed_already, orders_of, submit_of, to_flatten
from aegis.trading.domain.situation import Refusal
from aegis.trading.handlers.acting import Acting
from aegis.trading.keys import AccountState, KeyState, now_ns
from aegis_sdk.errors import DeadlineExceeded, Moved, OutcomeUnknown, Suspended, Unavailable
from aegis_sdk.single_active import ActiveContext

__all__ = ["Placing"]


class Placing:
    """`place_order` and `flatten`."""

    def __init__(self, acting: Acting) -> None:
        self._acting = acting

    async def place(self, state: KeyState, request: OrderRequest, context: ActiveContext) -> PlaceOrderReply:
        account = state.account(request.account)
        await self._prepare(state, account, {request.instrument}, context)
        async with context.lock.together() as decided:
            account.require_ready()
            book = state.book(request.account)
            foreseen = _foreseen(decided)
            with self._acting.counts.timed("decide"), foreseen.of(state.group):
                intended = self._decide(state, book, request)
            foreseen.add(intended)
            await self._intend(account, intended, context)
        answers = await self._send(book, account, intended, context, all_or_first=True)
        await self._know(state, answers, context)
        reply = PlaceOrderReply(orders=_as_answered(book, intended, answers))
        with self._acting.counts.timed("commit"):
            return await context.commit(_changes(book, answers), reply)

    def _decide(self, state: KeyState, book: Book, request: OrderRequest) -> list[Intended]:
        orders = orders_of(request, book, self._acting.env(book.account), now_ns())
        if not orders:
            raise self._acting.refused(
                Refusal.of("too_few_to_close", lots=at_once(request, book), volume=request.volume)
            )
        found = (self._acting.situation(state, book, order, before) for before, order in enumerate(orders))
        return [self._acting.checked(narrowed(one) if request.narrow else one) for one in found]

    async def flatten(self, state: KeyState, request: FlattenRequest, context: ActiveContext) -> FlattenPart:
        """Close what no order closes yet, by FAK orders at the edge of the collar; what cannot be closed is named.

        So is what working orders close already: their lots are not flat.
        """
        account = state.account(request.account)
        self._acting.confirmed(request.account, request.confirm)
        held = {split_key(key)[0] for key in state.book(request.account).holdings}
        await self._prepare(state, account, set(request.instruments) & held or held, context)
        refused: dict[str, str] = {}
        async with context.lock:
            account.require_ready()
            book = state.book(request.account)
            intended, after = self._closing(state, book, request, context, refused)
            if not request.after:  # behind that, what closes are the orders of the parts before
                left = closed_already(book).intersection(request.instruments or book.held)
                refused |= dict.fromkeys(sorted(left - refused.keys()), "too_few_to_close")
            if not intended:
                return FlattenPart(orders=[], refused=refused)
            await self._intend(account, intended, context)
        answers = await self._send(book, account, intended, context, all_or_first=False)
        await self._know(state, answers, context)
        reply = FlattenPart(orders=_as_answered(book, intended, answers), refused=refused, next=after)
        return await context.commit(_changes(book, answers), reply)

    def _closing(
        self, state: KeyState, book: Book, request: FlattenRequest, context: ActiveContext, refused: dict[str, str]
    ) -> tuple[list[Intended], str]:
        """The orders of one part, and after which the next one goes on; empty where none is left."""
        intended: list[Intended] = []
        beginning = f"flatten-{context.idempotency_key[-12:].translate(_PLAIN)}"
        after = ""
        for key, leg, behind in to_flatten(book, partial(self._most, book), request.after):
            instrument, direction, hedge = split_key(key)
            if request.instruments and instrument not in request.instruments:
                continue
            if len(intended) == MOST_CLOSED:
                return intended, after
            after = behind
            asked = OrderRequest(
                account=book.account,
                client_order_id=f"{beginning}-{len(intended) + 1}",
                strategy_id=request.strategy_id,
                instrument=instrument,
                side="sell" if direction == "long" else "buy",
                offset=leg.offset,
                hedge=hedge,
                type="fak",
                volume=leg.lots,
            )
            (order,) = orders_of(asked, book, self._acting.env(book.account), now_ns())
            try:
                intended.append(self._at_any_price(state, book, order))
            except OrderRejected as error:
                refused[instrument] = error.details["reason"]
        return intended, ""

    def _most(self, book: Book, instrument: str) -> int:
        terms, own = book.terms.get(instrument), self._acting.risk(book.account).max_order_lots
        return own if terms is None else min(own, terms.max_limit_volume)

    def _at_any_price(self, state: KeyState, book: Book, order: Order) -> Intended:
        """At the edge of the collar. Its rate is not bounded: what gets out is not to be kept waiting."""
        situation = self._acting.situation(state, book, order)
        price = None if situation.terms is None else collar_price(situation)
        if price is None:
            raise self._acting.refused(Refusal.of("no_price", instrument=order.instrument))
        priced = order.model_copy(update={"price": price})
        return self._acting.checked(replace(situation, order=priced, hold_price=price, orders_last_s=0))

    # The steps

    async def _prepare(
        self, state: KeyState, account: AccountState, instruments: set[str], context: ActiveContext
    ) -> None:
        """Have what a decision needs. Raises VenueUnavailable, OrderRejected, Moved or Suspended: nothing was begun.

        The paper venue knows only what ticks: so what is not known is wanted, and asked for once more.
        """
        name = account.account
        if refusal := self._acting.not_here(name, state.group.books.get(name)):  # which is never compared
            raise self._acting.refused(refusal)
        await account.until_ready(context.time_left / 2)
        book, market = state.book(name), self._acting.market
        try:
            await self._acting.learn(state, book, instruments)
            new = [one for one in instruments if await market.want(name, one)]
            await self._acting.learn(state, book, new)
        except (Unavailable, DeadlineExceeded) as error:
            raise explained(VenueUnavailable, "venue_away", text=str(error)) from error
        for instrument in set(new) - book.terms.keys():
            await market.leave(instrument)

    async def _intend(self, account: AccountState, intended: Sequence[Intended], context: ActiveContext) -> None:
        change = OrdersIntended(account=account.account, ts_ns=now_ns(), orders=list(intended))
        for _ in intended:
            account.orders.happened(monotonic())  # even if it fails now: the next one is decided meanwhile
        with self._acting.counts.timed("intend"):
            await context.intend(write_changes([change]))

    async def _send(
        self,
        book: Book,
        account: AccountState,
        intended: Sequence[Intended],
        context: ActiveContext,
        *,
        all_or_first: bool,
    ) -> list[Answered]:
        """Send one after the other; with `all_or_first` none behind one that the venue did not take."""
        answers: list[Answered] = []
        stopped = ""
        with account.asking():
            for one in intended:
                answer = Submitted(outcome="not_sent", reason=stopped)
                if not stopped:
                    answer = await self._submit(book, one.order, context)
                if all_or_first and answer.outcome != "accepted":
                    stopped = "other_leg"
                self._acting.counts.outcomes[answer.outcome] += 1
                name = one.order.client_order_id
                answers.append(Answered(account=book.account, ts_ns=now_ns(), client_order_id=name, answer=answer))
        await asyncio.sleep(0)  # what the venue has reported before its answer is journaled first
        return answers

    async def _submit(self, book: Book, order: Order, context: ActiveContext) -> Submitted:
        """Send an order, if it still may be: nothing is waited for between the last proof and the venue's call.

        Whoever was frozen since the intent was stored finds out here that others have the key. The paper venue's call
        waits for one turn of the loop for what goes with it, and that venue refuses what comes twice. An order whose
        day has ended behind its intent is gone from the books: at the venue it would be one of the new day.
        """
        try:
            await context.prove()
        except (Moved, Suspended):
            return Submitted(outcome="not_sent", reason="epoch_ended")
        if order.client_order_id not in book.orders:
            return Submitted(outcome="not_sent", reason="day_ended")
        refusal = mode_refusal(book, order)
        if refusal is not None:
            return Submitted(outcome="not_sent", reason=refusal.reason)
        with self._acting.counts.timed("submit"):
            return await self._acting.venue(book.account).submit(submit_of(order))

    async def _know(self, state: KeyState, answers: Sequence[Answered], context: ActiveContext) -> None:
        """Raise OutcomeUnknown where the venue's word is missing; what is known is committed, and the intent open."""
        lost = [one.client_order_id for one in answers if one.answer.outcome == "unknown"]
        if not lost:
            return
        with suppress(Moved, Suspended, OutcomeUnknown):  # whoever has the key then asks the venue
            await self._acting.commit(state.key, answers)
        key = context.idempotency_key
        raise explained(OutcomeUnknown, "venue_silent", orders=", ".join(lost), idempotency_key=key)


def _foreseen(decided: list[Any]) -> Foreseen:
    """What a turn has decided so far."""
    if not decided:
        decided.append(Foreseen())
    return decided[0]


_PLAIN = {number: "-" for number in range(128) if not (chr(number).isalnum() or chr(number) in "_-")}


def _changes(book: Book, answers: Sequence[Answered]) -> bytes:
    """The answers, but for those of orders whose day has ended: the books have forgotten them.

    What its venue has taken on the new day is found there by the comparison that began it.
    """
    return write_changes([one for one in answers if one.client_order_id in book.orders])


def _as_answered(book: Book, intended: Sequence[Intended], answers: Sequence[Answered]) -> list[Order]:
    """The orders as these answers leave them; reports that came meanwhile are in them."""
    return [
        answered(book.orders.get(one.client_order_id, sent.order), one.answer, one.ts_ns)
        for sent, one in zip(intended, answers, strict=True)
    ]
