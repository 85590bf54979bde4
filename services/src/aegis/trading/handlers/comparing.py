"""An account against its venue: when its key comes here, each minute, at a new trading day, and when somebody asks.

What the venue tells in several answers counts only if nothing moved meanwhile, and a difference only if it is seen
twice. Then the account is close-only, and somebody is told. For an account that trades all the time nothing ever
stands still: where its comparison is overdue, its new orders wait for one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog

from aegis.accounting.book import Book
from aegis.contracts.orders import UNCONFIRMED
from aegis.contracts.reasons import explained
from aegis.contracts.trading import PAGE, OrderRejected, ReconcileReply, VenueUnavailable
from aegis.contracts.venue import InstrumentTerms
from aegis.trading.domain.changes import (
    Adopted,
    BooksTaken,
    Change,
    DayRolled,
    ModeSet,
    RulesSet,
    TermsLearned,
    TradeTold,
)
from aegis.trading.domain.reconciliation import Compared, catch_up, compare, settled_prices, without_terms
from aegis.trading.handlers.acting import Acting
from aegis.trading.handlers.opening import Opening, Told, ask
from aegis.trading.handlers.reporting import cash_moved, tell_unasked
from aegis.trading.keys import AccountState, KeyState, now_ns
from aegis.trading.moving import Moving
from aegis.trading.stores import StatementStore
from aegis_sdk.errors import AegisError, Moved

__all__ = ["Comparing"]

_log = structlog.get_logger("aegis.trading")

_TRIES: Final = 5
_AT_ONCE: Final = 32
_BETWEEN_S: Final = 0.2  # tries, and the two looks at a difference: reports that are under way arrive meanwhile
_AGAIN_S: Final = (0.1, 5.0)
_HOLD_AFTER: Final = 3
"""After so many intervals without a comparison orders wait for one, once in an interval, for so long at most:"""
_HOLD_S: Final = 10.0
_TELL_AFTER: Final = 5
"""After so many somebody is told."""


_LATE: Final = "not_compared"


class Comparing:
    """Keeps accounts in step with their venues."""

    def __init__(self, acting: Acting, moving: Moving, statements: StatementStore, every_s: float) -> None:
        self._acting = acting
        self._opening = Opening(acting)
        self._moving = moving
        self._statements = statements
        self._every_s = every_s

    async def run(self, state: KeyState, account: AccountState) -> None:
        """Compare now, and whenever it is due. Ends when the key is held no more."""
        pause_s = _AGAIN_S[0]
        account.compared_at = time.monotonic()
        while True:
            account.due.clear()
            try:
                await self.now(state, account)
                pause_s, wait_s = _AGAIN_S[0], self._every_s
            except Moved:
                return
            except AegisError as error:
                ready = account.ready.is_set()
                _log.warning("not_compared", account=account.account, ready=ready, reason=str(error))
                self._tell_late(account, error)
                wait_s = pause_s
                pause_s = min(pause_s * 2, _AGAIN_S[1])
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await account.due.wait()

    async def now(self, state: KeyState, account: AccountState) -> ReconcileReply:
        """Catch up, compare, and be ready for orders. Raises what the venue or the ledger raises, VenueUnavailable too.

        OrderRejected: its books are those of another env, or of another key.

        An account that does not stand still is caught up with and not compared: VenueUnavailable. It is ready only
        where it was before.
        """
        async with account.comparing:
            self._require_here(state, account)
            fetched = await self._fetch(state, account)
            day = await self._acting.venue(account.account).trading_day(account.account)
            await self._confirm(account, day)
            opened = state.group.books.get(account.account)
            if opened is None or opened.opening:
                await self._opening.open(state, account, day)
            book = state.book(account.account)
            await self._set_rules(state, book)
            if day > book.trading_day:
                await self._roll(state, account, book, day)
                fetched += await self._fetch(state, account)
            reply = await self._compare_in_peace(state, account, book, fetched)
        account.compared_at = time.monotonic()
        account.hold_at = account.compared_at + _HOLD_AFTER * self._every_s
        account.alerted.discard(_LATE)
        account.ready.set()
        return reply

    def _tell_late(self, account: AccountState, error: AegisError) -> None:
        """Once, of one that trades all the same; of a venue that is away others tell."""
        seconds = time.monotonic() - account.compared_at
        if account.ready.is_set() and seconds > _TELL_AFTER * self._every_s and _LATE not in account.alerted:
            account.alerted.add(_LATE)
            self._acting.tell(account.account, _LATE, f"it trades, and was not compared for {seconds:.0f} s: {error}")

    def _require_here(self, state: KeyState, account: AccountState) -> None:
        """Raises OrderRejected, and tells once, where the books are those of another env, or of another key."""
        refusal = self._acting.not_here(account.account, state.group.books.get(account.account))
        if refusal is None:
            return
        if refusal.reason not in account.alerted:
            account.alerted.add(refusal.reason)
            self._acting.tell(account.account, "mismatch", f"{refusal.detail}: no order is taken")
        raise OrderRejected(str(refusal), reason=refusal.reason, **refusal.figures)

    async def take(self, state: KeyState, account: AccountState, reason: str) -> ReconcileReply:
        """Take the venue's positions and money for ours, as somebody has decided; and compare.

        Books of another env begin anew, and those of an account that comes from another key, halted: nobody here knows
        in which mode it was there. Raises as `now` does, VenueUnavailable where the account does not stand still, and
        OrderRejected while that key is held. Orders and trades that differ, as what the venue has lost, go on doing so
        until their day ends.
        """
        async with account.comparing:
            day = await self._acting.venue(account.account).trading_day(account.account)
            book = state.group.books.get(account.account)
            if book is None or self._acting.not_here(account.account, book):
                came_from = await self._moving.leave(account.account)
                await self._confirm(account, day)
                await self._opening.open(state, account, day, came_from)
                await self._moving.arrive(account.account)
            elif day == book.trading_day:
                await self._fetch(state, account)
                await self._take(state, account, book, reason)
            else:
                raise explained(VenueUnavailable, "day_ends", account=account.account, day=book.trading_day)
        return await self.now(state, account)

    async def _take(self, state: KeyState, account: AccountState, book: Book, reason: str) -> None:
        for _ in range(_TRIES):
            seen = account.activity
            told = await ask(self._acting, account, book.trading_day)
            tell_unasked(self._acting, account, book, await self._catch_up(state, book, told))
            await account.until_taken()
            if account.activity == seen and not account.asked:
                taken = BooksTaken(
                    account=book.account,
                    ts_ns=now_ns(),
                    state=told.state,
                    positions=list(told.positions),
                    reason=reason or "taken",
                )
                await self._acting.commit(state.key, [taken])
                account.alerted.clear()
                _log.warning("books_taken", account=book.account, positions=len(told.positions), reason=reason)
                return
            await asyncio.sleep(_BETWEEN_S)
        raise explained(VenueUnavailable, "restless", account=book.account)

    async def _set_rules(self, state: KeyState, book: Book) -> None:
        """The venue's own word and the accounts file count, also if they changed since the account was opened."""
        rules = await self._acting.venue(book.account).rules(book.account, self._acting.accounts[book.account].rules)
        if book.rules != rules:
            await self._acting.commit(state.key, [RulesSet(account=book.account, ts_ns=now_ns(), rules=rules)])
            _log.info("rules_set", account=book.account, **rules.model_dump())

    # A new day

    async def _roll(self, state: KeyState, account: AccountState, book: Book, day: str) -> None:
        """Yesterday's settlement prices are those by which the venue has settled: what it has yesterday's lots at.

        Where some of today are among these already it is the day's PreSettlementPrice. A venue may have settled before
        it knew of that, as the paper venue does of what has not ticked yet. What was reported before is booked before.
        What it has no more of a contract behind its last day has ended there, in money that only it knows.
        """
        account.ready.clear()
        await account.until_taken()
        held = sorted(book.held)
        fresh: list[InstrumentTerms] = []
        for first in range(0, len(held), _AT_ONCE):
            fresh += await self._acting.venue(book.account).terms(book.account, held[first : first + _AT_ONCE])
        settled = {one.instrument: one.pre_settlement_price for one in fresh}
        prices = {name: price for name, price in settled.items() if price is not None}
        ended = book.held_past(day)
        if held:
            positions = await self._acting.venue(book.account).positions(book.account)
            prices |= settled_prices(positions, book.terms)
            ended -= {one.instrument for one in positions}
        money = await self._acting.venue(book.account).account(book.account) if ended else None
        if money is not None and money.trading_day != day:
            raise explained(VenueUnavailable, "day_ends", account=book.account, day=day)
        account.missed()  # what was reported of this day already found books of another one
        rolled = DayRolled(
            account=book.account,
            ts_ns=now_ns(),
            trading_day=day,
            settlements=prices,
            ended=sorted(ended),
            pre_balance=money and money.pre_balance,
        )
        learned = [TermsLearned(account=book.account, ts_ns=now_ns(), terms=one) for one in fresh]
        await self._acting.commit(state.key, [rolled, *learned])
        account.alerted.clear()
        _log.info("day_rolled", account=book.account, trading_day=day, settlements=len(prices), ended=rolled.ended)

    async def _confirm(self, account: AccountState, day: str) -> None:
        """The statement of the day before: confirmed and stored once, whoever holds the account.

        A counter that has lost that, as a refused order shows, is told again.
        """
        name, is_lost = account.account, account.is_unconfirmed
        if not is_lost and await self._statements.has(name, day):
            return
        text = await self._acting.venue(name).confirm_settlement(name)
        account.is_unconfirmed = False
        await self._statements.put(name, day, text)
        if is_lost and UNCONFIRMED not in account.alerted:
            account.alerted.add(UNCONFIRMED)
            says = (
                "an order was refused, since its venue knew of no confirmed settlement statement; it is confirmed again"
            )
            self._acting.tell(name, "settlement", says)

    # Comparing

    async def _fetch(self, state: KeyState, account: AccountState) -> list[Change]:
        """Book what was missed. What is reported waits for that, since what a close earns depends on what came before.

        Nothing of a day that the books do not have yet.
        """
        book = state.group.books.get(account.account)
        if book is None or book.opening or account.is_whole.is_set():
            return []
        holes, venue = account.holes, self._acting.venue(account.account)
        orders, trades = await venue.orders(account.account), await venue.trades(account.account)
        await self._acting.learn(state, book, without_terms(book, [*orders, *trades]))
        changes = await self._booked(state, catch_up(book, orders, trades, now_ns()))
        account.fetched(holes)
        tell_unasked(self._acting, account, book, changes)
        return changes

    async def _compare_in_peace(
        self, state: KeyState, account: AccountState, book: Book, fetched: Sequence[Change]
    ) -> ReconcileReply:
        """Compare; new orders wait where that is overdue. Raises VenueUnavailable where it did not stand still."""
        now = time.monotonic()
        if not account.ready.is_set() or now < account.hold_at:
            return await self._compare(state, account, book, fetched)
        account.hold_at = now + self._every_s
        _log.info("orders_wait", account=book.account, uncompared_s=round(now - account.compared_at))
        with account.held():
            try:
                async with asyncio.timeout(_HOLD_S):
                    await account.answered.wait()
                    return await self._compare(state, account, book, fetched)
            except TimeoutError:
                raise explained(
                    VenueUnavailable, "restless_alone", account=book.account, seconds=f"{_HOLD_S:g}"
                ) from None

    async def _compare(
        self, state: KeyState, account: AccountState, book: Book, fetched: Sequence[Change]
    ) -> ReconcileReply:
        """What is found, behind what was `fetched`. Raises VenueUnavailable where the account did not stand still."""
        adopted = [change.client_order_id for change in fetched if isinstance(change, Adopted)]
        booked = sum(isinstance(change, TradeTold) for change in fetched)
        before: list[str] | None = None
        for _ in range(_TRIES):
            seen = account.activity
            told = await ask(self._acting, account, book.trading_day)
            changes = await self._catch_up(state, book, told)
            adopted += tell_unasked(self._acting, account, book, changes)
            booked += sum(isinstance(change, TradeTold) for change in changes)
            await account.until_taken()
            if account.activity == seen and not account.asked:
                found = compare(book, told.orders, told.trades, told.positions, told.state)
                said = [str(one) for one in found.differences]
                if not said or said == before:
                    await self._conclude(state, account, book, found)
                    return ReconcileReply(
                        verdict=found.verdict,
                        differences=found.differences[:PAGE],
                        adopted=adopted,
                        trades_booked=booked,
                    )
                if before is None:  # what the venue knows may not have been told us: it is asked, before anybody is
                    await self._acting.venue(book.account).look_up(book.account)
                before = said
            await asyncio.sleep(_BETWEEN_S)
        raise explained(VenueUnavailable, "restless", account=book.account)

    async def _catch_up(self, state: KeyState, book: Book, told: Told) -> list[Change]:
        missing = without_terms(book, [*told.orders, *told.trades, *told.positions])
        await self._acting.learn(state, book, missing | book.held)
        changes = catch_up(book, told.orders, told.trades, now_ns())
        if (moved := cash_moved(book, told.state)) is not None:
            changes.append(moved)
        return await self._booked(state, changes)

    async def _booked(self, state: KeyState, changes: list[Change]) -> list[Change]:
        if changes:
            await self._acting.commit(state.key, changes)
        return changes

    async def _conclude(self, state: KeyState, account: AccountState, book: Book, found: Compared) -> None:
        account.differences = len(found.differences)
        if not found.differences:
            return
        self._acting.counts.mismatches += 1
        first = found.differences[0]
        says = f"{len(found.differences)} figures differ: {first.what} {first.of} {first.field} "
        text = f"{says}is {first.ours} here and {first.theirs} at the venue"
        if text not in account.alerted:
            account.alerted.add(text)
            self._acting.tell(book.account, "mismatch", text)
        if book.mode == "normal":
            change = ModeSet(account=book.account, ts_ns=now_ns(), mode="close_only", at_least=True, reason="mismatch")
            await self._acting.commit(state.key, [change])
