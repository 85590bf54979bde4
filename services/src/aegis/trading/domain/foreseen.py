"""Orders that are decided one after the other before the first of them is stored, each by what those before it take."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager

from aegis.accounting.ahead import Ahead
from aegis.trading.domain.changes import Intended
from aegis.trading.domain.group import Group

__all__ = ["Foreseen"]


class Foreseen:
    """Of one turn of a key. Some may be stored by now, and some may never be."""

    def __init__(self) -> None:
        self._ahead: dict[str, Ahead] = {}  # by account
        self._added: list[Intended] = []  # since the last look: behind the last one nobody takes another

    def add(self, intended: Iterable[Intended]) -> None:
        """These are decided."""
        self._added += intended

    @contextmanager
    def of(self, group: Group) -> Generator[None]:
        """The group as it will be with them; for as long as nothing else runs."""
        for one in self._added:
            self._ahead.setdefault(one.order.account, Ahead())
        with ExitStack() as stack:
            for account, ahead in self._ahead.items():
                stack.enter_context(ahead.of(group.books[account]))
            for one in self._added:
                book = group.books[one.order.account]
                if one.order.client_order_id not in book.orders:
                    self._ahead[book.account].add(book, one.order, one.hold_price)
            self._added.clear()
            yield
