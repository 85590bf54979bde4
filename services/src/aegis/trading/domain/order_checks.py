"""Checks of an order against its instrument and its market. Each is a question of its own, None where it passes."""

from __future__ import annotations

from collections.abc import Collection
from decimal import ROUND_CEILING, ROUND_FLOOR

from aegis.accounting.exchange_rules import IMMEDIATE, ORDER_TYPES
from aegis.contracts.amounts import Price
from aegis.contracts.orders import OrderType
from aegis.trading.domain.situation import Refusal, Situation

__all__ = [
    "collar_price",
    "has_instrument",
    "has_lots",
    "has_phase",
    "has_price",
    "is_fresh",
    "is_of_type",
    "is_within_collar",
    "types_of",
]


def has_instrument(s: Situation) -> Refusal | None:
    """Known, a future, and traded (CTP's IsTrading); last days and delivery months are for closing.

    CFFEX's futures, stock index and bonds, are traded through their last month as before.
    """
    if s.terms is None:
        return Refusal("unknown_instrument")
    if s.terms.kind != "future":
        return Refusal.of("not_a_future", kind=s.terms.kind)
    if not s.terms.is_trading:
        return Refusal("not_trading")
    day = s.book.trading_day
    if not s.order.is_open:
        return None
    if s.terms.expiry_day is not None and day >= s.terms.expiry_day:
        return Refusal.of("last_day", day=s.terms.expiry_day)
    if s.terms.delivery_month is not None and s.exchange != "CFFEX" and day[:6] >= s.terms.delivery_month:
        return Refusal.of("delivery_month", month=s.terms.delivery_month)
    return None


def has_phase(s: Situation) -> Refusal | None:
    """Orders are taken in an auction's first minutes and while trading."""
    if s.phase == "match":
        return Refusal("match_minute")
    return None if s.phase in ("auction", "trading") else Refusal.of("closed", phase=s.phase)


def is_of_type(s: Situation) -> Refusal | None:
    """A type that the exchange has, and now."""
    if s.order.type not in types_of(s):
        return Refusal.of("order_type", type=s.order.type, exchange=s.exchange)
    if s.phase == "auction" and s.order.type in IMMEDIATE:
        return Refusal.of("auction_type", type=s.order.type)
    return None


def types_of(s: Situation) -> Collection[OrderType]:
    """Those of its exchange; by the account's settings where they name them."""
    own = s.settings.order_types.get(s.exchange)
    return ORDER_TYPES.get(s.exchange, frozenset()) if own is None else own


def has_lots(s: Situation) -> Refusal | None:
    """Between the exchange's least and most of its kind of order, and within the account's own bound."""
    market, lots = s.order.type == "market", s.order.volume
    least = s.facts.min_market_volume if market else s.facts.min_limit_volume
    most = s.facts.max_market_volume if market else s.facts.max_limit_volume
    most = min(most, s.settings.max_order_lots)
    if lots < least:
        return Refusal.of("too_few_lots", lots=lots, least=least)
    return Refusal.of("too_many_lots", lots=lots, most=most) if lots > most else None


def has_price(s: Situation) -> Refusal | None:
    """A price unless it is a market order, above 0 as all of futures are, on a tick, within the day's limits."""
    price = s.order.price
    if s.order.type == "market":
        return None
    if price is None:
        return Refusal("price_missing")
    if price <= 0:
        return Refusal.of("below_limit", price=price, limit=s.facts.price_tick)
    if price % s.facts.price_tick:
        return Refusal.of("price_tick", price=price, tick=s.facts.price_tick)
    if s.upper_limit is not None and price > s.upper_limit:
        return Refusal.of("above_limit", price=price, limit=s.upper_limit)
    if s.lower_limit is not None and price < s.lower_limit:
        return Refusal.of("below_limit", price=price, limit=s.lower_limit)
    return None


def is_within_collar(s: Situation) -> Refusal | None:
    """Not much worse than the market. Without a fresh price nothing is opened, and a close passes unseen.

    A market order has a price by now, unless it closes without a fresh one: see `converted`.

    The reference is the other side of the book, the last price where that is empty. An auction has no book, and no tick
    before its match: the day's limits bound what opens.
    """
    if s.phase == "auction":
        unbounded = s.upper_limit is None or s.lower_limit is None
        return Refusal.of("no_price", instrument=s.order.instrument) if s.order.is_open and unbounded else None
    reference = _reference(s)
    if reference is None or s.market is None:
        return Refusal.of("no_price", instrument=s.order.instrument) if s.order.is_open else None
    if not is_fresh(s):
        age = f"{s.market.age_s:.1f}"
        return Refusal.of("stale_price", instrument=s.order.instrument, age=age) if s.order.is_open else None
    price = s.order.price
    if price is None:
        return None
    reach = abs(reference) * s.settings.collar
    too_far = price > reference + reach if s.order.is_buy else price < reference - reach
    return Refusal.of("collar", price=price, reference=reference) if too_far else None


def is_fresh(s: Situation) -> bool:
    """Whether the market's latest tick tells what an order would meet."""
    return s.market is not None and s.market.age_s <= s.settings.stale_after_s


def collar_price(s: Situation) -> Price | None:
    """The worst price on a tick within collar and limits; what a market order becomes."""
    reference = _reference(s)
    if reference is None:
        return None
    tick, reach = s.facts.price_tick, abs(reference) * s.settings.collar
    worst, towards = (reference + reach, ROUND_FLOOR) if s.order.is_buy else (reference - reach, ROUND_CEILING)
    price = (worst / tick).to_integral_value(towards) * tick
    if s.order.is_buy:
        return price if s.upper_limit is None else min(price, s.upper_limit)
    return price if s.lower_limit is None else max(price, s.lower_limit)


def _reference(s: Situation) -> Price | None:
    if s.market is None:
        return None
    other = s.market.ask if s.order.is_buy else s.market.bid
    return s.market.last if other is None else other
