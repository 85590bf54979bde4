"""CTP's letters and numbers, and our words for them. Letters as in ThostFtdcUserApiDataType.h of API 6.7.11."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from aegis.accounting.exchange_rules import Phase
from aegis.contracts.amounts import exact, to_price
from aegis.contracts.orders import UNCONFIRMED, Direction, Hedge, Offset, OrderType, Side
from aegis.contracts.venue import VenueOrderStatus

__all__ = [
    "DIRECTIONS",
    "HEDGES",
    "HEDGE_LETTERS",
    "OFFSETS",
    "OFFSET_LETTERS",
    "PHASES",
    "REASONS",
    "SIDES",
    "SIDE_LETTERS",
    "TYPE_LETTERS",
    "UNANSWERED",
    "moment_ns",
    "price_of",
    "reason_of",
    "status_of",
    "type_of",
]

SIDES: Final[dict[str, Side]] = {"0": "buy", "1": "sell"}
DIRECTIONS: Final[dict[str, Direction]] = {"2": "long", "3": "short"}
OFFSETS: Final[dict[str, Offset]] = {"0": "open", "1": "close", "3": "close_today", "4": "close_yesterday"}
HEDGES: Final[dict[str, Hedge]] = {"1": "speculation", "2": "arbitrage", "3": "hedge"}
SIDE_LETTERS: Final = {word: letter for letter, word in SIDES.items()}
OFFSET_LETTERS: Final = {word: letter for letter, word in OFFSETS.items()}
HEDGE_LETTERS: Final = {word: letter for letter, word in HEDGES.items()}

TYPE_LETTERS: Final[dict[OrderType, tuple[str, str, str]]] = {
    "limit": ("2", "3", "1"),
    "market": ("1", "1", "1"),
    "fak": ("2", "1", "1"),
    "fok": ("2", "1", "3"),
}
"""OrderPriceType (1 any price, 2 limit), TimeCondition (1 at once, 3 the day), VolumeCondition (1 any, 3 all)."""

PHASES: Final[dict[str, Phase]] = {
    "0": "closed",  # before trading
    "1": "break",
    "2": "trading",
    "3": "auction",
    "4": "match",  # the auction is balanced
    "5": "match",
    "6": "closed",
}
"""InstrumentStatus; another letter, as of a counter that is at its bookkeeping, says nothing."""

UNANSWERED: Final = "a"
"""OrderStatus: the counter has the order, its exchange has not answered."""
_STATUSES: Final[dict[str, VenueOrderStatus]] = {
    UNANSWERED: "accepted",
    "b": "accepted",  # a condition that has not come
    "c": "accepted",  # a condition that has
    "3": "accepted",
    "1": "partly_filled",
    "0": "filled",
    "2": "cancelled",  # filled in part, and not in the book any more
    "4": "cancelled",
    "5": "cancelled",
}
_INSERT_REFUSED: Final = "4"
REASONS: Final = {
    15: "bad_field",
    16: "unknown_instrument",
    17: "not_trading",
    22: "duplicate_order_ref",
    23: "bad_cancel",
    25: "unknown_order",
    26: "order_is_done",
    30: "too_few_to_close",
    31: "no_money",
    41: "too_many_a_second",
    42: UNCONFIRMED,
    50: "too_few_to_close",
    51: "too_few_to_close",
    80: "order_type",
}
_SHANGHAI: Final = timedelta(hours=8)


def status_of(status: str, submit: str) -> VenueOrderStatus:
    """By OrderStatus and OrderSubmitStatus. Raises KeyError for a status that is none."""
    if status == "5" and submit == _INSERT_REFUSED:
        return "rejected"
    return _STATUSES[status]


def reason_of(code: int) -> str:
    """A word for CTP's error number."""
    return REASONS.get(code, f"ctp_{abs(code)}")


def type_of(price_type: str, time: str, volume: str) -> OrderType:
    """What others may write and we do not, such as the best price, counts as a market order."""
    if price_type != "2":
        return "market"
    return "limit" if time != "1" else "fok" if volume == "3" else "fak"


def price_of(value: Any) -> Decimal | None:
    """None for the price that CTP has not: DBL_MAX, and what is no amount."""
    try:
        return to_price(exact(value))
    except ValueError:
        return None


def moment_ns(day: str, time: str) -> int:
    """A Shanghai time, `YYYYMMDD` and `HH:MM:SS`, as UTC nanoseconds; 0 where CTP says none that is one."""
    try:
        moment = datetime.strptime(f"{day} {time}", "%Y%m%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int((moment - _SHANGHAI).timestamp()) * 1_000_000_000
