"""Orders that a book is about to have, and the book as it will be with them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from aegis.accounting.book import Book
from aegis.accounting.holds import HeldBack, Hold
from aegis.accounting.resting import Resting
from aegis.contracts.amounts import Price
from aegis.contracts.orders import Order

__all__ = ["Ahead"]


class Ahead:
    """What they come to is counted once, however often the book is looked at with them."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._holds: dict[str, Hold] = {}
        self._resting, self._total = Resting(), HeldBack()

    @contextmanager
    def of(self, book: Book) -> Generator[None]:
        """The book with all of them that it has not by now; to be looked at only, for as long as nothing else runs.

        `holds` stays as it is: what they hold back is in `total`.
        """
        for name in self._orders.keys() & book.orders.keys():
            self._drop(name)
        self._resting.base, self._total.base = book.resting, book.total
        book.resting, book.total = self._resting, self._total
        book.orders.update(self._orders)
        book.working.update(dict.fromkeys(self._orders))
        try:
            yield
        finally:
            book.resting, book.total = self._resting.base, self._total.base
            for name in self._orders:
                del book.orders[name], book.working[name]

    def add(self, book: Book, order: Order, price: Price) -> None:
        """One more that works, a lot of it at that price at most; within `of`, and none that the book has."""
        name = order.client_order_id
        self._orders[name] = book.orders[name] = order
        book.working[name] = None
        self._resting.add(order)
        if order.instrument in book.terms:
            hold = self._holds[name] = book.hold_for(order, price)
            self._total.add(hold)

    def _drop(self, name: str) -> None:
        self._resting.remove(self._orders.pop(name))
        if (hold := self._holds.pop(name, None)) is not None:
            self._total.remove(hold)
