"""What a venue is asked, and what it tells: the paper venue as a process of its own, a CTP counter by its adapter.

A venue knows accounts by their own names there; whoever talks to it says which. Every report carries a sequence, from 1
in each `session` (one connection's life, or one run of the venue): a hole is a lost report, and a new session begins
with what is queried. All of it may arrive late, twice or in another order; the domain stands that.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aegis.contracts.amounts import ZERO, Money, Price, Rate
from aegis.contracts.orders import (
    AccountName,
    ClientOrderId,
    Day,
    Direction,
    Hedge,
    InstrumentName,
    Lots,
    Offset,
    OrderType,
    Side,
    Text,
    TradeId,
    VenueOrderId,
)

__all__ = [
    "Cancel",
    "CommissionRates",
    "InstrumentTerms",
    "MarginRates",
    "Rates",
    "Submission",
    "Submit",
    "Submitted",
    "VenueAccount",
    "VenueOrder",
    "VenueOrderStatus",
    "VenuePosition",
    "VenueReport",
    "VenueTrade",
]

Submission = Literal["accepted", "refused", "not_sent", "unknown"]
"""accepted: the venue has it. refused: the venue said no, for good. not_sent: it never left. unknown: none of these."""
VenueOrderStatus = Literal["accepted", "partly_filled", "filled", "cancelled", "rejected", "expired"]
"""CTP's 3 accepted, 1 partly_filled, 0 filled, 5 (and 2, 4) cancelled; 5 with OrderSubmitStatus 4 rejected."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# What it is asked


class Submit(_Frozen):
    """Take an order. A venue that can refuses a client_order_id that it has seen, also after its own restart."""

    account: AccountName
    client_order_id: ClientOrderId
    instrument: InstrumentName
    side: Side
    offset: Offset
    hedge: Hedge
    type: OrderType
    price: Price | None
    volume: Annotated[int, Field(ge=1)]


class Cancel(_Frozen):
    """Cancel an order, by the names that are known; at least one is not empty."""

    account: AccountName
    instrument: InstrumentName
    client_order_id: str = Field("", max_length=36)
    venue_order_id: VenueOrderId = ""


class Submitted(_Frozen):
    """What became of a Submit or a Cancel, as far as the venue has said when this is told; reports say the rest."""

    outcome: Submission
    venue_order_id: VenueOrderId = ""
    reason: str = Field("", max_length=48)
    text: Text = ""


# What it tells


class VenueOrder(_Frozen):
    """An order as the venue sees it: everything, so that one that nobody here remembers can be adopted."""

    account: AccountName
    client_order_id: str = Field("", max_length=36)  # empty: it cannot be told whose it is
    venue_order_id: VenueOrderId = ""
    instrument: InstrumentName
    side: Side
    offset: Offset
    hedge: Hedge = "speculation"
    type: OrderType
    price: Price | None
    volume: Annotated[int, Field(ge=1)]
    status: VenueOrderStatus
    filled: Lots
    reason: str = Field("", max_length=48)
    text: Text = ""
    trading_day: Day
    ts_exchange_ns: int


class VenueTrade(_Frozen):
    """A fill. `offset` is what the venue booked, which may be close_today where `close` was asked for."""

    account: AccountName
    client_order_id: str = Field("", max_length=36)
    venue_order_id: VenueOrderId
    trade_id: TradeId
    instrument: InstrumentName
    side: Side
    offset: Offset
    hedge: Hedge = "speculation"
    price: Price
    volume: Annotated[int, Field(ge=1)]
    trading_day: Day
    ts_exchange_ns: int


class VenuePosition(_Frozen):
    """One direction of an instrument; CTP's two records of it on SHFE and INE are added up."""

    account: AccountName
    instrument: InstrumentName
    direction: Direction
    hedge: Hedge = "speculation"
    today: Lots
    yesterday: Lots
    position_cost: Money
    open_cost: Money
    margin: Money


class VenueAccount(_Frozen):
    """Money, by CTP's TradingAccount: PreBalance, CloseProfit, CurrMargin, FrozenMargin and so on."""

    account: AccountName
    trading_day: Day
    pre_balance: Money
    deposit: Money = ZERO
    withdraw: Money = ZERO
    close_profit: Money
    position_profit: Money
    commission: Money
    margin: Money
    frozen_margin: Money
    frozen_commission: Money
    balance: Money
    available: Money


class Rates(_Frozen):
    """A charge or a deposit: `by_money` of a lot's value, plus `by_volume` yuan a lot."""

    by_money: Rate = ZERO
    by_volume: Rate = ZERO


class MarginRates(_Frozen):
    """CTP's InstrumentMarginRate."""

    long: Rates
    short: Rates


class CommissionRates(_Frozen):
    """CTP's InstrumentCommissionRate, and InstrumentOrderCommRate: fees in yuan for each order and each cancel."""

    open: Rates
    close: Rates
    close_today: Rates
    order_fee: Rate = ZERO
    cancel_fee: Rate = ZERO


class InstrumentTerms(_Frozen):
    """How an instrument is traded and what it costs this account; CTP's Instrument and its two tables of rates."""

    instrument: InstrumentName
    product: str = Field("", max_length=80)
    kind: Literal["future", "option", "combination", "other"]
    multiplier: Annotated[int, Field(ge=1)]
    price_tick: Annotated[Price, Field(gt=0)]
    min_limit_volume: Annotated[int, Field(ge=1)] = 1
    max_limit_volume: Annotated[int, Field(ge=1)]
    min_market_volume: Annotated[int, Field(ge=1)] = 1
    max_market_volume: Annotated[int, Field(ge=1)]
    is_trading: bool = True
    expiry_day: Day | None = None
    delivery_month: Annotated[str, Field(pattern=r"^\d{6}$")] | None = None
    larger_side: bool = False  # MaxMarginSideAlgorithm: of its product only the dearer direction is charged
    pre_settlement_price: Price | None = None
    upper_limit_price: Price | None = None
    lower_limit_price: Price | None = None
    margin: dict[Hedge, MarginRates]  # of a flag that is left out: that of speculation
    commission: CommissionRates


class VenueReport(_Frozen):
    """One thing that happened: exactly one of `order`, `trade`, `account` and `state` is given.

    `state` is the venue's connection as its port sees it: ready takes orders, down takes none, closed will take none
    before the next trading day.
    """

    session: str = Field(max_length=64)
    sequence: Annotated[int, Field(ge=1)]
    order: VenueOrder | None = None
    trade: VenueTrade | None = None
    account: VenueAccount | None = None
    state: Literal["ready", "down", "closed"] | None = None
    trading_day: Day | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> VenueReport:
        if sum(one is not None for one in (self.order, self.trade, self.account, self.state)) != 1:
            raise ValueError("a report tells of exactly one thing")
        return self
