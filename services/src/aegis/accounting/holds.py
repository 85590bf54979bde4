"""What working orders hold back, and which lots a trade takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from aegis.accounting.holdings import Holding
from aegis.accounting.offsets import TELLS_DAYS_APART, Free, exchange_of
from aegis.contracts.amounts import ZERO, to_grain
from aegis.contracts.venue import VenueTrade

__all__ = ["HeldBack", "Hold", "days_of"]

_NOTHING: Final = Free(0, 0)


@dataclass(frozen=True, slots=True)
class Hold:
    """What an order holds back: money for a lot that may still trade, and the lots that it may close."""

    margin_each: Decimal = ZERO
    commission_each: Decimal = ZERO
    lots: int = 0
    holding: str = ""  # which lots it closes, by key; empty: it opens
    today: int = 0
    yesterday: int = 0

    def shrunk(self, lots: int) -> Hold:
        """With all but so many lots given back; yesterday's are the last to go, since they are the first to trade."""
        yesterday = min(self.yesterday, lots)
        return self._of(lots, min(self.today, lots - yesterday), yesterday)

    def used(self, older: int, newer: int) -> Hold:
        """With lots traded."""
        lots, today, yesterday = self.lots - older - newer, self.today - newer, self.yesterday - older
        return self._of(max(lots, 0), max(today, 0), max(yesterday, 0))

    def _of(self, lots: int, today: int, yesterday: int) -> Hold:
        return Hold(self.margin_each, self.commission_each, lots, self.holding, today, yesterday)


class HeldBack:
    """What the given holds come to; whoever adds one removes it again as it was. Those of `base` count, too.

    Money is told to the same digits however it came about: the sum of what is exact to the 8th decimal.
    """

    def __init__(self, holds: Iterable[Hold] = ()) -> None:
        self.base: HeldBack | None = None
        self._margin = self._commission = ZERO
        self._lots: dict[str, Free] = {}
        for hold in holds:
            self.add(hold)

    def add(self, hold: Hold) -> None:
        self._count(hold, 1)

    def remove(self, hold: Hold) -> None:
        self._count(hold, -1)

    @property
    def margin(self) -> Decimal:
        return to_grain(self._margin if self.base is None else self._margin + self.base.margin)

    @property
    def commission(self) -> Decimal:
        return to_grain(self._commission if self.base is None else self._commission + self.base.commission)

    def lots(self, holding: str) -> Free:
        """Of a holding, by its key; more than there are where the venue has closed some otherwise."""
        ours = self._lots.get(holding, _NOTHING)
        if self.base is None:
            return ours
        theirs = self.base.lots(holding)
        return Free(ours.today + theirs.today, ours.yesterday + theirs.yesterday)

    def _count(self, hold: Hold, sign: int) -> None:
        lots = sign * hold.lots
        self._margin += lots * hold.margin_each
        self._commission += lots * hold.commission_each
        if hold.holding:
            before = self._lots.get(hold.holding, _NOTHING)
            self._lots[hold.holding] = Free(before.today + sign * hold.today, before.yesterday + sign * hold.yesterday)


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
