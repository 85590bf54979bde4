"""What the trading service can be asked. Its key is the account group; an account in no group is its own.

`place_order` and the like are calls to the active instance (`Client.call_active`): they end with a reply, with
`OrderRejected` or another Rejected, with `VenueUnavailable` or NotExecuted (nothing was done) or with OutcomeUnknown
(ask again with the same idempotency key). The idempotency key of an order is `order_key`, since a key of the service
may have several accounts. A stored reply is given for its key whatever is asked: `Desk.place` tells that by `is_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from aegis.contracts.amounts import Price
from aegis.contracts.orders import (
    Account,
    AccountName,
    ClientOrderId,
    Hedge,
    InstrumentName,
    Mode,
    Offset,
    Order,
    OrderType,
    Position,
    Side,
    StrategyId,
    Text,
    Trade,
)
from aegis_sdk.errors import Rejected, RpcError
from aegis_sdk.method import Method

__all__ = [
    "ACCOUNT",
    "CANCEL_ORDER",
    "FLATTEN",
    "KILL",
    "ORDERS",
    "PLACE_ORDER",
    "POSITIONS",
    "RECONCILE",
    "SERVICE",
    "SET_MODE",
    "TAKE_BOOKS",
    "TRADES",
    "AccountReply",
    "AccountRequest",
    "CancelOrder",
    "CancelRefused",
    "CancelReply",
    "Difference",
    "FlattenPart",
    "FlattenReply",
    "FlattenRequest",
    "KillReply",
    "KillRequest",
    "ModeChanged",
    "OrderExpired",
    "OrderRejected",
    "OrderRequest",
    "OrdersReply",
    "OrdersRequest",
    "PlaceOrderReply",
    "PositionsReply",
    "PositionsRequest",
    "ReconcileReply",
    "ReconcileRequest",
    "SetMode",
    "SplitPolicy",
    "TakeBooks",
    "TradesReply",
    "TradesRequest",
    "VenueUnavailable",
    "Verdict",
    "order_key",
]

SERVICE: Final = "trading"
PAGE: Final = 500
MOST_LOTS: Final = 1_000_000

SplitPolicy = Literal["today_first", "yesterday_first", "lock"]
"""How a close is spread over today's and yesterday's lots.

lock: no close pays for today's lots: yesterday's are closed, and what is more opens the other direction.
"""
Verdict = Literal["agreed", "mismatch"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OrderRejected(Rejected):
    """An order did not pass the checks; nothing was sent. `details`: {reason, ...}, reasons as docs/trading.md says."""

    code = "order_rejected"


class CancelRefused(Rejected):
    """The venue refuses to cancel an order, which works as far as is known here. `details`: {reason, said}.

    `reason` is a word as docs/trading.md and docs/ctp-trading.md have them, `said` the venue's own text.
    """

    code = "cancel_refused"


class ModeChanged(Rejected):
    """The account's mode is not the one that was to be changed. `details`: {account, mode}, the mode that it has."""

    status = 412
    code = "mode_changed"


class OrderExpired(Rejected):
    """The trading day has ended, and with it what is known here of its orders; none of them works any more.

    Of an order or a flatten `orders` are as they were known last: what they have traded the venue's statement says. Of
    one that is `unknown` nobody here ever knew. Of a cancel there are none: the venue had not answered it.
    """

    code = "order_expired"

    @classmethod
    def of(cls, says: str, orders: Sequence[Order]) -> OrderExpired:
        return cls(says, orders=[one.model_dump(mode="json") for one in orders])

    @property
    def orders(self) -> list[Order]:
        """Raises ValidationError where these are no orders."""
        return _ORDERS.validate_python(self.details.get("orders", []))


_ORDERS: Final = TypeAdapter(list[Order])


class VenueUnavailable(RpcError):
    """The account's venue is away, takes no more now, or is not yet compared with; nothing was sent.

    The same may succeed later, asked for as new.
    """

    status = 503
    code = "venue_unavailable"
    retryable = True


