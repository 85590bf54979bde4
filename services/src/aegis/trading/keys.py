"""What an instance has of a key: the journaled state of its accounts, and beside it what lives only here."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

import structlog

from aegis.accounting.book import Book
from aegis.contracts.amounts import Price
from aegis.contracts.orders import CAME_LATE, UNCONFIRMED
from aegis.contracts.reasons import explained
from aegis.contracts.trading import VenueUnavailable
from aegis.contracts.venue import Submitted, VenueReport
from aegis.trading.domain.applying import apply
from aegis.trading.domain.begun import begin, end
from aegis.trading.domain.changes import Change, ModeSet, OrdersIntended, read_changes
from aegis.trading.domain.group import Group, Told, restore, snapshot
from aegis.trading.domain.situation import Pace
from aegis.trading.domain.telling import Telling
from aegis.trading.domain.views import Event, event_of
from aegis.trading.outbox import Outbox
from aegis_sdk.errors import NotFound
from aegis_sdk.single_active import Committed

__all__ = ["AccountState", "KeyState", "Withdrawn", "now_ns"]

_log = structlog.get_logger("aegis.trading")

_REPORTS: Final = 20_000
_TAKEN_S: Final = 0.2
_NOTHING: Final = b"null"

Marks = Callable[[str], Mapping[str, Price]]
Tell = Callable[[str, str, str], None]
"""Alerts: of whom, what, text."""


def now_ns() -> int:
    """The time of a change."""
    return time.time_ns()


class Withdrawn(NamedTuple):
    """A cancel without a caller: in which session of the venue it was asked for last, when, and what it said."""

    session: str
    at: float
    answer: Submitted


class AccountState:
    """An account as this instance acts for it. `ready`: compared with its venue since it came here; orders may be sent.

    `compared_at` and `hold_at` are of `time.monotonic`: from `hold_at` on new orders wait for a comparison.
    `activity` counts what may move the venue's state: reports that came, orders that were sent. While it stands still,
    what the venue tells in several answers is of one moment.
    """

    def __init__(self, account: str, event_of: Callable[[Told], Event]) -> None:
        self.account = account
        self.ready = asyncio.Event()
        self.free = asyncio.Event()  # no order waits for a comparison
        self.free.set()
        self.due = asyncio.Event()  # a comparison with the venue
        self.holes = 0  # so often reports may have been missed
        self.is_whole = asyncio.Event()  # what was missed is booked
        self.is_unconfirmed = False  # it has refused an order for want of a settlement statement
        self.compared_at = self.hold_at = time.monotonic()
        self.unwanted = asyncio.Event()  # an order that is to be cancelled may work
        self.withdrawn: dict[str, Withdrawn] = {}  # those that are being cancelled, and work yet
        self.withdrew = asyncio.Event()  # some of them have been asked for
        self.comparing = asyncio.Lock()
        self.opened = asyncio.Event()  # it has a book
        self.reports: deque[VenueReport] = deque()
        self.news = asyncio.Event()  # there are reports
        self.taken = asyncio.Event()  # all of them are committed
        self.taken.set()
        self.orders = Pace()
        self.cancels = Pace()
        self.activity = 0
        self.asked = 0  # orders and cancels that the venue has not answered yet
        self.answered = asyncio.Event()  # there are none
        self.answered.set()
        self.reports_dropped = 0
        self.differences = 0
        self.alerted: set[str] = set()
        self.faults: dict[str, Exception] = {}  # what of it fails, and has not been dealt with
        self.faulted = asyncio.Event()  # there are some
        self.outbox = Outbox(account, event_of, partial(self.failed, "event"))

    def failed(self, what: str, error: Exception) -> None:
        """Something that is done for this account fails by what it has, as it would wherever the account went."""
        self.faults[what] = error
        self.faulted.set()

    @contextmanager
    def asking(self) -> Generator[None]:
        """While the venue is asked to take or to cancel an order."""
        self.activity += 1
        self.asked += 1
        self.answered.clear()
        try:
            yield
        finally:
            self.activity += 1
            self.asked -= 1
            if not self.asked:
                self.answered.set()

    def unconfirmed(self) -> None:
        """Orders wait until its statement is confirmed again."""
        self.is_unconfirmed = True
        self.ready.clear()
        self.due.set()

    def heard(self, report: VenueReport) -> None:
        """A report waits to be committed. One that has no room is fetched by a comparison."""
        self.activity += 1
        if len(self.reports) >= _REPORTS:
            self.reports_dropped += 1
            self.missed()
            return
        self.reports.append(report)
        self.taken.clear()
        self.news.set()

    def missed(self) -> None:
        """Reports may be missing: those that come wait, since trades are booked in their order, and one is due."""
        self.holes += 1
        self.is_whole.clear()
        self.due.set()

    def fetched(self, holes: int) -> None:
        """What had been missed when there were so many holes is booked."""
        if holes == self.holes:
            self.is_whole.set()

    async def until_taken(self) -> None:
        """Return when the reports that have come are committed; not much later, since they may wait for us."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_TAKEN_S):
                await self.taken.wait()

    @contextmanager
    def held(self) -> Generator[None]:
        """While new orders wait for a comparison."""
        self.free.clear()
        try:
            yield
        finally:
            self.free.set()

    def require_ready(self) -> None:
        """Raises VenueUnavailable where no order may be sent now: its venue is away, or its day has just ended."""
        if not self.ready.is_set():
            raise explained(VenueUnavailable, "not_compared", account=self.account)

    async def until_ready(self, seconds: float) -> None:
        """Return when orders may be sent. Raises VenueUnavailable where that takes longer."""
        if not (self.ready.is_set() and self.free.is_set()):
            with suppress(TimeoutError):
                async with asyncio.timeout(max(seconds, 0)):
                    await self.ready.wait()
                    await self.free.wait()
        self.require_ready()
        if not self.free.is_set():
            raise explained(VenueUnavailable, "held_back", account=self.account)


