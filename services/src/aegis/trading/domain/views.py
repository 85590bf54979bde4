"""What others are shown: positions, accounts and events, at the prices given."""

from __future__ import annotations

from aegis.accounting.book import Book, Prices
from aegis.accounting.holdings import Holding, split_key
from aegis.contracts.amounts import ZERO, to_grain
from aegis.contracts.orders import (
    Account,
    AccountReported,
    Order,
    OrderReported,
    Position,
    PositionReported,
    Trade,
    TradeReported,
)
from aegis.trading.domain.group import Told

__all__ = ["Event", "account_of", "event_of", "position_of", "positions_of"]

Event = OrderReported | TradeReported | PositionReported | AccountReported


def position_of(book: Book, key: str, prices: Prices) -> Position:
    """One direction of an instrument, by its key; empty where nothing is left of it."""
    instrument, direction, hedge = split_key(key)
    holding = book.holdings.get(key) or Holding(instrument, direction, hedge)
    frozen = book.frozen(key)
    terms = book.terms.get(holding.instrument)
    profit = holding.profit(prices.get(holding.instrument), terms.multiplier) if terms else ZERO
    return Position(
        account=book.account,
        instrument=holding.instrument,
        direction=holding.direction,
        hedge=holding.hedge,
        today=holding.today.lots,
        yesterday=holding.yesterday.lots,
        frozen_today=frozen.today,
        frozen_yesterday=frozen.yesterday,
        position_cost=holding.cost,
        open_cost=holding.open_cost,
        margin=to_grain(book.margin_of(holding)),
        position_profit=profit,
        close_profit=holding.close_profit,
        commission=holding.commission,
    )


def positions_of(book: Book, prices: Prices, instrument: str = "") -> list[Position]:
    """All that there are or were on this day, of one instrument or of all."""
    return [
        position_of(book, key, prices)
        for key, holding in book.holdings.items()
        if holding.is_of_today and instrument in ("", holding.instrument)
    ]


def account_of(book: Book, prices: Prices) -> Account:
    return Account(
        account=book.account,
        env=book.env,
        trading_day=book.trading_day,
        mode=book.mode,
        armed=book.armed,
        pre_balance=book.pre_balance,
        deposit=book.deposit,
        withdraw=book.withdraw,
        close_profit=book.close_profit,
        commission=book.commission,
        **book.figures(prices)._asdict(),
    )


def event_of(book: Book, told: Told, prices: Prices) -> Event:
    """The event of what is told; a position and the account as the book has them now."""
    account, sequence = book.account, told.sequence
    match told.what:
        case Order():
            return OrderReported(account=account, sequence=sequence, order=told.what)
        case Trade():
            return TradeReported(account=account, sequence=sequence, trade=told.what)
        case str():
            return PositionReported(account=account, sequence=sequence, position=position_of(book, told.what, prices))
        case None:
            state = account_of(book, prices)
            return AccountReported(account=account, sequence=sequence, state=state, reason=_code(told.reason))


def _code(text: str) -> str:
    """A reason that is a word of ours; what a person writes, in any language, is in the journal alone."""
    return text[:48].lower() if text.isascii() and text.isidentifier() else ""
