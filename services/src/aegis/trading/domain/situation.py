"""What is known when an order is checked, and what a check says."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, NamedTuple, Self

from aegis.accounting.book import Book, Prices
from aegis.accounting.exchange_rules import Phase
from aegis.accounting.offsets import exchange_of
from aegis.contracts.amounts import Price
from aegis.contracts.order_reasons import FIGURES
from aegis.contracts.orders import Direction, Order
from aegis.contracts.venue import InstrumentTerms
from aegis.trading.domain.group import Group
from aegis.trading.domain.risk import RiskSettings

__all__ = ["MarketPrice", "Pace", "Reason", "Refusal", "Situation"]

Reason = Literal[
    "duplicate_id",
    "wrong_env",
    "wrong_key",
    "disarmed",
    "halted",
    "cancel_only",
    "close_only",
    "unknown_instrument",
    "not_a_future",
    "not_trading",
    "last_day",
    "delivery_month",
    "closed",
    "match_minute",
    "auction_type",
    "order_type",
    "price_missing",
    "price_tick",
    "above_limit",
    "below_limit",
    "too_few_lots",
    "too_many_lots",
    "no_price",
    "stale_price",
    "collar",
    "order_rate",
    "cancel_rate",
    "orders_used",
    "cancels_used",
    "large_cancels_used",
    "self_trades_used",
    "self_trade",
    "position_limit",
    "loss_limit",
    "too_few_to_close",
    "no_money",
]
"""Why an order is refused; docs/trading.md says of each what it compares."""


class Refusal(NamedTuple):
    """`figures` were compared, by their names in `aegis.contracts.order_reasons`."""

    reason: Reason
    figures: Mapping[str, str | int] = MappingProxyType({})

    @classmethod
    def of(cls, reason: Reason, **figures: Decimal | str | int) -> Self:
        return cls(reason, {name: str(one) if isinstance(one, Decimal) else one for name, one in figures.items()})

    @property
    def detail(self) -> str:
        return FIGURES[self.reason].format(**self.figures)

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPrice:
    """The latest tick of an instrument that this account may hear. Age in seconds, by the receiver's clock.

    Its limits are those of its trading day: in an auction the latest tick is still one of the day before.
    """

    bid: Price | None
    ask: Price | None
    last: Price | None
    age_s: float
    upper_limit: Price | None = None
    lower_limit: Price | None = None
    pre_settlement: Price | None = None
    trading_day: str = ""

    def limits_of(self, day: str) -> tuple[Price | None, Price | None]:
        """The lower and the upper one of a trading day, as far as this tick knows them."""
        return (self.lower_limit, self.upper_limit) if day == self.trading_day else (None, None)

    def pre_settlement_of(self, day: str) -> Price | None:
        """The settlement price of the day before a trading day, as far as this tick knows it."""
        return self.pre_settlement if day == self.trading_day else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One order, pending, and all that is looked at."""

    order: Order
    hold_price: Price  # what a lot may cost at most
    terms: InstrumentTerms | None
    phase: Phase
    market: MarketPrice | None
    group: Group
    book: Book
    settings: RiskSettings
    prices: Prices
    ages: Mapping[str, float] = field(default_factory=dict[str, float])  # seconds, of prices of what is held and trades
    orders_last_s: int = 0  # sent in the second before, this one not among them

    @property
    def exchange(self) -> str:
        return exchange_of(self.order.instrument)

    @property
    def direction(self) -> Direction:
        return self.order.direction

    @property
    def facts(self) -> InstrumentTerms:
        """The terms, behind the check that there are any."""
        assert self.terms is not None
        return self.terms

    @property
    def upper_limit(self) -> Price | None:
        """The market's word of today before that of the contract query."""
        return (self.market and self.market.limits_of(self.book.trading_day)[1]) or self.facts.upper_limit_price

    @property
    def lower_limit(self) -> Price | None:
        return (self.market and self.market.limits_of(self.book.trading_day)[0]) or self.facts.lower_limit_price


class Pace:
    """How often something happened in the last second. Times are seconds of any clock that never goes back."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=4096)

    def happened(self, now: float) -> None:
        self._times.append(now)

    def last_second(self, now: float) -> int:
        while self._times and self._times[0] <= now - 1.0:
            self._times.popleft()
        return len(self._times)
