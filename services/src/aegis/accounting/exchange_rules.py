"""What exchanges take when: order types, and what auctions forbid. As of November 2026; sources in docs/trading.md."""

from __future__ import annotations

from typing import Final, Literal

from aegis.contracts.orders import OrderType

__all__ = ["IMMEDIATE", "ORDER_TYPES", "Phase"]

Phase = Literal["closed", "break", "auction", "match", "trading"]
"""Of a product. auction: orders are collected; match: its last minute, in which nothing is taken nor taken back."""

ORDER_TYPES: Final[dict[str, frozenset[OrderType]]] = {
    "SHFE": frozenset(("limit", "fak", "fok")),
    "INE": frozenset(("limit", "fak", "fok")),
    "DCE": frozenset(("limit", "market", "fak", "fok")),
    "CZCE": frozenset(("limit", "market", "fak")),
    "CFFEX": frozenset(("limit", "market", "fak", "fok")),
    "GFEX": frozenset(("limit", "market", "fak", "fok")),
}
IMMEDIATE: Final[frozenset[OrderType]] = frozenset(("market", "fak", "fok"))
"""They trade at once or not at all, so an auction has no use for them."""
