"""Our state against the venue's: what we missed, what nobody here asked for, and what does not agree.

In two steps: `catch_up` gives the changes that the venue's orders and trades amount to, which are committed like any
other; `compare` then looks at what is left. What the venue told must be of one moment at which no report was under way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aegis.accounting.book import Book, Prices, trade_key
from aegis.accounting.holdings import holding_key
from aegis.accounting.lifecycle import reported
from aegis.accounting.offsets import exchange_of
from aegis.contracts.amounts import Price, is_same_money, to_price
from aegis.contracts.orders import Order
from aegis.contracts.trading import Difference, Verdict
from aegis.contracts.venue import InstrumentTerms, VenueAccount, VenueOrder, VenuePosition, VenueTrade
from aegis.trading.domain.changes import Adopted, Change, OrderTold, TradeTold
from aegis.trading.domain.views import account_of, position_of

__all__ = ["Compared", "adopted_name", "catch_up", "compare", "settled_prices", "without_terms"]

_MONEY: Final = ("pre_balance", "deposit", "withdraw", "close_profit", "commission", "margin")
_FROZEN: Final = ("frozen_margin", "frozen_commission")
_AT_VENUE: Final = frozenset(("accepted", "partly_filled"))


@dataclass(slots=True)
class Compared:
    """What does not agree. `open` are orders that only one side knows, and that may still be on their way."""

    differences: list[Difference] = field(default_factory=list[Difference])
    open: list[str] = field(default_factory=list[str])

    @property
    def verdict(self) -> Verdict:
        """A mismatch stops openings until somebody has looked."""
        return "mismatch" if self.differences else "agreed"

    def differ(self, what: Any, of: str, name: str, ours: object, theirs: object) -> None:
        self.differences.append(Difference(what=what, of=of, field=name, ours=str(ours), theirs=str(theirs)))


def without_terms(book: Book, told: Iterable[VenueOrder | VenueTrade | VenuePosition]) -> set[str]:
    """Instruments whose terms must be learned before anything of them is booked."""
    return {one.instrument for one in told} - set(book.terms)


def catch_up(book: Book, orders: Iterable[VenueOrder], trades: Iterable[VenueTrade], ts_ns: int) -> list[Change]:
    """What was not known yet of this trading day, in the order to commit it: orders and adoptions, then trades.

    An order without any name waits to be adopted until its exchange has given it a number.
    """
    changes: list[Change] = []
    names = _Names(book)
    for told in (one for one in orders if one.trading_day == book.trading_day):
        name = names.find(told)
        if name is None and not _can_be_named(told):
            continue
        if name is None:
            name = names.adopt(told)
            changes.append(Adopted(account=book.account, ts_ns=ts_ns, client_order_id=name, report=told))
        elif name in book.orders and _is_news(book.orders[name], told):
            changes.append(OrderTold(account=book.account, ts_ns=ts_ns, client_order_id=name, report=told))
    for trade in (one for one in trades if one.trading_day == book.trading_day):
        name = names.find(trade)
        if name is not None and trade_key(trade) not in book.trades:
            changes.append(TradeTold(account=book.account, ts_ns=ts_ns, client_order_id=name, report=trade))
    return changes


def compare(
    book: Book,
    orders: Iterable[VenueOrder],
    trades: Iterable[VenueTrade],
    positions: Iterable[VenuePosition],
    state: VenueAccount | None = None,
) -> Compared:
    """What still differs once the venue's orders and trades are booked. Money is compared to the cent.

    What orders hold back is not, while one may be on its way: the venue holds back nothing for it yet.
    """
    found = Compared()
    _compare_orders(book, list(orders), found)
    _compare_trades(book, list(trades), found)
    _compare_positions(book, positions, found)
    if state is not None:
        _compare_money(book, state, found)
    return found


def settled_prices(positions: Iterable[VenuePosition], terms: Mapping[str, InstrumentTerms]) -> dict[str, Price]:
    """At which the venue has settled lots: by their cost, of those of which none is of today."""
    return {
        one.instrument: to_price(one.position_cost / one.yesterday / terms[one.instrument].multiplier)
        for one in positions
        if one.yesterday and not one.today and one.instrument in terms
    }


def adopted_name(order: VenueOrder) -> str:
    """The name under which an order is adopted whose own is not known: it is unique on its exchange and day."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "", order.venue_order_id)
    return f"venue-{exchange_of(order.instrument)}-{plain}"[:36]


