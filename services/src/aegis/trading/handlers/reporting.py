"""Reports of a venue on their way into the journal: in batches, in order, each change once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog

from aegis.accounting.book import Book, trade_key
from aegis.contracts.orders import CAME_LATE
from aegis.contracts.venue import VenueAccount, VenueReport, VenueTrade
from aegis.trading.domain.changes import Adopted, CashMoved, Change, OrderTold, TradeTold
from aegis.trading.domain.checking import warnings
from aegis.trading.domain.reconciliation import catch_up, without_terms
from aegis.trading.handlers.acting import Acting
from aegis.trading.keys import AccountState, KeyState, now_ns
from aegis_sdk.errors import AegisError, Moved, OutcomeUnknown, Suspended

__all__ = ["Reporting", "cash_moved", "tell_unasked"]

_log = structlog.get_logger("aegis.trading")

_AT_ONCE: Final = 200
_GATHER_S: Final = 0.003
"""So long reports wait for the venue's answers, with which they then share an entry of the journal, and come first."""
_AGAIN_S: Final = 0.05


class Reporting:
    """What arrives is committed as long as the key is held here; the rest is for whoever takes it over."""

    def __init__(self, acting: Acting) -> None:
        self._acting = acting

    async def run(self, state: KeyState, account: AccountState) -> None:
        """Ends when the key is held no more."""
        await account.opened.wait()
        while True:
            await account.news.wait()
            account.news.clear()
            await account.is_whole.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(_GATHER_S):
                    await account.answered.wait()
            while account.reports:
                batch = [account.reports[number] for number in range(min(_AT_ONCE, len(account.reports)))]
                try:
                    await self._take(state, account, batch)
                except Moved:
                    return
                except AegisError as error:
                    _log.info("reports_wait", account=account.account, waiting=len(account.reports), reason=str(error))
                    await asyncio.sleep(_AGAIN_S)
                    continue
                for _ in batch:
                    account.reports.popleft()
                await account.is_whole.wait()
            account.taken.set()

    async def _take(self, state: KeyState, account: AccountState, batch: Sequence[VenueReport]) -> None:
        book = state.book(account.account)
        orders = [report.order for report in batch if report.order is not None]
        trades = [report.trade for report in batch if report.trade is not None]
        moneys = [report.account for report in batch if report.account is not None]
        told = [*orders, *trades]
        if any(one.trading_day > book.trading_day for one in (*told, *moneys)):
            account.ready.clear()  # a new day: nothing is sent before the books have followed
            account.missed()  # this one is of a day that they do not have yet
        await self._acting.learn(state, book, without_terms(book, told))
        changes = catch_up(book, orders, trades, now_ns())
        if moneys and (moved := cash_moved(book, moneys[-1])) is not None:
            changes.append(moved)
        if _is_puzzling(book, changes, trades):
            account.due.set()
        if changes:
            await self._commit(state, changes)
            tell_unasked(self._acting, account, book, changes)
            self._warn(state, account, book)

    async def _commit(self, state: KeyState, changes: Sequence[Change]) -> None:
        """Return when they are stored. Raises Moved where the key has gone: who has it tells what they come to."""
        is_sent = False
        while True:
            try:
                if is_sent:
                    await self._acting.held(state.key).prove()
                else:
                    await self._acting.commit(state.key, changes)
                return
            except OutcomeUnknown:
                is_sent = True  # it is stored as soon as that is possible: before anything is proved, if it is ours yet
            except Suspended:
                await asyncio.sleep(_AGAIN_S)

    def _warn(self, state: KeyState, account: AccountState, book: Book) -> None:
        """Counts of the day that have come near their limit, each told once a day."""
        for one in warnings(state.group, self._acting.risk(book.account)):
            name = f"{book.trading_day} {one.instrument} {one.counted}"
            if name not in account.alerted:
                account.alerted.add(name)
                says = f"{one.instrument}: {one.number} {one.counted} of {one.limit} on {book.trading_day}"
                self._acting.tell(book.account, "count", says)


def cash_moved(book: Book, state: VenueAccount) -> Change | None:
    """Where the venue counts other deposits or withdrawals of this day than we do."""
    same = (state.deposit, state.withdraw) == (book.deposit, book.withdraw)
    if same or state.trading_day != book.trading_day:
        return None
    return CashMoved(account=book.account, ts_ns=now_ns(), deposit=state.deposit, withdraw=state.withdraw)


def tell_unasked(acting: Acting, account: AccountState, book: Book, changes: Sequence[Change]) -> list[str]:
    """The orders that nobody here had asked for, among committed changes; these, and late ones, are said loudly.

    One that its venue has refused needs nobody, as one of ours that it refused on a day that we had not begun yet.
    """
    late = {change.client_order_id for change in changes if isinstance(change, OrderTold | TradeTold)}
    for name in sorted(late & book.orders.keys()):
        if book.orders[name].reason == CAME_LATE and name not in account.alerted:
            account.alerted.add(name)
            acting.tell(account.account, "late", f"{name} was called not sent, and its venue has it all the same")
    found = [book.orders[change.client_order_id] for change in changes if isinstance(change, Adopted)]
    names = [one.client_order_id for one in found if one.adopted and one.status != "rejected"]
    if new := [name for name in names if f"adopted {name}" not in account.alerted]:
        account.alerted.update(f"adopted {name}" for name in new)
        acting.counts.adopted += len(new)
        acting.tell(account.account, "adopted", f"the venue has orders that nobody here asked for: {', '.join(new)}")
    return names


def _is_puzzling(book: Book, changes: Sequence[Change], trades: Sequence[VenueTrade]) -> bool:
    """Whether more has happened than these reports say: an adopted order's past, a trade of an order unknown so far."""
    booked = {trade_key(change.report) for change in changes if isinstance(change, TradeTold)}
    missing = {trade_key(trade) for trade in trades} - booked - book.trades.keys()
    return bool(missing) or any(isinstance(change, Adopted) for change in changes)
