"""What fails for one account by what it has: told, and nothing is opened there before somebody has looked.

Given up, the account would fail in the same way wherever it went, for its journal goes with it, and take all others
of each instance along. So it stays, with whatever of it still works: cancels, closes, queries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from aegis.trading.domain.changes import ModeSet
from aegis.trading.handlers.acting import Acting
from aegis.trading.keys import AccountState, KeyState, now_ns
from aegis_sdk.errors import AegisError, Moved

__all__ = ["Restricting"]

_log = structlog.get_logger("aegis.trading")

_AGAIN_S: Final = 5.0
_TODO: Final = "it is close-only until a person sets another mode; `aegis logs trading` has the traceback"


class Restricting:
    """Keeps what is done for accounts going, and makes those close-only for which it fails."""

    def __init__(self, acting: Acting) -> None:
        self._acting = acting

    async def kept(self, account: AccountState, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do it until it ends: again where it fails, after a while."""
        while True:
            try:
                await work()
                return
            except Exception as error:
                _log.exception("account_fails", account=account.account, what=what, again_s=_AGAIN_S)
                account.failed(what, error)
            await asyncio.sleep(_AGAIN_S)

    async def run(self, state: KeyState, account: AccountState) -> None:
        """Ends when the key is held no more."""
        while True:
            await account.faulted.wait()
            try:
                await self._restrict(state, account)
            except Moved:
                return
            except AegisError as error:
                _log.warning("not_restricted", account=account.account, reason=str(error), again_s=_AGAIN_S)
                await asyncio.sleep(_AGAIN_S)

    async def _restrict(self, state: KeyState, account: AccountState) -> None:
        """Tell each fault once a day, and let the account be close-only. Raises what commits raise."""
        for what, error in account.faults.items():
            if (name := f"fault {what}") not in account.alerted:
                account.alerted.add(name)
                self._acting.tell(account.account, "fault", f"{what} fails: {error!r:.300}; {_TODO}")
        account.faults.clear()
        account.faulted.clear()
        book = state.group.books.get(account.account)
        if book is not None and book.mode == "normal":
            change = ModeSet(account=book.account, ts_ns=now_ns(), mode="close_only", at_least=True, reason="fault")
            try:
                await self._acting.commit(state.key, [change])
            except AegisError:
                account.faulted.set()  # it is normal yet
                raise
