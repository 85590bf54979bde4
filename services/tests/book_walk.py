"""What a book keeps of its working orders and holds, against a look at each of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, get_args

from aegis.accounting.book import Book
from aegis.accounting.resting import may_meet
from aegis.contracts.orders import Order, Side

PRICES: Final = (*map(Decimal, range(2985, 3016, 5)), None)


def as_walked(book: Book) -> None:
    """All sums and answers are those of a walk; money to the same digits as in a book that was just restored."""
    holds = list(book.holds.values())
    assert book.frozen_margin == sum(hold.margin_each * hold.lots for hold in holds)
    assert book.frozen_commission == sum(hold.commission_each * hold.lots for hold in holds)
    for key, holding in book.holdings.items():
        days = (("today", holding.today.lots), ("yesterday", holding.yesterday.lots))
        walked = [min(sum(getattr(one, day) for one in holds if one.holding == key), lots) for day, lots in days]
        assert book.frozen(key) == tuple(walked)
    for order in book.orders.values():
        for side in get_args(Side):
            _as_walked(book, order.model_copy(update={"side": side}))


def looks(book: Book) -> list[object]:
    """All that a new order is held against."""
    found: list[object] = [book.frozen_margin, book.frozen_commission, book.figures({}), *map(book.free, book.holdings)]
    for _, order in sorted(book.orders.items()):
        for side in get_args(Side):
            mine = order.model_copy(update={"side": side})
            found += [book.resting.opening(mine.instrument, side), book.resting.may_meet(mine)]
    return [found, sorted(book.orders), sorted(book.working)]


def _as_walked(book: Book, order: Order) -> None:
    others = book.working_orders(order.instrument)
    lots = sum(max(one.volume - one.traded, 0) for one in others if one.is_open and one.side == order.side)
    assert book.resting.opening(order.instrument, order.side) == lots
    for price in PRICES:
        for kind in ("limit", "market"):
            mine = order.model_copy(update={"price": price, "type": kind})
            met = any(may_meet(mine, one) for one in others if one.side != mine.side)
            assert book.resting.may_meet(mine) == met
