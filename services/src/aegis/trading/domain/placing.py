"""From what is asked for to the orders that will be checked, journaled and sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from aegis.accounting.book import Book
from aegis.accounting.holdings import holding_key
from aegis.accounting.offsets import TELLS_DAYS_APART, Free, Leg, exchange_of, split, split_whole
from aegis.contracts.amounts import Price
from aegis.contracts.orders import Order, OrderEnv
from aegis.contracts.trading import OrderRequest
from aegis.contracts.venue import InstrumentTerms, Submit
from aegis.trading.domain.situation import MarketPrice

__all__ = [
    "MOST_CLOSED",
    "at_once",
    "closable",
    "closed_already",
    "hold_price",
    "orders_of",
    "place_behind",
    "submit_of",
    "to_flatten",
]

MOST_CLOSED: Final = 200
"""Orders that one call of a flatten makes: they are one entry of the journal, and with their answers another one."""


def orders_of(request: OrderRequest, book: Book, env: OrderEnv, ts_ns: int) -> list[Order]:
    """One order, or two that the request's policy splits it into; none where there are too few lots to close.

    `env` is that of the venue that will be asked; the checks hold it against the book's.
    """
    legs = [Leg(request.offset, request.volume)]
    if request.split is not None:
        legs_of = split_whole if request.type == "fok" else split
        legs = legs_of(exchange_of(request.instrument), request.split, request.volume, closable(request, book))
    names = [request.client_order_id]
    if len(legs) > 1:
        names = [f"{request.client_order_id}-{number}" for number in range(1, len(legs) + 1)]
    return [
        Order(
            account=book.account,
            env=env,
            client_order_id=name,
            request_id=request.client_order_id,
            strategy_id=request.strategy_id,
            instrument=request.instrument,
            side=request.side,
            offset=leg.offset,
            hedge=request.hedge,
            type=request.type,
            price=request.price,
            volume=leg.lots,
            status="pending",
            trading_day=book.trading_day,
            ts_created_ns=ts_ns,
            ts_updated_ns=ts_ns,
        )
        for name, leg in zip(names, legs, strict=False)
    ]


def closable(request: OrderRequest, book: Book) -> Free:
    """The lots that it could close."""
    direction = "short" if request.side == "buy" else "long"
    return book.free(holding_key(request.instrument, direction, request.hedge))


def at_once(request: OrderRequest, book: Book) -> int:
    """The lots that it could close, a FOK in one order."""
    free = closable(request, book)
    apart = exchange_of(request.instrument) in TELLS_DAYS_APART
    if request.type != "fok" or not (apart or request.split == "lock"):
        return sum(free)
    return free.yesterday if request.split == "lock" else max(free)


def hold_price(order: Order, terms: InstrumentTerms, market: MarketPrice | None) -> Price | None:
    """What a lot may cost: its limit, a market order's the day's upper limit, as counters do; None: nobody knows."""
    if order.price is not None and order.type != "market":
        return order.price
    return (market and market.limits_of(order.trading_day)[1]) or terms.upper_limit_price


def submit_of(order: Order) -> Submit:
    """What the venue is asked."""
    return Submit(
        account=order.account,
        client_order_id=order.client_order_id,
        instrument=order.instrument,
        side=order.side,
        offset=order.offset,
        hedge=order.hedge,
        type=order.type,
        price=order.price,
        volume=order.volume,
    )


def to_flatten(book: Book, most: Callable[[str], int], after: str = "") -> Iterator[tuple[str, Leg, str]]:
    """What closes all lots that no order closes yet: the key of a holding, an order for it, and what comes after that.

    `most` is the largest order of an instrument. Begun `after` an order it goes on behind that, by the keys: of its
    holding so many lots are left as it says, whatever has become of the others.
    """
    first, _, left_of_first = after.rpartition("|")
    for key in sorted(key for key in book.holdings if key >= first):
        instrument, free = book.holdings[key].instrument, book.free(key)
        left = min(sum(free), int(left_of_first)) if key == first else sum(free)
        for leg in split(exchange_of(instrument), "yesterday_first", left, free) if left else ():
            for done in range(0, leg.lots, most(instrument)):
                lots = min(most(instrument), leg.lots - done)
                left -= lots
                yield key, Leg(leg.offset, lots), f"{key}|{left}"


def place_behind(order: Order, book: Book) -> str:
    """What comes after an order that closes, with all lots of its holding that no order closes yet."""
    key = holding_key(order.instrument, order.direction, order.hedge)
    return f"{key}|{sum(book.free(key))}"


def closed_already(book: Book) -> set[str]:
    """The instruments of which working orders close lots: these may stay for as long as their prices are not met."""
    return {holding.instrument for key, holding in book.holdings.items() if sum(book.frozen(key))}
