"""An order and all that its checks look at, for tests of these."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading_desk import Desk

from aegis.trading.domain.checking import check
from aegis.trading.domain.risk import RiskSettings
from aegis.trading.domain.situation import MarketPrice, Situation

FRESH = MarketPrice(bid=Decimal(2999), ask=Decimal(3000), last=Decimal(2999), age_s=0.1)


def situation(desk: Desk | None = None, settings: dict[str, Any] | None = None, **other: Any) -> Situation:
    """A buy of one lot at the ask that passes all checks; order fields and others may be changed."""
    desk = desk or Desk()
    own = {name: other.pop(name) for name in tuple(other) if name in Situation.__dataclass_fields__}
    asked = {"side": "buy", "volume": 1, "price": "3000", **other}
    order = own.pop("order", None) or desk.order(**asked)
    facts: dict[str, Any] = {
        "order": order,
        "hold_price": order.price or Decimal(3300),
        "terms": desk.book.terms.get(order.instrument),
        "phase": "trading",
        "market": FRESH,
        "group": desk.group,
        "book": desk.book,
        "settings": RiskSettings(**(settings or {})),
        "prices": {},
    }
    return Situation(**{**facts, **own})


def reason(of: Situation) -> str | None:
    refusal = check(of)
    return None if refusal is None else refusal.reason
