"""What others are shown of an account: in the venue's words, at the prices given."""

from __future__ import annotations

from typing import cast

from aegis.accounting.book import Book, Prices
from aegis.contracts.amounts import to_grain
from aegis.contracts.orders import Order, Trade
from aegis.contracts.venue import VenueAccount, VenueOrder, VenueOrderStatus, VenuePosition, VenueTrade

__all__ = ["account_of", "order_shown", "positions_of", "trade_shown"]


def order_shown(order: Order) -> VenueOrder:
    assert order.status not in ("pending", "unknown", "not_sent"), "an order that the venue has answered"
    return VenueOrder(
        account=order.account,
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        instrument=order.instrument,
        side=order.side,
        offset=order.offset,
        hedge=order.hedge,
        type=order.type,
        price=order.price,
        volume=order.volume,
        status=cast("VenueOrderStatus", order.status),
        filled=order.traded,
        reason=order.reason,
        text=order.text,
        trading_day=order.trading_day,
        ts_exchange_ns=order.ts_updated_ns,
    )


def trade_shown(trade: Trade) -> VenueTrade:
    return VenueTrade(
        account=trade.account,
        client_order_id=trade.client_order_id,
        venue_order_id=trade.venue_order_id,
        trade_id=trade.trade_id,
        instrument=trade.instrument,
        side=trade.side,
        offset=trade.offset,
        hedge=trade.hedge,
        price=trade.price,
        volume=trade.volume,
        trading_day=trade.trading_day,
        ts_exchange_ns=trade.ts_exchange_ns,
    )


def positions_of(book: Book) -> list[VenuePosition]:
    """All that there are or were on this day."""
    return [
        VenuePosition(
            account=book.account,
            instrument=holding.instrument,
            direction=holding.direction,
            hedge=holding.hedge,
            today=holding.today.lots,
            yesterday=holding.yesterday.lots,
            position_cost=holding.cost,
            open_cost=holding.open_cost,
            margin=to_grain(book.margin_of(holding)),
        )
        for holding in book.holdings.values()
        if holding.is_of_today
    ]


def account_of(book: Book, prices: Prices) -> VenueAccount:
    return VenueAccount(
        account=book.account,
        trading_day=book.trading_day,
        pre_balance=book.pre_balance,
        deposit=book.deposit,
        withdraw=book.withdraw,
        close_profit=book.close_profit,
        commission=book.commission,
        **book.figures(prices)._asdict(),
    )