class OrderRequest(_Frozen):
    """Place an order. With `split`, `offset` is `close` and says only that: which lots, we choose.

    `client_order_id` is the caller's and never used twice in an account. All but market orders have a `price`.
    A split may make two orders; they are named `<client_order_id>-1` and `-2`, hence 32 characters here and 36 there.
    With `narrow` a price beyond the account's collar becomes the collar's edge; without, it is refused.
    """

    account: AccountName
    client_order_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    strategy_id: StrategyId = ""
    instrument: InstrumentName
    side: Side
    offset: Offset
    split: SplitPolicy | None = None
    hedge: Hedge = "speculation"
    type: OrderType = "limit"
    price: Price | None = None
    narrow: bool = False
    volume: Annotated[int, Field(ge=1, le=MOST_LOTS)]

    @model_validator(mode="after")
    def _fits_together(self) -> OrderRequest:
        if self.split is not None and self.offset != "close":
            raise ValueError(f"a split is of `close`, not of `{self.offset}`")
        if self.type == "market" and self.price is not None:
            raise ValueError("a market order has no price: it is `limit`, `fak` or `fok` that has one")
        return self

    def is_of(self, orders: Sequence[Order]) -> bool:
        """Whether these are what was asked for: a market order may have become a FAK with a price, a price narrower."""
        return sum(one.volume for one in orders) == self.volume and all(
            (one.account, one.request_id, one.strategy_id) == (self.account, self.client_order_id, self.strategy_id)
            and (one.instrument, one.side, one.hedge) == (self.instrument, self.side, self.hedge)
            and (self.split is not None or one.offset == self.offset)
            and (one.type in ("market", "fak") if self.type == "market" else self._is_priced_as(one))
            for one in orders
        )

    def _is_priced_as(self, one: Order) -> bool:
        if not self.narrow or self.price is None or one.price is None:
            return (one.type, one.price) == (self.type, self.price)
        worst = max if self.side == "buy" else min
        return one.type == self.type and worst(self.price, one.price) == self.price


class PlaceOrderReply(_Frozen):
    """The order, or the orders that it was split into, as they are once the venue has answered for each."""

    orders: Annotated[list[Order], Field(min_length=1, max_length=2)]


class CancelOrder(_Frozen):
    """Ask the venue to cancel one order; no mode forbids it, only the exchange in the minute of an auction's match."""

    account: AccountName
    client_order_id: ClientOrderId


class CancelReply(_Frozen):
    """The order as it is now: its venue has taken the cancel, or it was final already."""

    order: Order


class OrdersRequest(_Frozen):
    """Orders of the trading day, by what is given; a page begins behind `after`, a client_order_id."""

    account: AccountName
    client_order_id: str = Field(default="", max_length=36)
    strategy_id: StrategyId = ""
    instrument: str = Field(default="", max_length=90)
    working: bool = False  # only those that are not final
    after: str = Field(default="", max_length=36)
    limit: Annotated[int, Field(ge=1, le=PAGE)] = PAGE


class OrdersReply(_Frozen):
    """One page, in the order they were made; `next` is the `after` of the following page, empty on the last.

    Events of a higher `sequence` are news to whoever has read this.
    """

    orders: list[Order]
    next: str
    sequence: int


class TradesRequest(_Frozen):
    """Trades of the trading day in the order they came, from the `after`th on."""

    account: AccountName
    client_order_id: str = Field(default="", max_length=36)
    strategy_id: StrategyId = ""
    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=PAGE)] = PAGE


class TradesReply(_Frozen):
    """One page; `next` is the `after` of the following page, 0 on the last."""

    trades: list[Trade]
    next: int
    sequence: int


class PositionsRequest(_Frozen):
    account: AccountName
    instrument: str = Field(default="", max_length=90)


class PositionsReply(_Frozen):
    """Every direction with lots, or with trades of the day; at most some thousands."""

    positions: list[Position]
    sequence: int


class AccountRequest(_Frozen):
    account: AccountName


class AccountReply(_Frozen):
    state: Account
    sequence: int


