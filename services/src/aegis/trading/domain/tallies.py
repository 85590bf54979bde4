"""Counts of a trading day that exchanges watch, by instrument, over all accounts of a group.

Exchanges call these *abnormal trading* and warn, then restrict, whoever reaches them on one contract in one day:
frequent cancels, large cancels, self-trades. They count accounts under common control together, hence the group.
Those of hedgers are exempt. docs/trading.md names the document of each count, and its date.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from aegis.contracts.orders import Order

__all__ = ["EXCHANGE_LIMITS", "ExchangeLimits", "Tally", "counted_cancel"]


class ExchangeLimits(NamedTuple):
    """A day's counts on one contract from which on trading is abnormal.

    A cancel is large from `large_lots` on, or where that is None from `large_share` of the largest limit order on.
    """

    cancels: int
    large_cancels: int
    self_trades: int
    large_lots: int | None = None
    large_share: Decimal = Decimal(1)

    def is_large(self, lots: int, max_limit_volume: int) -> bool:
        if self.large_lots is not None:
            return lots >= self.large_lots
        return lots >= self.large_share * max_limit_volume


_SHFE: Final = ExchangeLimits(cancels=500, large_cancels=50, self_trades=5, large_lots=300)
_DCE: Final = ExchangeLimits(cancels=500, large_cancels=400, self_trades=5, large_share=Decimal("0.8"))

EXCHANGE_LIMITS: Final[dict[str, ExchangeLimits]] = {
    "SHFE": _SHFE,
    "INE": _SHFE,
    "DCE": _DCE,
    "CZCE": ExchangeLimits(cancels=500, large_cancels=50, self_trades=5, large_lots=800),
    "CFFEX": ExchangeLimits(cancels=400, large_cancels=100, self_trades=5, large_share=Decimal("0.8")),
    "GFEX": _DCE,
}
"""As brokers publish the exchanges' rules; docs/trading.md says which and how well they are known.

GFEX's are not known and taken to be DCE's. CFFEX's 400 is of stock index futures, its bonds have 500. They are a
default: an account's risk settings replace the counts where an exchange or a broker says otherwise.
"""


@dataclass(slots=True)
class Tally:
    """Of one instrument."""

    orders: int = 0
    cancels: int = 0
    large_cancels: int = 0
    self_trades: int = 0


def counted_cancel(order: Order) -> bool:
    """Whether the end of this order counts as a cancel: a limit order taken back, or a FAK or FOK that was not filled.

    FAK and FOK are exempt no more at SHFE and CZCE since 2024; nothing says that they are elsewhere.
    """
    return order.status == "cancelled" and order.type != "market" and order.hedge != "hedge"
