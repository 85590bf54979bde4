"""Orders that nobody wants any more: all of an account that was killed, and those that came late.

A cancel that a caller asks for is sent once, and its caller is told. These have no caller: they are asked for until
they work no more, over lost answers, limits, sessions and takeovers, at the account's own pace of cancels.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

import structlog

from aegis.accounting.book import Book
from aegis.contracts.orders import CAME_LATE, Order
from aegis.trading.domain.checking import check_cancel
from aegis.trading.handlers.acting import Acting
from aegis.trading.handlers.cancelling import Cancelling
from aegis.trading.keys import AccountState, KeyState, Withdrawn
from aegis_sdk.errors import AegisError, Moved

__all__ = ["Withdrawing"]

_log = structlog.get_logger("aegis.trading")

_LOOK_S: Final = 0.25
_AGAIN_S: Final = 2.0
"""An order that still works so long after its cancel was sent is asked for again; in a new session at once."""


class Withdrawing:
    """One task for each account whose key is held."""

    def __init__(self, acting: Acting, cancelling: Cancelling) -> None:
        self._acting = acting
        self._cancelling = cancelling

    async def run(self, state: KeyState, account: AccountState) -> None:
        """Ends when the key is held no more."""
        await account.opened.wait()
        while True:
            account.unwanted.clear()
            try:
                is_left = await self._ask(state, account)
            except Moved:
                return
            except AegisError as error:
                _log.info("orders_not_withdrawn", account=account.account, reason=str(error))
                is_left = True
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S if is_left else None):
                    await account.unwanted.wait()

    async def _ask(self, state: KeyState, account: AccountState) -> bool:
        """Cancel as many as may be now; whether any still works. Raises what commits raise."""
        book = state.group.books[account.account]
        orders = {order.client_order_id: order for order in self._unwanted(book)}
        for name in account.withdrawn.keys() - orders.keys():
            del account.withdrawn[name]
        session, now = self._acting.venue(account.account).session, time.monotonic()
        turn: list[Order] = []
        for name, order in orders.items():
            last = account.withdrawn.get(name)
            is_due = last is None or last.session != session or now - last.at >= _AGAIN_S
            if is_due and self._may_cancel(account, order, now):
                account.cancels.happened(now)
                turn.append(order)
        if turn:
            for one in await self._cancelling.withdraw(state, account, book, turn):
                account.withdrawn[one.client_order_id] = Withdrawn(session, now, one.answer)
        account.withdrew.set()
        return bool(orders)

    def _may_cancel(self, account: AccountState, order: Order, now: float) -> bool:
        phase = self._acting.phase(account.account, order.instrument)
        settings = self._acting.risk(account.account)
        return check_cancel(settings, phase, account.cancels.last_second(now)) is None

    def _unwanted(self, book: Book) -> list[Order]:
        """Late ones have been called not sent: whoever wanted them may have asked for others since."""
        if self._acting.not_here(book.account, book):
            return []
        if book.killed:
            return book.working_orders()
        if self._acting.risk(book.account).late_orders == "keep":
            return []
        return [order for order in book.working_orders() if order.reason == CAME_LATE]
