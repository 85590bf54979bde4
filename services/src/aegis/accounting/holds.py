"""What working orders hold back, and which lots a trade takes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from aegis.accounting.holdings import Holding
from aegis.accounting.offsets import TELLS_DAYS_APART, exchange_of
from aegis.contracts.amounts import ZERO
from aegis.contracts.venue import VenueTrade

__all__ = ["Hold", "days_of"]


@dataclass(slots=True)
class Hold:
    """What an order holds back: money for a lot that may still trade, and the lots that it may close."""

    margin_each: Decimal = ZERO
    commission_each: Decimal = ZERO
    lots: int = 0
    holding: str = ""  # which lots it closes, by key; empty: it opens
    today: int = 0
    yesterday: int = 0

    def shrink(self, lots: int) -> None:
        """Give back all but so many lots; yesterday's are the last to go, since they are the first to trade."""
        self.lots = lots
        self.yesterday = min(self.yesterday, lots)
        self.today = min(self.today, lots - self.yesterday)

    def use(self, older: int, newer: int) -> None:
        """Lots were traded."""
        self.lots = max(self.lots - older - newer, 0)
        self.yesterday = max(self.yesterday - older, 0)
        self.today = max(self.today - newer, 0)


def days_of(report: VenueTrade, holding: Holding, hold: Hold | None) -> tuple[int, int]:
    """How many of yesterday's and of today's lots a trade closes: by its offset where that counts, else as held."""
    lots = report.volume
    if exchange_of(report.instrument) in TELLS_DAYS_APART:
        return (0, lots) if report.offset == "close_today" else (lots, 0)
    there = holding.yesterday.lots
    first = hold.yesterday if hold is not None and hold.lots >= lots else there
    older = min(lots, first, there)
    newer = min(lots - older, holding.today.lots)
    older += min(lots - older - newer, there - older)
    return older, lots - older
