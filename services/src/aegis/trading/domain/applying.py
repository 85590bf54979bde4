"""How each change changes the state. The same changes in the same order make the same state, anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, assert_never, get_args

from aegis.accounting.book import Book
from aegis.accounting.holdings import Holding, holding_key
from aegis.accounting.lifecycle import answered, expired, reported
from aegis.contracts.amounts import ZERO, to_grain
from aegis.contracts.orders import Mode, Order, Trade
from aegis.contracts.venue import Submitted, VenueOrder, VenuePosition
from aegis.trading.domain.changes import (
    AccountOpened,
    Adopted,
    Answered,
    BooksTaken,
    CancelAnswered,
    CancelAsked,
    CashMoved,
    Change,
    DayRolled,
    ModeSet,
    OrdersIntended,
    OrderTold,
    RulesSet,
    TermsLearned,
    TradeTold,
)
from aegis.trading.domain.group import Group

__all__ = ["Applied", "Note", "adopted_order", "apply"]

_MODES: Final[tuple[Mode, ...]] = get_args(Mode)

_ASKED: Final = ("instrument", "side", "offset", "hedge", "type", "price", "volume")

Note = Literal[
    "unknown_account",
    "unknown_order",
    "other_day",
    "no_terms",
    "beyond_order",
    "beyond_position",
    "self_trade",
    "taken_name",
]
"""What did not fit: see docs/trading.md. The state stays sound; reconciliation finds what is missing."""


@dataclass(slots=True)
class Applied:
    """What a change changed, and is to be told of."""

    account: str
    orders: list[Order] = field(default_factory=list[Order])
    trades: list[Trade] = field(default_factory=list[Trade])
    holdings: list[str] = field(default_factory=list[str])  # keys
    money: bool = False
    notes: list[Note] = field(default_factory=list[Note])

    @property
    def tells(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.orders or self.trades or self.holdings or self.money)


def apply(group: Group, change: Change) -> Applied:
    """Take a change into the state."""
    done = Applied(change.account)
    if isinstance(change, AccountOpened):
        _open(group, change, done)
    book = group.books.get(change.account)
    if book is None:
        done.notes.append("unknown_account")
        return done
    if not isinstance(change, AccountOpened):
        _apply(group, book, change, done)
    return done


def _open(group: Group, change: AccountOpened, done: Applied) -> None:
    old = group.books.get(change.account)
    is_same = old is not None and old.env == change.env and change.came_from is None
    if old is not None and is_same and not (old.opening and old.trading_day < change.trading_day):
        return
    armed = change.env != "live"
    book = Book(change.account, change.env, change.trading_day, change.pre_balance, change.rules, armed, opening=True)
    if old is not None:
        book.mode, book.killed, book.sequence = old.mode, old.killed, old.sequence
        done.orders.extend(expired(order, change.ts_ns) for order in old.working_orders())
        done.holdings.extend(old.holdings)
    if change.came_from is not None:
        book.mode, book.sequence = "halted", max(book.sequence, change.came_from.sequence)
    group.books[change.account] = book
    group.begin_day(change.trading_day)
    done.money = True


def _apply(group: Group, book: Book, change: Change, done: Applied) -> None:
    if isinstance(change, OrderTold | TradeTold | Adopted) and change.report.trading_day != book.trading_day:
        done.notes.append("other_day")  # names and numbers may have begun anew since
        return
    match change:
        case OrdersIntended():
            for one in change.orders:
                if one.order.client_order_id in book.orders:
                    done.notes.append("taken_name")
                    continue
                book.enter(one.order, one.hold_price)
                _told(book, one.order, done)
        case Answered():
            _answer(group, book, change, done)
        case OrderTold():
            if (order := book.orders.get(change.client_order_id)) is None:
                done.notes.append("unknown_order")
            else:
                _become(group, book, order, reported(order, change.report), done)
        case Adopted():
            _adopt(group, book, change, done)
        case TradeTold():
            _trade(group, book, change, done)
        case CancelAsked():
            _ask_cancel(book, change.client_order_id, change.ts_ns, True, done)
        case CancelAnswered():
            if change.answer.outcome in ("refused", "not_sent"):
                _ask_cancel(book, change.client_order_id, change.ts_ns, False, done)
        case ModeSet():
            if change.mode is not None:
                book.mode = _stricter(book.mode, change.mode) if change.at_least else change.mode
                book.killed = change.kills or (book.killed and book.mode == "halted")
            book.armed = book.armed if change.armed is None else change.armed
            done.money = True
        case RulesSet():
            book.rules = change.rules
            done.money = True
        case TermsLearned():
            book.terms[change.terms.instrument] = change.terms
        case CashMoved():
            book.deposit, book.withdraw = change.deposit, change.withdraw
            done.money = True
        case DayRolled():
            _roll(group, book, change, done)
        case BooksTaken():
            _take(group, book, change, done)
        case AccountOpened():
            pass
        case _:
            assert_never(change)


def _stricter(one: Mode, other: Mode) -> Mode:
    return _MODES[max(_MODES.index(one), _MODES.index(other))]


def _told(book: Book, order: Order, done: Applied) -> None:
    done.orders.append(order)
    if not order.is_open:
        key = holding_key(order.instrument, order.direction, order.hedge)
        if key in book.holdings and key not in done.holdings:
            done.holdings.append(key)
    done.money = True


def _become(group: Group, book: Book, before: Order, after: Order, done: Applied) -> None:
    if book.become(after):
        group.count_order(before, after)
        _told(book, after, done)


def _answer(group: Group, book: Book, change: Answered, done: Applied) -> None:
    order = book.orders.get(change.client_order_id)
    if order is None:
        done.notes.append("unknown_order")
        return
    answer: Submitted = change.answer
    _become(group, book, order, answered(order, answer, change.ts_ns), done)


def _adopt(group: Group, book: Book, change: Adopted, done: Applied) -> None:
    known = book.orders.get(change.client_order_id)
    if known is not None:
        if known.venue_order_id and known.venue_order_id == change.report.venue_order_id:
            _become(group, book, known, reported(known, change.report), done)  # a report and a comparison both found it
        else:
            done.notes.append("taken_name")
        return
    fresh = adopted_order(book, change.client_order_id, change.report)
    if change.report.instrument not in book.terms:
        done.notes.append("no_terms")
    book.enter(fresh, change.report.price or ZERO)
    order = book.orders[change.client_order_id]
    group.count_order(None, order)
    after = reported(order, change.report)
    if book.become(after):
        group.count_order(order, after)
    _told(book, book.orders[change.client_order_id], done)


def adopted_order(book: Book, client_order_id: str, report: VenueOrder) -> Order:
    """An order of the venue as one of ours, before anything of it is known.

    One that was on its way when the day ended, and that the venue took on the next one, is still whose it was.
    """
    mine = book.ended.get(client_order_id)
    if mine is not None and all(getattr(mine, name) == getattr(report, name) for name in _ASKED):
        began = {"status": "unknown", "filled": 0, "traded": 0, "turnover": ZERO, "cancel_asked": False}
        new = {"venue_order_id": report.venue_order_id, "trading_day": report.trading_day, "ts_accepted_ns": 0}
        return mine.model_copy(update=began | new)
    return Order(
        account=book.account,
        env=book.env,
        client_order_id=client_order_id,
        request_id=client_order_id,
        strategy_id="",
        instrument=report.instrument,
        side=report.side,
        offset=report.offset,
        hedge=report.hedge,
        type=report.type,
        price=report.price,
        volume=report.volume,
        status="unknown",
        venue_order_id=report.venue_order_id,
        adopted=True,
        trading_day=report.trading_day,
        ts_created_ns=report.ts_exchange_ns,
        ts_updated_ns=report.ts_exchange_ns,
    )


def _trade(group: Group, book: Book, change: TradeTold, done: Applied) -> None:
    report = change.report
    before = book.orders.get(change.client_order_id)
    if before is None:
        done.notes.append("unknown_order")
        return
    if report.instrument not in book.terms:
        done.notes.append("no_terms")
        return
    key = holding_key(report.instrument, _direction(report.side, report.offset), report.hedge)
    there = book.holdings[key].lots if key in book.holdings else 0
    trade = book.book(before, report)
    if trade is None:
        return
    after = book.orders[change.client_order_id]
    group.count_order(before, after)
    done.trades.append(trade)
    done.orders.append(after)
    done.holdings.append(key)
    done.money = True
    if group.count_trade(report, trade):
        done.notes.append("self_trade")
    if after.traded > after.volume:
        done.notes.append("beyond_order")
    if report.offset != "open" and report.volume > there:
        done.notes.append("beyond_position")


def _direction(side: str, offset: str) -> Literal["long", "short"]:
    return "long" if (side == "buy") == (offset == "open") else "short"


def _ask_cancel(book: Book, client_order_id: str, ts_ns: int, asked: bool, done: Applied) -> None:
    order = book.orders.get(client_order_id)
    if order is None:
        done.notes.append("unknown_order")
    elif not order.is_final and order.cancel_asked is not asked:
        after = order.model_copy(update={"cancel_asked": asked, "ts_updated_ns": max(order.ts_updated_ns, ts_ns)})
        book.become(after)
        done.orders.append(after)


def _roll(group: Group, book: Book, change: DayRolled, done: Applied) -> None:
    """Once for each day; told again, or of a day that is over, it changes nothing. Terms are learned anew.

    Whoever armed a live account did so for a day.
    """
    if change.trading_day <= book.trading_day:
        return
    book.ended = {order.client_order_id: order for order in book.working_orders()}
    for order in book.ended.values():
        after = expired(order, change.ts_ns)
        book.become(after)
        done.orders.append(after)
    book.roll(change.trading_day, change.settlements)
    book.armed = book.armed and book.env != "live"
    done.holdings.extend(key for key, holding in book.holdings.items() if holding.instrument in change.ended)
    book.end(change.ended)
    if change.pre_balance is not None:
        book.pre_balance = change.pre_balance
    held = {holding.instrument for holding in book.holdings.values()}
    book.terms = {name: terms for name, terms in book.terms.items() if name in held}
    group.begin_day(change.trading_day)
    done.holdings.extend(book.holdings)
    done.money = True


def _take(group: Group, book: Book, change: BooksTaken, done: Applied) -> None:
    """Orders stay, unless a day has ended since that nobody told us of."""
    theirs = change.state
    book.opening = False
    _roll(group, book, DayRolled(account=book.account, ts_ns=change.ts_ns, trading_day=theirs.trading_day), done)
    done.holdings.extend(book.holdings)
    ours = dict(book.holdings)
    book.holdings.clear()
    for one in change.positions:
        holding = book.holding(one.instrument, one.direction, one.hedge)
        _fill(holding, one, ours.get(holding.key))
        done.holdings.append(holding.key)
    done.holdings = list(dict.fromkeys(done.holdings))
    book.pre_balance, book.deposit, book.withdraw = theirs.pre_balance, theirs.deposit, theirs.withdraw
    book.close_profit, book.commission = theirs.close_profit, theirs.commission
    done.money = True


def _fill(holding: Holding, theirs: VenuePosition, ours: Holding | None) -> None:
    """Lots at their average cost, since the venue tells no more; both days together cost what it says.

    What the day's trades have made of it no position tells: how many lots were opened, and how many of those have paid
    as today's. Without that the next close would be charged for them again.
    """
    lots = theirs.today + theirs.yesterday
    if not lots:
        return
    cost, open_cost = (to_grain(one * theirs.today / lots) for one in (theirs.position_cost, theirs.open_cost))
    holding.today.put(theirs.today, cost, open_cost)
    holding.yesterday.put(theirs.yesterday, theirs.position_cost - cost, theirs.open_cost - open_cost)
    holding.opened = theirs.today
    if ours is not None:
        holding.opened = max(ours.opened, theirs.today)
        holding.closed, holding.closed_as_today = ours.closed, ours.closed_as_today
        holding.close_profit, holding.commission = ours.close_profit, ours.commission
