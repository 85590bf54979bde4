"""What tests hear of a venue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aegis.contracts.venue import VenueOrder, VenueReport, VenueTrade

__all__ = ["RecordingVenueSink"]


class RecordingVenueSink:
    """Keeps all that a venue reports, and lets a test wait for it."""

    def __init__(self) -> None:
        self.reports: list[VenueReport] = []
        self._news = asyncio.Event()

    def reported(self, report: VenueReport) -> None:
        self.reports.append(report)
        self._news.set()

    @property
    def states(self) -> list[str]:
        return [one.state for one in self.reports if one.state is not None]

    @property
    def trades(self) -> list[VenueTrade]:
        return [one.trade for one in self.reports if one.trade is not None]

    def orders(self, name: str) -> list[VenueOrder]:
        """What was reported of the order of that name, in its order."""
        return [one.order for one in self.reports if one.order is not None and one.order.client_order_id == name]

    def statuses(self, name: str) -> list[tuple[str, int]]:
        """Each with what was filled."""
        return [(one.status, one.filled) for one in self.orders(name)]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when `holds`; TimeoutError after half a minute."""
        async with asyncio.timeout(30):
            while not holds():
                self._news.clear()
                await self._news.wait()
