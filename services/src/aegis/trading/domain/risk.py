"""What an account may do at most: settings that somebody may change while it trades."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from aegis.contracts.orders import OrderEnv, OrderType
from aegis.trading.domain.tallies import EXCHANGE_LIMITS

__all__ = ["DayLimits", "RiskSettings", "may_hear"]

Lots = Annotated[int, Field(ge=0)]
TickFeed = Annotated[str, Field(pattern=r"^(sim|live)/[A-Za-z0-9_-]{1,64}$")]
Share = Annotated[Decimal, Field(gt=0, le=1, allow_inf_nan=False)]


_KNOWN: Final[Mapping[str, Mapping[str, int]]] = {
    exchange: {name: getattr(rules, name) for name in ("cancels", "large_cancels", "self_trades")}
    for exchange, rules in EXCHANGE_LIMITS.items()
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DayLimits(_Frozen):
    """Counts on one contract and day; None: what the exchange's rules say."""

    orders: Annotated[int, Field(ge=1)] | None = None  # no exchange bounds it; some charge by it
    cancels: Annotated[int, Field(ge=1)] | None = None
    large_cancels: Annotated[int, Field(ge=1)] | None = None
    self_trades: Annotated[int, Field(ge=1)] | None = None

    def of(self, exchange: str) -> Mapping[str, int]:
        """The limits that there are, by the name of their count."""
        return {**_KNOWN.get(exchange, {}), **self.model_dump(exclude_none=True)}


class RiskSettings(_Frozen):
    """Of one account. The defaults are those of a careful start; shares are of 1, times in seconds.

    What an account may lose in a day depends on its money, and has no default: None is no limit.
    """

    max_order_lots: Annotated[int, Field(ge=1)] = 100  # of one order, beside the exchange's own bound
    max_position_lots: Lots = 200  # of a direction of an instrument, working orders included
    position_lots: dict[str, Lots] = {}  # the same, for instruments by name or products as `SHFE.rb`
    max_loss: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] | None = (
        None  # yuan of the day, from which on only closes pass
    )
    collar: Share = Decimal("0.02")  # how far a price may be worse than the other side of the market
    stale_after_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    held_stale_after_s: Annotated[float, Field(gt=0, le=3600)] = 60.0  # of what is held, by whose prices a loss is seen
    orders_per_s: Annotated[int, Field(ge=1, le=1000)] = 20
    cancels_per_s: Annotated[int, Field(ge=1, le=1000)] = 20
    market_orders: Literal["reject", "convert"] = "reject"  # where the exchange has none: convert to FAK at the collar
    late_orders: Literal["cancel", "keep"] = "cancel"  # that were called not sent, and work all the same
    order_types: dict[str, list[OrderType]] = {}  # of an exchange, in place of what its rules are known to be
    day_limits: dict[str, DayLimits] = {}  # by exchange
    warn_share: Share = Decimal("0.8")
    stop_share: Share = Decimal("0.95")  # of a day's limit: there openings end, never later than one before it
    tick_feeds: list[TickFeed] = []  # the feed sets that it hears, each with its env: see `may_hear`

    def limits(self, exchange: str) -> Mapping[str, int]:
        own = self.day_limits.get(exchange)
        return _KNOWN.get(exchange, {}) if own is None else own.of(exchange)

    def stop_at(self, limit: int) -> int:
        """The count from which on nothing is opened."""
        return max(min(int(limit * self.stop_share), limit - 1), 0)

    def lots_allowed(self, instrument: str, product: str) -> int:
        exchange = instrument.partition(".")[0]
        named = self.position_lots.get(instrument, self.position_lots.get(f"{exchange}.{product}"))
        return self.max_position_lots if named is None else named


def may_hear(env: OrderEnv, settings: RiskSettings, tick_env: str, feed: str) -> bool:
    """Whether an account goes by ticks of that env and feed set: paper by those named, live and sim by those named of
    their own env, `main` of it where none is."""
    if env == "paper":
        return f"{tick_env}/{feed}" in settings.tick_feeds
    return tick_env == env and f"{env}/{feed}" in (settings.tick_feeds or [f"{env}/main"])
