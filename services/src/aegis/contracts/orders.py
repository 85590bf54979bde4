"""What an order, a trade, a position and an account are, to whoever trades or watches.

Volumes count lots, money is in yuan, times are UTC nanoseconds since 1970, days those of the exchange as `YYYYMMDD`.
Texts are bounded by what CTP's fields hold, less the closing zero, where CTP has such a field.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from aegis.contracts.amounts import ZERO, Money, Price

__all__ = [
    "CAME_LATE",
    "UNCONFIRMED",
    "Account",
    "AccountName",
    "AccountReported",
    "ClientOrderId",
    "Day",
    "Direction",
    "Hedge",
    "InstrumentName",
    "Lots",
    "Mode",
    "Offset",
    "Order",
    "OrderEnv",
    "OrderReported",
    "OrderStatus",
    "OrderType",
    "Position",
    "PositionReported",
    "Side",
    "StrategyId",
    "Text",
    "Trade",
    "TradeId",
    "TradeReported",
    "VenueOrderId",
]

OrderEnv = Literal["sim", "paper", "live"]
"""sim: a simulated counter and its market. paper: our own venue, real or simulated prices. live: money."""
Side = Literal["buy", "sell"]
Direction = Literal["long", "short"]
Offset = Literal["open", "close", "close_today", "close_yesterday"]
"""As the venue is told. On SHFE and INE `close` means yesterday's lots; elsewhere the venue takes the oldest first."""
Hedge = Literal["speculation", "arbitrage", "hedge"]
"""CTP's CombHedgeFlag 1, 2 and 3."""
OrderType = Literal["limit", "market", "fak", "fok"]
"""market: at any price, the rest is cancelled. fak: at the limit at once, the rest is cancelled. fok: all or none."""
Mode = Literal["normal", "close_only", "cancel_only", "halted"]
"""What an account may do: everything; close and cancel; cancel; cancel, until a person says otherwise (a kill).

From the least strict to the strictest.
"""
OrderStatus = Literal[
    "pending",
    "unknown",
    "accepted",
    "partly_filled",
    "filled",
    "cancelled",
    "rejected",
    "expired",
    "not_sent",
]
"""pending: intended, the venue has not answered. unknown: whether the venue has it cannot be said now.

accepted and partly_filled work at the venue. The others are final: filled, cancelled (perhaps filled in part),
rejected by the venue, expired at the end of its day, not_sent: it never reached the venue. Where the venue speaks of
such an order all the same, it is what the venue says.
"""

CAME_LATE: Final = "came_late"
"""The reason of an order of which its venue speaks although it was called not sent; until it ends for another one."""

UNCONFIRMED: Final = "settlement_not_confirmed"
"""The reason of an order that a counter refuses since it knows of no confirmed statement of the day before."""

