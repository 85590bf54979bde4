"""The first start of an account: its books are what its venue has.

Orders, trades, and last of all positions and money are one entry of the journal, or several where none holds them. The
books are *opening* until the last is stored. Whoever comes behind one that died between two of them tells all of it
again: what is stored already changes nothing, and where the day is another one the books begin anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog

from aegis.contracts.reasons import explained
from aegis.contracts.trading import VenueUnavailable
from aegis.contracts.venue import VenueAccount, VenueOrder, VenuePosition, VenueTrade
from aegis.trading.domain.applying import apply
from aegis.trading.domain.changes import AccountOpened, BooksTaken, CameFrom, Change, TermsLearned
from aegis.trading.domain.group import Group
from aegis.trading.domain.reconciliation import catch_up, without_terms
from aegis.trading.handlers.acting import Acting
from aegis.trading.handlers.reporting import tell_unasked
from aegis.trading.keys import AccountState, KeyState, now_ns

__all__ = ["Opening", "Told", "ask"]

_log = structlog.get_logger("aegis.trading")

_TRIES: Final = 5
_BETWEEN_S: Final = 0.2


class Told(NamedTuple):
    """What a venue says of an account."""

    orders: Sequence[VenueOrder]
    trades: Sequence[VenueTrade]
    positions: Sequence[VenuePosition]
    state: VenueAccount


async def ask(acting: Acting, account: AccountState, day: str) -> Told:
    """What it has on that day. Raises VenueUnavailable where the next one begins meanwhile: money is asked last."""
    name, venue = account.account, acting.venue(account.account)
    orders, trades = await venue.orders(name), await venue.trades(name)
    told = Told(orders, trades, await venue.positions(name), await venue.account(name))
    if told.state.trading_day > day:
        account.ready.clear()
        raise explained(VenueUnavailable, "day_ends", account=name, day=day)
    return told


class Opening:
    """Opens accounts that have no books, or whose books are opening."""

    def __init__(self, acting: Acting) -> None:
        self._acting = acting

    async def open(self, state: KeyState, account: AccountState, day: str, came_from: CameFrom | None = None) -> None:
        """Take the venue's books as they are. Raises what the venue or the ledger raises, VenueUnavailable too.

        With `came_from`, or in another env, whatever books there are begin anew.
        """
        name = account.account
        for _ in range(_TRIES):
            seen, holes = account.activity, account.holes
            told = await ask(self._acting, account, day)
            changes = await self._changes(name, day, told, came_from)
            if account.activity == seen:
                await self._acting.commit(state.key, changes)
                account.fetched(holes)
                tell_unasked(self._acting, account, state.book(name), changes)
                _log.info("account_opened", account=name, trading_day=day, positions=len(told.positions))
                return
            await asyncio.sleep(_BETWEEN_S)
        raise explained(VenueUnavailable, "restless", account=name)

    async def _changes(self, name: str, day: str, told: Told, came_from: CameFrom | None) -> list[Change]:
        settings = self._acting.accounts[name]
        opened = AccountOpened(
            account=name,
            ts_ns=now_ns(),
            env=settings.env,
            trading_day=day,
            pre_balance=told.state.pre_balance,
            rules=await self._acting.venue(name).rules(name, settings.rules),
            came_from=came_from,
        )
        group = Group()
        apply(group, opened)
        book = group.books[name]
        missing = sorted(without_terms(book, [*told.orders, *told.trades, *told.positions]))
        found = await self._acting.venue(name).terms(name, missing) if missing else []
        learned = [TermsLearned(account=name, ts_ns=now_ns(), terms=terms) for terms in found]
        taken = BooksTaken(
            account=name, ts_ns=now_ns(), state=told.state, positions=list(told.positions), reason="first start"
        )
        return [opened, *learned, *catch_up(book, told.orders, told.trades, now_ns()), taken]