class SetMode(_Frozen):
    """Change what an account may do. None leaves it as it is; only a person arms a live account.

    With `was` only from that mode: ModeChanged where it is another one by now, so that nobody undoes a kill unseen.
    """

    account: AccountName
    mode: Mode | None = None
    was: Mode | None = None
    armed: bool | None = None
    reason: Text = ""

    @model_validator(mode="after")
    def _sets_something(self) -> SetMode:
        if self.mode is None and self.armed is None:
            raise ValueError("neither `mode` nor `armed` is given")
        return self


class KillRequest(_Frozen):
    """Halt an account and cancel all its working orders. Positions stay."""

    account: AccountName
    reason: Text = ""


class KillReply(_Frozen):
    """The account is halted. `asked` are cancelled, as far as the venue was told; of `failed` nobody could tell it yet.

    They are asked for until they work no more, or somebody sets another mode.
    """

    asked: list[ClientOrderId]
    failed: list[ClientOrderId]


class FlattenRequest(_Frozen):
    """Close all positions of an account, or of some instruments; in mode normal or close_only.

    `confirm` repeats the account's name. A call makes some hundred orders at most: `after` is `next` of the one before.
    """

    account: AccountName
    confirm: AccountName
    instruments: Annotated[list[InstrumentName], Field(max_length=PAGE)] = []
    strategy_id: StrategyId = "flatten"
    after: Annotated[str, Field(pattern=r"^([^|]+\|[a-z]+\|[a-z]+\|\d{1,9})?$")] = ""


class FlattenReply(_Frozen):
    """The orders that were made, as far as they are known; `refused` are instruments with the reason."""

    orders: list[Order]
    refused: dict[str, Text]


class FlattenPart(FlattenReply):
    """Of one call. `next`: from where to go on; empty where nothing is left to be closed."""

    next: str = ""


class ReconcileRequest(_Frozen):
    """Compare an account with its venue now, as is done at each takeover, each minute and each new day."""

    account: AccountName


class TakeBooks(_Frozen):
    """Take the positions and money of the venue for ours: it is right, and we were wrong.

    Its answer is the comparison behind that. `confirm` repeats the account's name. The mode stays as it is. An account
    whose env is another one since the accounts file was changed begins anew, and so does one that comes from another
    key, halted; a live one disarmed.
    """

    account: AccountName
    confirm: AccountName
    reason: Text = ""


class Difference(_Frozen):
    """One figure that is not the same here and there. `what` is order, trade, position or account; `of` says which."""

    what: Literal["order", "trade", "position", "account"]
    of: Text
    field: Text
    ours: Text
    theirs: Text


class ReconcileReply(_Frozen):
    """What was found. `adopted` are orders of the venue that nobody here had asked for; a mismatch means close-only.

    Of the differences the first 500 are told.
    """

    verdict: Verdict
    differences: Annotated[list[Difference], Field(max_length=PAGE)]
    adopted: list[ClientOrderId]
    trades_booked: int  # that the venue had and we had not


def order_key(account: str, client_order_id: str) -> str:
    """The idempotency key of an order."""
    return f"order:{account}:{client_order_id}"


PLACE_ORDER: Final = Method(SERVICE, "place_order", OrderRequest, PlaceOrderReply)
CANCEL_ORDER: Final = Method(SERVICE, "cancel_order", CancelOrder, CancelReply)
ORDERS: Final = Method(SERVICE, "orders", OrdersRequest, OrdersReply, idempotent=True)
TRADES: Final = Method(SERVICE, "trades", TradesRequest, TradesReply, idempotent=True)
POSITIONS: Final = Method(SERVICE, "positions", PositionsRequest, PositionsReply, idempotent=True)
ACCOUNT: Final = Method(SERVICE, "account", AccountRequest, AccountReply, idempotent=True)
SET_MODE: Final = Method(SERVICE, "set_mode", SetMode, AccountReply)
KILL: Final = Method(SERVICE, "kill", KillRequest, KillReply)
FLATTEN: Final = Method(SERVICE, "flatten", FlattenRequest, FlattenPart)
RECONCILE: Final = Method(SERVICE, "reconcile", ReconcileRequest, ReconcileReply)
TAKE_BOOKS: Final = Method(SERVICE, "take_books", TakeBooks, ReconcileReply)