class _Names:
    """Which of our orders the venue speaks of: by our name, else by its number on the exchange.

    Numbers are gathered when the first is asked for: a day may have ten thousand orders, and a report its name.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._adopted: set[str] = set()
        self._numbers: dict[tuple[str, str], str] | None = None

    def find(self, told: VenueOrder | VenueTrade) -> str | None:
        name = told.client_order_id
        if name in self._book.orders or name in self._adopted:
            return name
        return self._by_number.get((exchange_of(told.instrument), told.venue_order_id))

    def adopt(self, told: VenueOrder) -> str:
        name = told.client_order_id or adopted_name(told)
        self._adopted.add(name)
        if told.venue_order_id:
            self._by_number[exchange_of(told.instrument), told.venue_order_id] = name
        return name

    @property
    def _by_number(self) -> dict[tuple[str, str], str]:
        if self._numbers is None:
            self._numbers = {
                (exchange_of(order.instrument), order.venue_order_id): name
                for name, order in self._book.orders.items()
                if order.venue_order_id
            }
        return self._numbers


def _can_be_named(told: VenueOrder) -> bool:
    """Whether it has a name at all: until an exchange answers, or where it refuses, others' orders may have none."""
    return bool(told.client_order_id or told.venue_order_id)


def _is_news(order: Order, told: VenueOrder) -> bool:
    after = reported(order, told)
    return (after.status, after.filled, after.venue_order_id) != (order.status, order.filled, order.venue_order_id)


def _compare_orders(book: Book, orders: list[VenueOrder], found: Compared) -> None:
    names = _Names(book)
    theirs = {name: told for told in orders if (name := names.find(told)) is not None}
    for order in book.orders.values():
        told = theirs.get(order.client_order_id)
        if told is None:
            if order.status in _AT_VENUE or order.filled:
                found.differ("order", order.client_order_id, "status", order.status, "missing")
            elif not order.is_final:
                found.open.append(order.client_order_id)
            continue
        for name in ("status", "filled", "volume", "side", "instrument"):
            if getattr(order, name) != getattr(told, name):
                found.differ("order", order.client_order_id, name, getattr(order, name), getattr(told, name))
    for told in orders:
        if names.find(told) is not None:
            continue
        if not _can_be_named(told) and not told.filled:
            if told.status == "accepted":
                found.open.append("")  # somebody else's, whose exchange has not answered
        else:
            found.differ("order", told.client_order_id or told.venue_order_id, "status", "missing", told.status)


def _compare_trades(book: Book, trades: list[VenueTrade], found: Compared) -> None:
    theirs = {trade_key(trade): trade for trade in trades}
    for key in theirs.keys() - book.trades.keys():
        found.differ("trade", key, "volume", "missing", theirs[key].volume)
    for key in book.trades.keys() - theirs.keys():
        found.differ("trade", key, "volume", book.trades[key].volume, "missing")
    for key in book.trades.keys() & theirs.keys():
        for name in ("volume", "price"):
            if (ours := getattr(book.trades[key], name)) != (other := getattr(theirs[key], name)):
                found.differ("trade", key, name, ours, other)


def _compare_positions(book: Book, positions: Iterable[VenuePosition], found: Compared) -> None:
    theirs = {holding_key(one.instrument, one.direction, one.hedge): one for one in positions}
    for key in sorted(theirs.keys() | book.holdings.keys()):
        ours, told = position_of(book, key, {}), theirs.get(key)
        for name in ("today", "yesterday"):
            other = getattr(told, name) if told else 0
            if getattr(ours, name) != other:
                found.differ("position", key, name, getattr(ours, name), other)
        if (
            told
            and ours.lots == told.today + told.yesterday
            and not is_same_money(ours.position_cost, told.position_cost)
        ):
            found.differ("position", key, "position_cost", ours.position_cost, told.position_cost)


def _compare_money(book: Book, state: VenueAccount, found: Compared) -> None:
    """Position profit, balance and available follow from a price, which is not the same here and there."""
    no_prices: Prices = {}
    ours = account_of(book, no_prices)
    if ours.trading_day != state.trading_day:
        found.differ("account", book.account, "trading_day", ours.trading_day, state.trading_day)
        return
    for name in _MONEY if found.open else (*_MONEY, *_FROZEN):
        if not is_same_money(getattr(ours, name), getattr(state, name)):
            found.differ("account", book.account, name, getattr(ours, name), getattr(state, name))
