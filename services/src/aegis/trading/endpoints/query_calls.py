"""Orders, trades, positions and money, as far as everything committed tells; at the prices of the moment."""

from __future__ import annotations

from aegis.contracts.trading import (
    ACCOUNT,
    ORDERS,
    POSITIONS,
    TRADES,
    AccountReply,
    AccountRequest,
    OrdersReply,
    OrdersRequest,
    PositionsReply,
    PositionsRequest,
    TradesReply,
    TradesRequest,
)
from aegis.trading.domain.views import account_of, positions_of
from aegis.trading.handlers.acting import Acting
from aegis.trading.keys import KeyState
from aegis_sdk.errors import InvalidRequest
from aegis_sdk.single_active import ActiveContext, SingleActive, active

__all__ = ["QueryCalls"]


class QueryCalls(SingleActive):
    """Handlers of a service that has these. Answered also while the ledger is away, and then marked as stale."""

    acting: Acting
    states: dict[str, KeyState]

    @active(ORDERS, stale_ok=True)
    async def orders(self, request: OrdersRequest, context: ActiveContext) -> OrdersReply:
        book = self.states[context.key].book(request.account)
        names = list(book.orders)
        if request.after:
            if request.after not in book.orders:
                raise InvalidRequest(f"{request.after} is no order of {book.trading_day}: begin with the first page")
            names = names[names.index(request.after) + 1 :]  # that one may have ended since its page
        found = [
            order
            for order in (book.orders[name] for name in names if not request.working or name in book.working)
            if request.client_order_id in ("", order.client_order_id, order.request_id)
            and request.strategy_id in ("", order.strategy_id)
            and request.instrument in ("", order.instrument)
        ]
        page = found[: request.limit]
        more = len(page) < len(found)
        return OrdersReply(orders=page, next=page[-1].client_order_id if more else "", sequence=book.sequence)

    @active(TRADES, stale_ok=True)
    async def trades(self, request: TradesRequest, context: ActiveContext) -> TradesReply:
        book = self.states[context.key].book(request.account)
        found = [
            trade
            for trade in book.trades.values()
            if request.client_order_id in ("", trade.client_order_id) and request.strategy_id in ("", trade.strategy_id)
        ]
        end = request.after + request.limit
        return TradesReply(
            trades=found[request.after : end], next=end if end < len(found) else 0, sequence=book.sequence
        )

    @active(POSITIONS, stale_ok=True)
    async def positions(self, request: PositionsRequest, context: ActiveContext) -> PositionsReply:
        book = self.states[context.key].book(request.account)
        marks = self.acting.market.marks(request.account)
        return PositionsReply(positions=positions_of(book, marks, request.instrument), sequence=book.sequence)

    @active(ACCOUNT, stale_ok=True)
    async def account(self, request: AccountRequest, context: ActiveContext) -> AccountReply:
        book = self.states[context.key].book(request.account)
        return AccountReply(state=account_of(book, self.acting.market.marks(request.account)), sequence=book.sequence)
