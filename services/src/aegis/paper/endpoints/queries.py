"""What the venue can be asked of an account: its orders, trades, positions, money and terms."""

from __future__ import annotations

from abc import abstractmethod

from aegis.contracts.paper import (
    ACCOUNT,
    ORDERS,
    PAGE,
    POSITIONS,
    REPORTS,
    TERMS,
    TRADES,
    AccountRequest,
    OrdersReply,
    Page,
    PositionsReply,
    ReportsReply,
    ReportsRequest,
    TermsReply,
    TermsRequest,
    TradesReply,
)
from aegis.contracts.venue import InstrumentTerms, VenueAccount
from aegis.paper.domain.account import AccountState, PaperAccount
from aegis.paper.domain.market import Market
from aegis.paper.domain.views import account_of, order_shown, positions_of, trade_shown
from aegis_sdk.errors import InvalidRequest, Unavailable
from aegis_sdk.single_active import ActiveContext, SingleActive, active

__all__ = ["Queries"]


class Queries(SingleActive):
    """They read, and change nothing. Raise Unavailable before the account's first trading day is known."""

    accounts: dict[str, PaperAccount]
    market: Market

    @abstractmethod
    def terms_today(self, instrument: str, trading_day: str) -> InstrumentTerms | None:
        """None where it is not known, or has no tick of that day."""

    def account_asked(self, account: str, context: ActiveContext) -> PaperAccount:
        """Raises InvalidRequest where an account is asked for by the key of another."""
        if account != context.key:
            raise InvalidRequest(f"the key of {account} is {account}, not {context.key}")
        return self.accounts[account]

    def state_asked(self, account: str, context: ActiveContext) -> AccountState:
        state = self.account_asked(account, context).state
        if state is None:
            raise Unavailable("no tick has told the trading day yet")
        return state

    @active(ORDERS)
    async def orders(self, request: Page, context: ActiveContext) -> OrdersReply:
        book = self.state_asked(request.account, context).book
        page = list(book.orders.values())[request.after : request.after + PAGE]
        return OrdersReply(
            orders=[order_shown(order) for order in page], total=len(book.orders), trading_day=book.trading_day
        )

    @active(TRADES)
    async def trades(self, request: Page, context: ActiveContext) -> TradesReply:
        book = self.state_asked(request.account, context).book
        page = list(book.trades.values())[request.after : request.after + PAGE]
        return TradesReply(
            trades=[trade_shown(trade) for trade in page], total=len(book.trades), trading_day=book.trading_day
        )

    @active(POSITIONS)
    async def positions(self, request: AccountRequest, context: ActiveContext) -> PositionsReply:
        return PositionsReply(positions=positions_of(self.state_asked(request.account, context).book))

    @active(ACCOUNT)
    async def account(self, request: AccountRequest, context: ActiveContext) -> VenueAccount:
        book = self.state_asked(request.account, context).book
        held = {holding.instrument for holding in book.holdings.values()}
        return account_of(book, self.market.prices(held, book.trading_day))

    @active(TERMS)
    async def terms(self, request: TermsRequest, context: ActiveContext) -> TermsReply:
        day = self.state_asked(request.account, context).book.trading_day
        found = [self.terms_today(instrument, day) for instrument in request.instruments]
        return TermsReply(terms=[one for one in found if one is not None])

    @active(REPORTS)
    async def reports(self, request: ReportsRequest, context: ActiveContext) -> ReportsReply:
        account = self.account_asked(request.account, context)
        latest = 0 if account.state is None else account.state.reports_made
        if request.after is None or account.state is None:
            return ReportsReply(reports=[], latest=latest, complete=request.after in (None, 0))
        reports, complete = account.reports_after(request.after, PAGE)
        return ReportsReply(reports=reports, latest=latest, complete=complete)
