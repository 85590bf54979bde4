"""Orders that are decided and not journaled yet, and the account as it will be with them.

An order is decided by what those before it hold back, have filled and cost. What one request asks for is journaled as a
whole, so all of that is foreseen. What others of the same turn have decided may yet be given up: then nothing may rest
on it but money that is held back for too long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar

from aegis.accounting.book import trade_key
from aegis.accounting.charges import order_fees
from aegis.accounting.holdings import Holding, holding_key
from aegis.accounting.lifecycle import answered
from aegis.contracts.orders import Order
from aegis.contracts.venue import InstrumentTerms, Submit, Submitted
from aegis.paper.domain.account import PaperAccount
from aegis.paper.domain.applying import trade_of
from aegis.paper.domain.changes import Entered

__all__ = ["Coming", "Foresight", "is_apart"]

Value = TypeVar("Value")

_ACCEPTED: Final = Submitted(outcome="accepted", reason="")


class Coming(NamedTuple):
    """An order that is decided; `order` is None where it is refused."""

    entered: Entered
    order: Order | None


def is_apart(others: Iterable[Coming], ask: Submit) -> bool:
    """Whether an order can be decided beside those of other requests: none trades, brings terms, or has its name."""
    return not any(
        one.fills or one.terms is not None or one.order.client_order_id == ask.client_order_id for one, _ in others
    )


class Foresight:
    """Within it the account is as it will be, for as long as nothing else runs; behind it, as it was.

    `number` is that of the next order. Of those decided before some may be journaled by now.
    """

    def __init__(self, account: PaperAccount, decided: Sequence[Coming]) -> None:
        book = account.opened.book
        self.number = account.opened.orders_made + 1
        self._book = book
        self._others = [one for one in decided if one.entered.order.client_order_id not in book.orders]
        self._money = book.commission, book.close_profit
        self._entered: list[str] = []
        self._trades: list[str] = []
        self._holdings: dict[str, Holding | None] = {}  # as they were
        self._terms: dict[str, InstrumentTerms | None] = {}

    def __enter__(self) -> Self:
        for one in self._others:
            self.add(one)
        return self

    def add(self, one: Coming) -> None:
        """One more is decided."""
        self.number += 1
        if (terms := one.entered.terms) is not None:
            self._terms.setdefault(terms.instrument, self._book.terms.get(terms.instrument))
            self._book.terms[terms.instrument] = terms
        if one.order is None:
            return
        book, entered = self._book, one.entered
        order = answered(one.order, _ACCEPTED, entered.ts_ns)
        book.commission += order_fees(book.terms[order.instrument], order)
        if entered.ended and not entered.fills:
            return
        self._entered.append(order.client_order_id)
        book.enter(order, entered.hold_price)
        if entered.fills:
            self._fill(order, entered)
        if entered.ended:
            book.release(order.client_order_id)

    def _fill(self, order: Order, entered: Entered) -> None:
        book = self._book
        key = holding_key(order.instrument, order.direction, order.hedge)
        if key not in self._holdings:
            before = book.holdings.get(key)
            self._holdings[key] = None if before is None else before.copy()
        for fill in entered.fills:
            trade = trade_of(order, fill, f"ahead-{len(self._trades)}", entered.ts_ns)
            book.book(book.orders[order.client_order_id], trade)
            self._trades.append(trade_key(trade))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        book = self._book
        for name in self._entered:
            book.forget(name)
        for key in self._trades:
            del book.trades[key]
        _put_back(book.holdings, self._holdings)
        _put_back(book.terms, self._terms)
        book.commission, book.close_profit = self._money


def _put_back(there: dict[str, Value], before: Mapping[str, Value | None]) -> None:
    for key, value in before.items():
        if value is None:
            del there[key]
        else:
            there[key] = value
