"""What becomes of what is asked, and of a tick: a change to be journaled, or an answer without one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from hashlib import sha256
from typing import Final, NamedTuple

from aegis.accounting.book import Book, Prices
from aegis.accounting.charges import order_fees
from aegis.accounting.exchange_rules import IMMEDIATE, ORDER_TYPES
from aegis.accounting.holdings import holding_key
from aegis.accounting.offsets import exchange_of, held_back
from aegis.contracts.amounts import ZERO
from aegis.contracts.orders import Order
from aegis.contracts.venue import Cancel, InstrumentTerms, Submit, Submitted
from aegis.paper.domain.account import PaperAccount, order_of
from aegis.paper.domain.changes import Cancelled, Entered, Fill, Filled, Opened, Voided
from aegis.paper.domain.foresight import Coming
from aegis.paper.domain.market import Shown
from aegis.paper.domain.matching import Depth

__all__ = [
    "REPEATED",
    "Refusal",
    "Sight",
    "cancelling",
    "entering",
    "filling",
    "opening",
    "repeated",
]

_ENDED: Final = {"fok": "not_all_at_once", "fak": "rest_cancelled", "market": "rest_cancelled"}


class Refusal(NamedTuple):
    """Why an order is refused, as a code, and the figures that were compared, in signs: the text is read in any
    language."""

    reason: str
    text: str = ""


class Sight(NamedTuple):
    """What is known of an instrument when an order for it comes. `now` and `terms` are of the account's trading day."""

    terms: InstrumentTerms | None
    now: Shown | None
    fresh: bool  # orders may trade against `now`
    prices: Prices  # at which the account's positions are valued


def opening(account: str, balance: Decimal, trading_day: str, ts_ns: int) -> Opened:
    """The account's begin; its mark leaves room for 13 digits of numbers within CTP's 20."""
    mark = sha256(account.encode()).hexdigest()[:6]
    return Opened(ts_ns=ts_ns, account=account, mark=mark, trading_day=trading_day, balance=balance)


def repeated(account: PaperAccount, ask: Submit) -> Submitted | None:
    """The answer where the name was used before: what became of that very order, or a refusal. None: it is new."""
    state = account.opened
    if ask.client_order_id not in state.names:
        return None
    order = state.book.orders.get(ask.client_order_id)
    if order is None:
        return Submitted(outcome="refused", reason="void_name")
    if order_of(state.book, ask, "", 0).model_dump(include=_ASKED) != order.model_dump(include=_ASKED):
        return REPEATED
    return answer_of(order)


REPEATED: Final = Submitted(outcome="refused", reason="repeated")
_ASKED: Final = set(Submit.model_fields)


def answer_of(order: Order) -> Submitted:
    """What the submission of an order was answered, or would have been."""
    if order.status == "rejected":
        number = order.venue_order_id
        return Submitted(outcome="refused", venue_order_id=number, reason=order.reason, text=order.text)
    return Submitted(outcome="accepted", venue_order_id=order.venue_order_id, reason="")


def entering(account: PaperAccount, ask: Submit, number: int, sight: Sight, depth: Depth, ts_ns: int) -> Coming:
    """An order comes, and gets a number. `depth`, shown the tick of `sight`, is what is there for it."""
    book = account.opened.book
    order = order_of(book, ask, "", ts_ns)
    news = sight.terms if sight.terms != book.terms.get(ask.instrument) else None
    with _by_terms(book, ask.instrument, news):
        refused = _refusal(book, order, sight)
    hold = _hold_price(order, sight.terms)
    if refused is not None:
        return Coming(
            Entered(
                ts_ns=ts_ns,
                order=ask,
                number=number,
                hold_price=hold,
                terms=news,
                refused=refused.reason,
                text=refused.text,
            ),
            None,
        )
    shares = depth.arriving(order) if sight.fresh else []
    fills = [Fill(client_order_id=ask.client_order_id, price=price, lots=lots) for price, lots in shares]
    left = order.volume - sum(fill.lots for fill in fills)
    ended = _ENDED[order.type] if order.type in IMMEDIATE and left else ""
    return Coming(
        Entered(ts_ns=ts_ns, order=ask, number=number, hold_price=hold, terms=news, fills=fills, ended=ended), order
    )


