"""One account of the venue: what all its journaled changes add up to. `restore(snapshot(x)) == x`.

Orders, trades, positions and money of the trading day are a `Book`, counted by CTP's rules. What is here beside it is
what only a venue has: the numbers it gives, the names it has seen, and how many reports it has made.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter

from aegis.accounting.book import Book
from aegis.contracts.orders import Order
from aegis.contracts.paper import PaperReport
from aegis.contracts.venue import Submit

__all__ = ["MOST_NAMES", "AccountState", "PaperAccount", "order_of", "restore", "snapshot"]

MOST_NAMES: Final = 200_000
"""Of an account, over the trading day and the one before; then orders are refused until the day after."""
_KEPT_REPORTS: Final = 20_000


@dataclass(slots=True)
class AccountState:
    """What a snapshot holds. `names` says on which trading day a client_order_id was used, or made void."""

    book: Book
    mark: str
    orders_made: int = 0
    trades_made: int = 0
    reports_made: int = 0
    names: dict[str, str] = field(default_factory=dict[str, str])


class PaperAccount:
    """An account in memory: its state, None before it was opened, and what follows from it."""

    def __init__(self, state: AccountState | None = None) -> None:
        self.state = state
        self.reports: deque[PaperReport] = deque(maxlen=_KEPT_REPORTS)  # the latest; not in snapshots
        self.waiting: dict[str, dict[str, None]] = {}  # working orders by instrument, oldest first
        self.numbers: dict[str, str] = {}  # the day's venue_order_id to client_order_id
        if state is not None:
            self.index()

    @property
    def opened(self) -> AccountState:
        """The state, where it is known that there is one."""
        assert self.state is not None, "the account was opened"
        return self.state

    def index(self) -> None:
        """Work out anew what follows from the state."""
        book = self.opened.book
        self.waiting = {}
        self.numbers = {order.venue_order_id: name for name, order in book.orders.items()}
        for order in book.working_orders():
            self.waiting.setdefault(order.instrument, {})[order.client_order_id] = None

    def note(self, order: Order) -> None:
        """An order is new, or has changed."""
        self.numbers[order.venue_order_id] = order.client_order_id
        names = self.waiting.setdefault(order.instrument, {})
        if order.is_final:
            names.pop(order.client_order_id, None)
        else:
            names[order.client_order_id] = None
        if not names:
            del self.waiting[order.instrument]

    def waiting_for(self, instrument: str) -> list[Order]:
        """Its working orders in an instrument, oldest first."""
        orders = self.opened.book.orders
        return [orders[name] for name in self.waiting.get(instrument, ())]

    def find(self, client_order_id: str, venue_order_id: str) -> Order | None:
        """An order of the day by either name; both, where both are given, must be its own."""
        name = client_order_id or self.numbers.get(venue_order_id, "")
        order = self.opened.book.orders.get(name)
        return None if order is None or venue_order_id not in ("", order.venue_order_id) else order

    def reports_after(self, sequence: int, most: int) -> tuple[list[PaperReport], bool]:
        """The reports behind a number, and whether none of those is missing here."""
        first = self.reports[0].sequence if self.reports else self.opened.reports_made + 1
        if sequence + 1 < first or sequence > self.opened.reports_made:
            return [], False
        start = sequence + 1 - first
        return [self.reports[at] for at in range(start, min(start + most, len(self.reports)))], True


def order_of(book: Book, ask: Submit, venue_order_id: str, ts_ns: int) -> Order:
    """What was asked for, as an order that nothing has become of yet."""
    return Order(
        account=ask.account,
        env=book.env,
        client_order_id=ask.client_order_id,
        request_id=ask.client_order_id,
        strategy_id="",
        instrument=ask.instrument,
        side=ask.side,
        offset=ask.offset,
        hedge=ask.hedge,
        type=ask.type,
        price=ask.price,
        volume=ask.volume,
        status="pending",
        venue_order_id=venue_order_id,
        trading_day=book.trading_day,
        ts_created_ns=ts_ns,
        ts_updated_ns=ts_ns,
    )


_STATE: Final = TypeAdapter(AccountState)


def snapshot(account: PaperAccount) -> bytes:
    """All of its state as JSON; `null` before it was opened."""
    return b"null" if account.state is None else _STATE.dump_json(account.state)


def restore(data: bytes | None) -> PaperAccount:
    """What `snapshot` wrote, without reports. Raises pydantic's ValidationError for anything else."""
    return PaperAccount() if data in (None, b"null") else PaperAccount(_STATE.validate_json(data))
