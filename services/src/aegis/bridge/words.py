"""vnpy's words and ours, one table each, and what goes from one to the other.

vnpy has no missing price: it is 0 there and None here. Its times are those of Shanghai, its volumes floats.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError
from vnpy.trader.constant import (  # pyright: ignore[reportMissingImports]  # where CTP is not built
    Direction,
    Exchange,
    Offset,
    OrderType,
    Status,
)
from vnpy.trader.object import OrderRequest  # pyright: ignore[reportMissingImports]

from aegis.contracts import market, orders
from aegis.contracts.amounts import exact

__all__ = [
    "DIRECTIONS",
    "DIRECTIONS_OF_POSITIONS",
    "EXCHANGES",
    "OFFSETS",
    "SHANGHAI",
    "STATUSES",
    "TYPES",
    "instrument_of",
    "moment",
    "number_of",
    "order_arguments",
    "split_instrument",
    "strategy_of",
]

EXCHANGES: Final = {name.value: Exchange(name.value) for name in market.Exchange}
SIDES: Final[dict[Direction, orders.Side]] = {Direction.LONG: "buy", Direction.SHORT: "sell"}
OFFSET_WORDS: Final[dict[Offset, orders.Offset]] = {
    Offset.OPEN: "open",
    Offset.CLOSE: "close",
    Offset.CLOSETODAY: "close_today",
    Offset.CLOSEYESTERDAY: "close_yesterday",
}
TYPE_WORDS: Final[dict[OrderType, orders.OrderType]] = {
    OrderType.LIMIT: "limit",
    OrderType.MARKET: "market",
    OrderType.FAK: "fak",
    OrderType.FOK: "fok",
}
DIRECTIONS: Final = {side: direction for direction, side in SIDES.items()}
DIRECTIONS_OF_POSITIONS: Final[dict[orders.Direction, Direction]] = {"long": Direction.LONG, "short": Direction.SHORT}
OFFSETS: Final = {word: offset for offset, word in OFFSET_WORDS.items()}
TYPES: Final = {word: of_vnpy for of_vnpy, word in TYPE_WORDS.items()}
STATUSES: Final[dict[orders.OrderStatus, Status]] = {
    "pending": Status.SUBMITTING,
    "unknown": Status.SUBMITTING,
    "accepted": Status.NOTTRADED,
    "partly_filled": Status.PARTTRADED,
    "filled": Status.ALLTRADED,
    "cancelled": Status.CANCELLED,
    "expired": Status.CANCELLED,
    "rejected": Status.REJECTED,
    "not_sent": Status.REJECTED,
}

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES: Final[TypeAdapter[str]] = TypeAdapter(orders.InstrumentName)
_GRAIN: Final = Decimal("1e-6")


def instrument_of(symbol: str, exchange: Exchange) -> str:
    """`SHFE.rb2605`. Raises ValueError for what cannot be one of a futures exchange."""
    if exchange.value not in EXCHANGES:
        raise ValueError(f"{exchange.value} is no exchange of Aegis; these are: {', '.join(EXCHANGES)}")
    try:
        return _NAMES.validate_python(f"{exchange.value}.{symbol}")
    except ValidationError:
        raise ValueError(f"{symbol[:80]!r} is no symbol of {exchange.value}") from None


def split_instrument(instrument: str) -> tuple[str, Exchange]:
    """Symbol and exchange, as vnpy has them. Raises KeyError for an exchange that is not one of ours."""
    exchange, _, symbol = instrument.partition(".")
    return symbol, EXCHANGES[exchange]


def order_arguments(request: OrderRequest) -> dict[str, Any]:
    """What `Desk.place` is given, but for the name. Raises ValueError that says what is not possible."""
    return {
        "instrument": instrument_of(request.symbol, request.exchange),
        "side": _word(SIDES, request.direction, "direction"),
        "volume": _lots(request.volume),
        "price": None if request.type is OrderType.MARKET else _price(request.price),
        "offset": _word(OFFSET_WORDS, request.offset, "offset"),
        "type": _word(TYPE_WORDS, request.type, "order type"),
        "strategy_id": strategy_of(request.reference),
    }


def strategy_of(reference: str) -> str:
    """vnpy's reference as a strategy_id: letters, digits, `_` and `-`, the first 32."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", reference)[:32]


def number_of(amount: Decimal | float | None) -> float:
    """0 for what is missing."""
    return 0.0 if amount is None else float(amount)


def moment(ns: int) -> datetime:
    """UTC nanoseconds as vnpy's time: Shanghai's, to the microsecond."""
    return (_EPOCH + timedelta(microseconds=ns // 1000)).astimezone(SHANGHAI)


def _word(words: dict[Any, Any], given: Any, what: str) -> Any:
    if given not in words:
        shown = getattr(given, "name", given)
        raise ValueError(f"{what} {shown} is not possible; these are: {', '.join(one.name for one in words)}")
    return words[given]


def _lots(volume: float) -> int:
    if not 1 <= volume <= 1e9 or volume != int(volume):
        raise ValueError(f"a volume of {volume} lots is not possible")
    return int(volume)


def _price(price: float) -> Decimal:
    """To the 6th decimal, as prices are. DBL_MAX, which CTP means by none, is no price; numpy's numbers are."""
    try:
        return exact(float(price)).quantize(_GRAIN).normalize()
    except (TypeError, ValueError):
        raise ValueError(f"{price} is no price") from None