AccountName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
ClientOrderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,36}$")]
StrategyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,32}$")]
InstrumentName = Annotated[str, Field(pattern=r"^[A-Z]{1,8}\.[A-Za-z0-9 &_-]{1,80}$")]
"""`SHFE.rb2505`. CTP: ExchangeID 8, InstrumentID 80."""
VenueOrderId = Annotated[str, Field(max_length=20)]
"""CTP's OrderSysID, with its padding; unique on its exchange and trading day only."""
TradeId = Annotated[str, Field(max_length=20)]
Day = Annotated[str, Field(pattern=r"^\d{8}$")]
Text = Annotated[str, Field(max_length=256)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9_]{0,48}$")]
Lots = Annotated[int, Field(ge=0, le=1_000_000_000)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Order(_Frozen):
    """One order at a venue. `client_order_id` is ours and unique in its account; `venue_order_id` is the venue's."""

    account: AccountName
    env: OrderEnv
    client_order_id: ClientOrderId
    request_id: ClientOrderId  # the client_order_id asked for, of which a split made several orders
    strategy_id: StrategyId
    instrument: InstrumentName
    side: Side
    offset: Offset
    hedge: Hedge
    type: OrderType
    price: Price | None  # None: at any
    volume: Annotated[int, Field(ge=1)]
    status: OrderStatus
    filled: Lots = 0  # as the venue says, or its trades, whichever is more
    traded: Lots = 0  # of which trades have come; the rest of them is under way
    turnover: Money = ZERO  # price times lots of the trades, without the multiplier
    venue_order_id: VenueOrderId = ""
    cancel_asked: bool = False
    adopted: bool = False  # found at the venue: nobody had asked for it here
    reason: Code = ""  # why it was rejected or ended, as a word
    text: Text = ""  # the venue's own
    trading_day: Day
    ts_created_ns: int
    ts_accepted_ns: int = 0  # by the venue; 0: not yet
    ts_updated_ns: int

    @property
    def left(self) -> int:
        """Lots that are not filled, whether they still work or not."""
        return max(self.volume - self.filled, 0)

    @property
    def is_final(self) -> bool:
        return self.status in _FINAL

    @property
    def is_buy(self) -> bool:
        return self.side == "buy"

    @property
    def is_open(self) -> bool:
        """Whether it opens; else it closes a position of the other direction."""
        return self.offset == "open"

    @property
    def direction(self) -> Direction:
        """Of the position that it opens or closes."""
        return "long" if self.is_buy == self.is_open else "short"


_FINAL = frozenset(("filled", "cancelled", "rejected", "expired", "not_sent"))


class Trade(_Frozen):
    """One fill. `trade_id` recurs: it is unique with trading day, instrument, venue_order_id and side only."""

    account: AccountName
    env: OrderEnv
    trade_id: TradeId
    client_order_id: ClientOrderId
    strategy_id: StrategyId
    venue_order_id: VenueOrderId
    instrument: InstrumentName
    side: Side
    offset: Offset
    hedge: Hedge
    price: Price
    volume: Annotated[int, Field(ge=1)]
    commission: Money
    close_profit: Money
    trading_day: Day
    ts_exchange_ns: int


class Position(_Frozen):
    """One direction of one instrument and hedge flag. Costs are price times lots times multiplier."""

    account: AccountName
    instrument: InstrumentName
    direction: Direction
    hedge: Hedge
    today: Lots
    yesterday: Lots
    frozen_today: Lots  # held back for orders that close
    frozen_yesterday: Lots
    position_cost: Money  # today's lots at their prices, yesterday's at the settlement price of the day before
    open_cost: Money  # all at the prices they were opened at
    margin: Money  # of this direction alone, before the larger-side rule
    position_profit: Money
    close_profit: Money  # of the day
    commission: Money  # of the day

    @property
    def lots(self) -> int:
        return self.today + self.yesterday


class Account(_Frozen):
    """Money of one account. `balance` and `available` follow CTP's TradingAccount."""

    account: AccountName
    env: OrderEnv
    trading_day: Day
    mode: Mode
    armed: bool  # a live account sends no order before somebody arms it, on each trading day
    pre_balance: Money
    deposit: Money
    withdraw: Money
    close_profit: Money
    position_profit: Money
    commission: Money
    margin: Money
    frozen_margin: Money
    frozen_commission: Money
    balance: Money
    available: Money


class _Reported(_Frozen):
    """`sequence` counts all events of an account, over restarts and takeovers too: a hole is a lost event."""

    account: AccountName
    sequence: Annotated[int, Field(ge=1)]


class OrderReported(_Reported):
    """Event `event.trading.<account>.order`: an order changed."""

    order: Order


class TradeReported(_Reported):
    """Event `event.trading.<account>.trade`."""

    trade: Trade


class PositionReported(_Reported):
    """Event `event.trading.<account>.position`: a direction of an instrument changed."""

    position: Position


class AccountReported(_Reported):
    """Event `event.trading.<account>.account`: money, mode or trading day changed."""

    state: Account
    reason: Code = ""
