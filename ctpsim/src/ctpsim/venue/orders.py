"""Orders and trades, in CTP's words and letters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from ctpsim.market.universe import Listing

__all__ = [
    "Direction",
    "Event",
    "NewOrder",
    "Now",
    "Offset",
    "Order",
    "OrderKey",
    "OrderReturned",
    "PriceType",
    "Status",
    "Submit",
    "Trade",
    "Traded",
]


class Direction(StrEnum):
    BUY = "0"
    SELL = "1"


class Offset(StrEnum):
    OPEN = "0"
    CLOSE = "1"
    CLOSE_TODAY = "3"
    CLOSE_YESTERDAY = "4"


class PriceType(StrEnum):
    MARKET = "1"
    LIMIT = "2"


class Status(StrEnum):
    ALL_TRADED = "0"
    PART_TRADED = "1"
    NOT_TRADED = "3"
    CANCELLED = "5"
    UNKNOWN = "a"


class Submit(StrEnum):
    SUBMITTED = "0"
    ACCEPTED = "3"
    REJECTED = "4"


TEXTS: Final = {
    Status.ALL_TRADED: "全部成交",
    Status.PART_TRADED: "部分成交",
    Status.NOT_TRADED: "未成交",
    Status.CANCELLED: "已撤单",
    Status.UNKNOWN: "报单已提交",
}


class Now(NamedTuple):
    """The venue's time."""

    trading_day: str
    day: str
    second: int


class OrderKey(NamedTuple):
    """What the client calls an order; unique for as long as the counter runs."""

    front_id: int
    session_id: int
    order_ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewOrder:
    """What is asked for. `price` counts for limit orders only; `minimum` lots at once, else none."""

    account: str
    key: OrderKey
    listing: Listing
    direction: Direction
    offset: Offset
    price_type: PriceType
    price: float
    volume: int
    immediate: bool = False  # what cannot be traded at once is cancelled
    minimum: int = 0
    memo: str = ""  # the client's own words, shown to it again

    @property
    def is_buy(self) -> bool:
        return self.direction is Direction.BUY

    @property
    def limit(self) -> float | None:
        """The worst price; None: any."""
        return self.price if self.price_type is PriceType.LIMIT else None


@dataclass(kw_only=True, slots=True)
class Order:
    """One order's way through the venue."""

    asked: NewOrder
    inserted: Now
    local_id: str
    sys_id: str = ""  # padded on the left, as exchanges write it
    status: Status = Status.UNKNOWN
    submit: Submit = Submit.SUBMITTED
    traded: int = 0
    text: str = TEXTS[Status.UNKNOWN]
    cancelled_second: int | None = None
    frozen_each: float = 0.0  # margin or premium of a lot that waits
    commission_each: float = 0.0
    frozen_today: int = 0  # lots of a position that it may still close
    frozen_yesterday: int = 0

    @property
    def left(self) -> int:
        return self.asked.volume - self.traded

    @property
    def is_working(self) -> bool:
        return self.status in (Status.NOT_TRADED, Status.PART_TRADED)

    def become(self, status: Status, text: str = "") -> None:
        self.status = status
        self.text = text or TEXTS[status]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trade:
    order: Order
    trade_id: str  # begins anew each day
    price: float
    volume: int
    offset: Offset
    at: Now


class OrderReturned(NamedTuple):
    """An order as it was then. `refusal`: the error, where the exchange took it not."""

    order: Order
    refusal: int = 0


class Traded(NamedTuple):
    trade: Trade


Event = OrderReturned | Traded
