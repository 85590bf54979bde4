"""How each change changes an account, and what is reported of it. The same changes make the same state, anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

from aegis.accounting.book import Book
from aegis.accounting.lifecycle import answered, cancelled, expired
from aegis.accounting.rules import Rules
from aegis.contracts.orders import Order
from aegis.contracts.paper import PaperReport
from aegis.contracts.venue import Submitted, VenueTrade
from aegis.paper.domain.account import AccountState, PaperAccount, order_of
from aegis.paper.domain.changes import Cancelled, Change, DayBegun, Entered, Fill, Filled, Opened, Voided
from aegis.paper.domain.views import order_shown, trade_shown

__all__ = ["apply", "trade_of"]


def apply(account: PaperAccount, change: Change) -> list[PaperReport]:
    """Take a change in; the reports that it makes: its trades, then each order once, as it is in the end."""
    made: list[dict[str, Any]] = []
    match change:
        case Opened():
            account.state = AccountState(_empty_book(change), change.mark)
        case Entered():
            _enter(account, change, made)
        case Filled():
            _fill(account, change.fills, change.ts_ns, made)
            for name in dict.fromkeys(fill.client_order_id for fill in change.fills):
                _show(account, name, made)
        case Cancelled():
            book = account.opened.book
            order = book.orders[change.client_order_id].model_copy(update={"cancel_asked": True})
            book.become(cancelled(order, "", change.ts_ns))
            _show(account, change.client_order_id, made)
        case Voided():
            account.opened.names[change.client_order_id] = account.opened.book.trading_day
        case DayBegun():
            _begin_day(account, change, made)
        case _:
            assert_never(change)
    return [_numbered(account, report) for report in made]


def _numbered(account: PaperAccount, report: dict[str, Any]) -> PaperReport:
    state = account.opened
    state.reports_made += 1
    numbered = PaperReport(account=state.book.account, sequence=state.reports_made, **report)
    account.reports.append(numbered)
    return numbered


def _empty_book(change: Opened) -> Book:
    return Book(
        account=change.account,
        env="paper",
        trading_day=change.trading_day,
        pre_balance=change.balance,
        rules=Rules(),
        armed=True,
    )


def _enter(account: PaperAccount, change: Entered, made: list[dict[str, Any]]) -> None:
    state = account.opened
    book = state.book
    state.orders_made = change.number or state.orders_made + 1
    state.names[change.order.client_order_id] = book.trading_day
    if change.terms is not None:
        book.terms[change.terms.instrument] = change.terms
    order = order_of(book, change.order, f"{state.mark}-{state.orders_made}", change.ts_ns)
    book.enter(order, change.hold_price)
    outcome = "refused" if change.refused else "accepted"
    book.become(answered(order, Submitted(outcome=outcome, reason=change.refused, text=change.text), change.ts_ns))
    _fill(account, change.fills, change.ts_ns, made)
    if change.ended:
        book.become(cancelled(book.orders[order.client_order_id], change.ended, change.ts_ns))
    _show(account, order.client_order_id, made)


def _show(account: PaperAccount, name: str, made: list[dict[str, Any]]) -> None:
    """Report an order as it is now."""
    order = account.opened.book.orders[name]
    account.note(order)
    made.append({"order": order_shown(order)})


def _fill(account: PaperAccount, fills: Iterable[Fill], ts_ns: int, made: list[dict[str, Any]]) -> None:
    """Each fill is a trade."""
    state = account.opened
    for fill in fills:
        state.trades_made += 1
        order = state.book.orders[fill.client_order_id]
        trade = state.book.book(order, trade_of(order, fill, f"{state.mark}-{state.trades_made}", ts_ns))
        assert trade is not None, "a number that was never given before"
        made.append({"trade": trade_shown(trade)})


def trade_of(order: Order, fill: Fill, trade_id: str, ts_ns: int) -> VenueTrade:
    """A fill as a trade of that number."""
    return VenueTrade(
        account=order.account,
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        trade_id=trade_id,
        instrument=order.instrument,
        side=order.side,
        offset=order.offset,
        hedge=order.hedge,
        price=fill.price,
        volume=fill.lots,
        trading_day=order.trading_day,
        ts_exchange_ns=ts_ns,
    )


def _begin_day(account: PaperAccount, change: DayBegun, made: list[dict[str, Any]]) -> None:
    state = account.opened
    book, ended = state.book, state.book.trading_day
    for order in book.working_orders():
        book.become(expired(order, change.ts_ns))
        _show(account, order.client_order_id, made)
    book.roll(change.trading_day, change.settlements)
    book.end(change.ended)
    state.names = {name: day for name, day in state.names.items() if day >= ended}
    account.index()
    made.append({"trading_day": change.trading_day})