class KeyState:
    """Begun anew each time the key comes here."""

    def __init__(self, key: str, accounts: Iterable[str], state: bytes | None, marks: Marks, tell: Tell) -> None:
        self.key = key
        self.is_active = False  # replayed, and held since
        self.group: Group = restore(state)
        self.accounts = {account: AccountState(account, partial(self._event_of, account)) for account in accounts}
        self.first_asked: dict[str, float] = {}  # since when an intent is known to be open, by idempotency key
        self.looked_up: dict[str, float] = {}  # when a venue was asked for an account's orders last, and has answered
        self.notes: Counter[str] = Counter()
        self._marks = marks
        self._tell = tell
        self._telling = Telling(0)
        for account in self.group.books.keys() & self.accounts.keys():
            self.accounts[account].opened.set()
            self.accounts[account].outbox.add(self.group.untold.pop(account, []))

    def apply(self, entry: Committed) -> None:
        """Take what was committed into the state; its events wait to be published."""
        changes: Sequence[Change] = [] if entry.data == _NOTHING else read_changes(entry.data)
        if entry.kind == "intent":
            begin(self.group, entry.idempotency_key, changes)
        elif entry.idempotency_key:
            changes = end(self.group, entry.idempotency_key, changes)
        if entry.sequence != self._telling.entry:
            self._telling = Telling(entry.sequence)
        for change in changes:
            applied = apply(self.group, change)
            account = self.accounts.get(change.account)
            for note in applied.notes:
                self._noted(account, change, note)
            if account is None or not applied.tells:
                continue
            account.opened.set()
            if isinstance(change, OrdersIntended):
                account.activity += 1
            reason = change.reason if isinstance(change, ModeSet) else ""
            book = self.group.books[change.account]
            if book.killed or any(order.reason == CAME_LATE for order in applied.orders):
                account.unwanted.set()
            if self.is_active and any(order.reason == UNCONFIRMED for order in applied.orders):
                account.unconfirmed()
            account.outbox.add(self._telling.number(book, applied, reason))

    def _noted(self, account: AccountState | None, change: Change, note: str) -> None:
        """What does not fit is in the log; and who looks after the account is told once a day, by who holds it."""
        self.notes[note] += 1
        _log.warning("change_noted", account=change.account, change=change.kind, note=note)
        if not self.is_active or account is None:
            return
        book = self.group.books.get(change.account)
        name = f"{book.trading_day if book is not None else ''} {note}"
        if name not in account.alerted:
            account.alerted.add(name)
            of = getattr(change, "client_order_id", "")
            self._tell(change.account, "note", f"{note}: {change.kind} {of}".rstrip())

    def _event_of(self, account: str, told: Told) -> Event:
        return event_of(self.group.books[account], told, self._marks(account))

    def snapshot(self) -> bytes:
        """With the events that are not known to be stored: whoever takes over cannot make them again."""
        waiting = {name: [*one.outbox.waiting] for name, one in self.accounts.items() if one.outbox}
        return snapshot(replace(self.group, untold=self.group.untold | waiting))

    def account(self, account: str) -> AccountState:
        """Raises NotFound where it is not of this key."""
        try:
            return self.accounts[account]
        except KeyError:
            raise explained(NotFound, "not_of_key", account=account, key=self.key) from None

    def book(self, account: str) -> Book:
        """Raises NotFound, and VenueUnavailable where it has none: its venue was never reached."""
        self.account(account)
        try:
            return self.group.books[account]
        except KeyError:
            raise explained(VenueUnavailable, "no_books", account=account) from None
