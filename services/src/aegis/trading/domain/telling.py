"""What is told of committed changes: numbered events, of which one entry of the journal makes one for each thing.

Numbers follow from the journal alone, in each instance the same. An entry holds what was committed together: an order
that changes twice in it, or the money that each of its orders holds back, is told once, as it is behind the entry.
"""

from __future__ import annotations

from aegis.accounting.book import Book, trade_key
from aegis.contracts.orders import Order, Trade
from aegis.trading.domain.applying import Applied
from aegis.trading.domain.group import Told

__all__ = ["Telling"]


class Telling:
    """What one entry of the journal tells; `entry` is its sequence."""

    def __init__(self, entry: int) -> None:
        self.entry = entry
        self._told: dict[tuple[str, str, object], Told] = {}

    def number(self, book: Book, applied: Applied, reason: str = "") -> list[Told]:
        """The events that a change adds: the orders, the trades, the positions, the account, in this order.

        What the entry tells already keeps its number, and says what is true now.
        """
        added: list[Told] = []
        for order in applied.orders:
            self._tell(book, "order", order.client_order_id, order, added)
        for trade in applied.trades:
            self._tell(book, "trade", trade_key(trade), trade, added)
        for key in applied.holdings:
            self._tell(book, "position", key, key, added)
        if applied.money:
            told = self._tell(book, "account", "", None, added)
            told.reason = reason or told.reason
        return added

    def _tell(self, book: Book, kind: str, name: object, what: Order | Trade | str | None, added: list[Told]) -> Told:
        told = self._told.get((book.account, kind, name))
        if told is None:
            book.sequence += 1
            told = self._told[book.account, kind, name] = Told(book.sequence, what)
            added.append(told)
        else:
            told.what = what
        return told
