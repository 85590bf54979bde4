"""What the paper venue can be asked, and what it reports. Its keys are its accounts; each is a record of its own.

All calls are calls to the active instance (`Client.call_active`) whose key is the account. An order is durable before
it is answered, and whatever is reported is durable before it is sent. Reports go to `report.paper.<account>`, those of
one change together, and are numbered by account, from 1 and over restarts; whoever finds a hole asks `reports` for what
it missed.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aegis.contracts.orders import AccountName, Day, InstrumentName
from aegis.contracts.venue import (
    Cancel,
    InstrumentTerms,
    Submit,
    Submitted,
    VenueAccount,
    VenueOrder,
    VenuePosition,
    VenueTrade,
)
from aegis_sdk.method import Method

__all__ = [
    "ACCOUNT",
    "CANCEL",
    "MOST_ORDERS",
    "ORDERS",
    "PAGE",
    "POSITIONS",
    "REPORTS",
    "SERVICE",
    "SUBMIT",
    "TERMS",
    "TRADES",
    "AccountRequest",
    "OrdersReply",
    "Page",
    "PaperReport",
    "PaperReports",
    "PositionsReply",
    "ReportsReply",
    "ReportsRequest",
    "SubmitReply",
    "SubmitRequest",
    "TermsReply",
    "TermsRequest",
    "TradesReply",
]

SERVICE: Final = "paper"
PAGE: Final = 500
MOST_ORDERS: Final = 64
"""Of one submission."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SubmitRequest(_Frozen):
    """Orders of one account, in the order in which they come there."""

    orders: Annotated[list[Submit], Field(min_length=1, max_length=MOST_ORDERS)]


class SubmitReply(_Frozen):
    """What became of each, in the same order."""

    answers: Annotated[list[Submitted], Field(min_length=1, max_length=MOST_ORDERS)]


class AccountRequest(_Frozen):
    """One account, whole."""

    account: AccountName


class Page(_Frozen):
    """At most PAGE of the trading day's orders or trades, in the order of their coming, behind the first `after`."""

    account: AccountName
    after: Annotated[int, Field(ge=0)] = 0


class OrdersReply(_Frozen):
    """`total` counts all of the day; more are there while `after` and the length of this stay below it."""

    orders: list[VenueOrder]
    total: int
    trading_day: Day


class TradesReply(_Frozen):
    trades: list[VenueTrade]
    total: int
    trading_day: Day


class PositionsReply(_Frozen):
    """All that there are or were on this day."""

    positions: list[VenuePosition]


class TermsRequest(_Frozen):
    account: AccountName
    instruments: Annotated[list[InstrumentName], Field(max_length=PAGE)]


class TermsReply(_Frozen):
    """Instruments that are not known, or have no price of this trading day yet, are left out."""

    terms: list[InstrumentTerms]


class PaperReport(_Frozen):
    """An order or a trade as it is now, or a new trading day. With none of them it only tells the latest number."""

    account: AccountName
    sequence: Annotated[int, Field(ge=0)]
    order: VenueOrder | None = None
    trade: VenueTrade | None = None
    trading_day: Day | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> PaperReport:
        if sum(one is not None for one in (self.order, self.trade, self.trading_day)) > 1:
            raise ValueError("a report tells of one thing")
        return self


class PaperReports(_Frozen):
    """The message of `report.paper.<account>`: what one change made, in order."""

    reports: Annotated[list[PaperReport], Field(min_length=1)]


class ReportsRequest(_Frozen):
    """Reports behind a number; None: only what the latest number is."""

    account: AccountName
    after: Annotated[int, Field(ge=0)] | None = None


class ReportsReply(_Frozen):
    """At most PAGE reports, in order, and the latest number that there is.

    Not `complete`: some of those asked for are no longer at hand; ask for orders and trades instead.
    """

    reports: list[PaperReport]
    latest: int
    complete: bool


SUBMIT: Final = Method(SERVICE, "submit", SubmitRequest, SubmitReply)
CANCEL: Final = Method(SERVICE, "cancel", Cancel, Submitted)
ORDERS: Final = Method(SERVICE, "orders", Page, OrdersReply, idempotent=True)
TRADES: Final = Method(SERVICE, "trades", Page, TradesReply, idempotent=True)
POSITIONS: Final = Method(SERVICE, "positions", AccountRequest, PositionsReply, idempotent=True)
ACCOUNT: Final = Method(SERVICE, "account", AccountRequest, VenueAccount, idempotent=True)
TERMS: Final = Method(SERVICE, "terms", TermsRequest, TermsReply, idempotent=True)
REPORTS: Final = Method(SERVICE, "reports", ReportsRequest, ReportsReply, idempotent=True)