def cancelling(account: PaperAccount, ask: Cancel, ts_ns: int) -> tuple[Submitted, Cancelled | Voided | None]:
    """The answer to a cancel, and what it changes. A name that no order has is made void: none will ever have it."""
    order = account.find(ask.client_order_id, ask.venue_order_id)
    if order is None:
        answer = Submitted(outcome="refused", reason="unknown_order")
        is_new = ask.client_order_id and ask.client_order_id not in account.opened.names
        return answer, Voided(ts_ns=ts_ns, client_order_id=ask.client_order_id) if is_new else None
    if order.is_final:
        return Submitted(outcome="refused", venue_order_id=order.venue_order_id, reason="not_working"), None
    answer = Submitted(outcome="accepted", venue_order_id=order.venue_order_id, reason="")
    return answer, Cancelled(ts_ns=ts_ns, client_order_id=order.client_order_id)


def filling(account: PaperAccount, instrument: str, depth: Depth, now: Shown, ts_ns: int) -> Filled | None:
    """What the orders that wait get of a tick; None where that is nothing: by their best prices nearly always."""
    resting = account.opened.book.resting
    if not depth.show(now) or not depth.gives(resting.best(instrument, "buy"), resting.best(instrument, "sell")):
        return None
    fills = [
        Fill(client_order_id=order.client_order_id, price=order.price, lots=lots)
        for order, lots in depth.waiting(account.waiting_for(instrument))
        if order.price is not None
    ]
    return Filled(ts_ns=ts_ns, fills=fills) if fills else None


@contextmanager
def _by_terms(book: Book, instrument: str, news: InstrumentTerms | None) -> Generator[None]:
    """The account by terms that are not journaled yet: they are with the order that is being looked at."""
    before = book.terms.get(instrument)
    if news is not None:
        book.terms[instrument] = news
    try:
        yield
    finally:
        if before is not None:
            book.terms[instrument] = before
        elif news is not None:
            del book.terms[instrument]


def _hold_price(order: Order, terms: InstrumentTerms | None) -> Decimal:
    """What a lot may cost at most: its limit, of a market order the day's limit."""
    if order.price is not None and order.type != "market":
        return order.price
    return (terms.upper_limit_price if terms is not None else None) or ZERO


def _refusal(book: Book, order: Order, sight: Sight) -> Refusal | None:
    if (terms := sight.terms) is None:
        return Refusal("no_market")
    if terms.kind != "future":
        return Refusal("not_a_future", terms.kind)
    if terms.expiry_day is not None and book.trading_day > terms.expiry_day:
        return Refusal("expired", terms.expiry_day)
    return _wrong_order(order, terms, sight) or _wrong_account(book, order, terms, sight.prices)


def _wrong_order(order: Order, terms: InstrumentTerms, sight: Sight) -> Refusal | None:
    exchange, price = exchange_of(order.instrument), order.price
    if order.type not in ORDER_TYPES.get(exchange, frozenset()):
        return Refusal("order_type", f"{exchange}: {order.type}")
    if order.type in IMMEDIATE and not sight.fresh:
        return Refusal("closed")
    most = terms.max_market_volume if order.type == "market" else terms.max_limit_volume
    if order.volume > most:
        return Refusal("too_many_lots", f"{order.volume} > {most}")
    if order.type == "market":
        return Refusal("no_limits") if terms.upper_limit_price is None else None
    if price is None:
        return Refusal("price_missing")
    if price % terms.price_tick:
        return Refusal("price_tick", f"{price} % {terms.price_tick} > 0")
    if terms.upper_limit_price is not None and price > terms.upper_limit_price:
        return Refusal("above_limit", f"{price} > {terms.upper_limit_price}")
    if terms.lower_limit_price is not None and price < terms.lower_limit_price:
        return Refusal("below_limit", f"{price} < {terms.lower_limit_price}")
    return None


def _wrong_account(book: Book, order: Order, terms: InstrumentTerms, prices: Prices) -> Refusal | None:
    if not order.is_open:
        free = book.free(holding_key(order.instrument, order.direction, order.hedge))
        lots = sum(held_back(exchange_of(order.instrument), order.offset, order.volume, free))
        return Refusal("too_few_to_close", f"{lots} < {order.volume}") if lots < order.volume else None
    hold = book.hold_for(order, _hold_price(order, terms))
    sent = order.model_copy(update={"status": "accepted", "ts_accepted_ns": 1})
    needed = (hold.margin_each + hold.commission_each) * hold.lots + order_fees(terms, sent)
    available = book.available(prices)
    return Refusal("no_money", f"{needed:.2f} > {max(available, ZERO):.2f}") if needed > available else None
