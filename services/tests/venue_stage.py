"""What a test of a venue needs around it, whichever the venue: a market that it moves, an account, and who listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any, Protocol
from uuid import uuid4

from aegis.contracts.venue import Cancel, InstrumentTerms, Submit, Submitted, VenueOrder, VenueReport, VenueTrade
from aegis.trading.ports import Venue

DEADLINE_S = 30.0


class Stage(Protocol):
    """One venue, opened, with an account of its own that has traded nothing, and instruments of its own.

    `quote` moves the market: best bid and ask with their sizes, the last price, and how many lots were traded since.
    `interrupt` loses the venue, and brings it back; what it moved the market to meanwhile, it missed.
    """

    venue: Venue
    heard: Heard
    account: str
    rebar: str  # SHFE: tells today's lots apart; a tick of 1
    meal: str  # DCE: takes market orders, and the oldest lots first; a tick of 1

    async def quote(
        self,
        instrument: str,
        bid: tuple[int, int],
        ask: tuple[int, int],
        last: int | None = None,
        traded: int = 0,
    ) -> None: ...

    async def interrupt(self) -> None: ...


class Heard:
    """Keeps what a venue reports, and lets a test wait for it."""

    def __init__(self) -> None:
        self.reports: list[VenueReport] = []
        self._news = asyncio.Event()

    def reported(self, report: VenueReport) -> None:
        self.reports.append(report)
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when `holds`; TimeoutError after DEADLINE_S."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._news.clear()
                await self._news.wait()

    def order(self, client_order_id: str) -> VenueOrder | None:
        """As it was reported last."""
        found = [one.order for one in self.reports if one.order and one.order.client_order_id == client_order_id]
        return found[-1] if found else None

    def trades(self, client_order_id: str = "") -> list[VenueTrade]:
        """Each once: a venue may tell of a trade twice."""
        found = [one.trade for one in self.reports if one.trade is not None]
        named = [one for one in found if client_order_id in ("", one.client_order_id)]
        return list({(one.instrument, one.venue_order_id, one.trade_id, one.side): one for one in named}.values())

    async def until_order(self, client_order_id: str, status: str, filled: int = 0) -> VenueOrder:
        """Wait until an order was reported so; the order. Its trades have all come, too."""

        def holds() -> bool:
            order = self.order(client_order_id)
            lots = sum(trade.volume for trade in self.trades(client_order_id))
            return order is not None and (order.status, order.filled, lots) == (status, filled, filled)

        await self.until(holds)
        order = self.order(client_order_id)
        assert order is not None
        return order


class Trader:
    """Sends orders to a stage's venue, under names of their own."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._run = uuid4().hex[:8]
        self._numbers = count(1)

    def order(self, side: str, volume: int, price: int | None, **other: Any) -> Submit:
        facts: dict[str, Any] = {
            "account": self.stage.account,
            "client_order_id": f"{self._run}-{next(self._numbers)}",
            "instrument": self.stage.rebar,
            "side": side,
            "offset": "open",
            "hedge": "speculation",
            "type": "limit",
            "price": None if price is None else Decimal(price),
            "volume": volume,
        }
        return Submit(**{**facts, **other})

    async def send(self, side: str, volume: int, price: int | None, **other: Any) -> tuple[str, Submitted]:
        """Its name, and what the venue answered."""
        order = self.order(side, volume, price, **other)
        return order.client_order_id, await self.stage.venue.submit(order)

    async def cancel(self, client_order_id: str, instrument: str = "") -> Submitted:
        return await self.stage.venue.cancel(
            Cancel(
                account=self.stage.account,
                instrument=instrument or self.stage.rebar,
                client_order_id=client_order_id,
            )
        )


class Statement:
    """Money by the plainest possible count: each lot by itself, the first opened closed first, within one day."""

    def __init__(self, terms: dict[str, InstrumentTerms]) -> None:
        self._terms = terms
        self.lots: dict[tuple[str, str], list[Decimal]] = {}  # the price of each lot
        self.close_profit = self.commission = Decimal(0)

    def book(self, trade: VenueTrade) -> None:
        terms = self._terms[trade.instrument]
        opens = trade.offset == "open"
        direction = "long" if (trade.side == "buy") == opens else "short"
        lots = self.lots.setdefault((trade.instrument, direction), [])
        fees = terms.commission.open if opens else terms.commission.close_today  # all lots are of today
        for _ in range(trade.volume):
            self.commission += trade.price * terms.multiplier * fees.by_money + fees.by_volume
            if opens:
                lots.append(trade.price)
            else:
                gain = trade.price - lots.pop(0)
                self.close_profit += (gain if direction == "long" else -gain) * terms.multiplier

    def profit(self, prices: dict[str, Decimal]) -> Decimal:
        total = Decimal(0)
        for (instrument, direction), lots in self.lots.items():
            for price in lots:
                gain = prices[instrument] - price
                total += (gain if direction == "long" else -gain) * self._terms[instrument].multiplier
        return total

    def margin(self) -> Decimal:
        """Where the larger side counts, of one instrument for each product."""
        needed: dict[str, dict[str, Decimal]] = {}
        for (instrument, direction), lots in self.lots.items():
            terms = self._terms[instrument]
            rates = terms.margin["speculation"]
            by = rates.long if direction == "long" else rates.short
            value = sum(lots, Decimal(0)) * terms.multiplier
            needed.setdefault(instrument, {})[direction] = value * by.by_money + len(lots) * by.by_volume
        return sum(
            (max(sides.values()) if self._terms[one].larger_side else sum(sides.values(), Decimal(0)))
            for one, sides in needed.items()
        ) or Decimal(0)
