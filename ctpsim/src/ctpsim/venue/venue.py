"""The venue: takes orders, checks them as the counter and the exchange do, matches them, and books what they trade.

Each method returns what happened, in CTP's order: an order is returned as unknown, then as accepted or refused by its
exchange, then once before each of its trades. What the counter itself refuses raises Refused, and returns nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from math import isclose
from typing import Final

from aegis.contracts.market import Exchange, Quote
from aegis.exchanges.sessions import Phase
from aegis_sdk.errors import AegisError
from ctpsim.front.errors import Code, message
from ctpsim.venue.accounts import Account
from ctpsim.venue.matching import Book, Fill
from ctpsim.venue.orders import (
    Event,
    NewOrder,
    Now,
    Order,
    OrderKey,
    OrderReturned,
    PriceType,
    Status,
    Submit,
    Trade,
    Traded,
)

__all__ = ["Refused", "Venue"]

_NO_MARKET_ORDERS: Final = frozenset({Exchange.SHFE.value, Exchange.INE.value})
_MOST_LOTS: Final = 500
_WIDTH: Final = 12

QuoteOf = Callable[[str], Quote | None]


class Refused(AegisError):
    """The counter does not do it; `code` is CTP's."""

    def __init__(self, code: Code) -> None:
        super().__init__(message(code))
        self.code = code


class Venue:
    """Accounts by their ids; `quote_of` gives the market's latest quote of a contract."""

    def __init__(self, accounts: Iterable[Account], quote_of: QuoteOf) -> None:
        self.accounts = {account.account_id: account for account in accounts}
        self.orders: dict[OrderKey, Order] = {}
        self.trades: list[Trade] = []
        self._quote_of = quote_of
        self._books: dict[str, Book] = {}
        self._by_sys_id: dict[tuple[str, str], Order] = {}
        self._order_ids = self._trade_ids = 0

    def has_waiting(self, symbol: str) -> bool:
        """Whether orders wait in a contract."""
        book = self._books.get(symbol)
        return book is not None and bool(book.waiting)

    def last_price(self, symbol: str) -> float | None:
        quote = self._quote_of(symbol)
        return quote and (quote.last_price or quote.pre_settlement_price)

    def enter(self, asked: NewOrder, phase: Phase, now: Now, *, is_one_too_many: bool = False) -> list[Event]:
        """Raises Refused. `is_one_too_many`: for its exchange, in this second."""
        self._check(asked)
        quote = self._quote_of(asked.listing.symbol)
        self._order_ids += 1
        number = f"{self._order_ids:>{_WIDTH}}"
        order = Order(asked=asked, inserted=now, local_id=number)
        code = self.accounts[asked.account].freeze(order, _price(asked, quote), self.last_price)
        if code:
            raise Refused(code)
        self.orders[asked.key] = order
        events: list[Event] = [_returned(order)]
        if is_one_too_many:
            self._end(order, message(Code.TOO_MANY_A_SECOND), Submit.REJECTED)
            return [*events, OrderReturned(copy(order), Code.TOO_MANY_A_SECOND)]
        if refusal := _refusal(asked, quote, phase):
            self._end(order, f"已撤单报单被拒绝{asked.listing.exchange}:{refusal}", Submit.REJECTED)
            return [*events, OrderReturned(copy(order), Code.NOT_TRADING)]
        order.sys_id = number
        self._by_sys_id[asked.listing.exchange, number] = order
        order.submit = Submit.ACCEPTED
        order.become(Status.NOT_TRADED)
        return [*events, _returned(order), *self._match(order, quote, now)]

    def _match(self, order: Order, quote: Quote | None, now: Now) -> Iterator[Event]:
        book = self._books.setdefault(order.asked.listing.symbol, Book())
        if quote is not None:
            book.show(quote)
        for fill in book.enter(order):
            yield from self._booked(fill, now)
        if not order.is_working:
            return
        if order.asked.immediate:
            self._end(order)
            yield _returned(order)
        else:
            book.waiting.append(order)

    def cancel(self, order: Order | None, now: Now) -> list[Event]:
        """Raises Refused."""
        if order is None:
            raise Refused(Code.ORDER_NOT_FOUND)
        if not order.is_working:
            raise Refused(Code.ORDER_IS_DONE)
        order.cancelled_second = now.second
        self._books[order.asked.listing.symbol].waiting.remove(order)
        self._end(order)
        return [_returned(order)]

    def by_sys_id(self, exchange: str, sys_id: str) -> Order | None:
        """By the exchange's number of it, with its padding."""
        return self._by_sys_id.get((exchange, sys_id))

    def quote(self, quote: Quote, now: Now) -> list[Event]:
        """The market moved."""
        book = self._books.get(quote.symbol)
        if book is None:
            return []
        events = [event for fill in book.quote(quote) for event in self._booked(fill, now)]
        book.waiting = [order for order in book.waiting if order.is_working]
        return events

    def settle(self) -> None:
        """End the trading day: orders are gone without a word, and numbers of trades and orders begin anew."""
        for order in self.orders.values():
            if order.is_working:
                self._end(order)
        for account in self.accounts.values():
            account.settle(self.last_price)
        self.orders.clear()
        self.trades.clear()
        self._books.clear()
        self._by_sys_id.clear()
        self._order_ids = self._trade_ids = 0

    def _booked(self, fill: Fill, now: Now) -> Iterator[Event]:
        order, price, lots = fill
        account = self.accounts[order.asked.account]
        parts = list(account.trade(order, price, lots))
        order.traded += lots
        order.become(Status.ALL_TRADED if not order.left else Status.PART_TRADED)
        yield _returned(order)
        for offset, part in parts:
            self._trade_ids += 1
            trade = Trade(
                order=copy(order),
                trade_id=f"{self._trade_ids:>{_WIDTH}}",
                price=price,
                volume=part,
                offset=offset,
                at=now,
            )
            self.trades.append(trade)
            yield Traded(trade)

    def _end(self, order: Order, text: str = "", submit: Submit = Submit.ACCEPTED) -> None:
        self.accounts[order.asked.account].release(order)
        order.submit = submit
        order.become(Status.CANCELLED, text)

    def _check(self, asked: NewOrder) -> None:
        if asked.account not in self.accounts or not 1 <= asked.volume <= _MOST_LOTS:
            raise Refused(Code.BAD_FIELD)
        if asked.key in self.orders:
            raise Refused(Code.DUPLICATE_ORDER_REF)
        if asked.price_type is PriceType.MARKET and asked.listing.exchange in _NO_MARKET_ORDERS:
            raise Refused(Code.PRICE_TYPE)


def _returned(order: Order) -> OrderReturned:
    return OrderReturned(copy(order))


def _price(asked: NewOrder, quote: Quote | None) -> float:
    """What a lot of it may cost."""
    if asked.limit is not None:
        return asked.limit
    limit = quote and quote.upper_limit_price
    return limit or asked.listing.base_price


def _refusal(asked: NewOrder, quote: Quote | None, phase: Phase) -> str:
    """Why the exchange does not take it; empty: it does."""
    if phase not in (Phase.TRADING, Phase.AUCTION):
        return "当前状态禁止此项操作"
    if asked.limit is None:
        return ""
    steps = asked.limit / asked.listing.price_tick
    if not isclose(steps, round(steps), abs_tol=1e-6):
        return "价格非最小单位倍数"
    upper, lower = (quote.upper_limit_price, quote.lower_limit_price) if quote else (None, None)
    if upper is not None and asked.limit > upper + 1e-9:
        return "价格超出涨停板"
    if lower is not None and asked.limit < lower - 1e-9:
        return "价格跌破跌停板"
    return ""
