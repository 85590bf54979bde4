"""Who trades in a round, and what they were told."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any, Final, get_args

from aegis.contracts.orders import Order
from aegis.contracts.trading import OrderRejected, SplitPolicy, VenueUnavailable
from aegis.desk import Desk
from aegis_sdk.errors import NotExecuted, OutcomeUnknown, Rejected

_AGAIN_S: Final = 0.1
_PATIENCE_S: Final = 60.0
_POLICIES: Final[tuple[SplitPolicy, ...]] = get_args(SplitPolicy)


@dataclass
class Told:
    """Of one account: by name what was asked for, the orders that an answer showed, or why there are none; and cancels
    that were taken, a kill's too. A split makes two orders of a name, each with a name of its own."""

    asked: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    split: dict[str, int] = field(default_factory=dict[str, int])
    """Lots that were to be closed, whichever they are."""
    orders: dict[str, Order] = field(default_factory=dict[str, Order])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    cancelled: set[str] = field(default_factory=set[str])
    unknown: set[str] = field(default_factory=set[str])  # nobody has said for a minute

    @property
    def names(self) -> set[str]:
        """All that an order may have."""
        return {one for name in self.asked for one in names_of(name)}


def names_of(name: str) -> tuple[str, str, str]:
    """Of an order that is asked for by it, and of both that a split makes."""
    return name, f"{name}-1", f"{name}-2"


class Trader:
    """Places and cancels orders, one after the other, under names that begin with its own."""

    def __init__(self, desk: Desk, market: tuple[str, int], name: str, chance: Random, told: Told) -> None:
        self._desk = desk
        self._instrument, self._middle = market
        self._names = (f"{name}-{number}" for number in count(1))
        self._chance = chance
        self._told = told

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            what = self._chance.random()
            if what < 0.02:
                await self._kill()
            elif what < 0.25 and self._told.orders:
                await self._cancel(self._chance.choice(list(self._told.orders)))
            else:
                await self._place(next(self._names))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._chance.uniform(0.02, 0.15)):
                    await stop.wait()

    async def _place(self, name: str) -> None:
        """The same order again until somebody knows what became of it."""
        chance = self._chance
        asked = self._told.asked[name] = {
            "instrument": self._instrument,
            "side": chance.choice(("buy", "sell")),
            "price": Decimal(self._middle + chance.randint(-6, 6)),
            "type": chance.choice(("limit", "limit", "limit", "fak", "fok")),
        }
        offset = chance.choice(("open", "open", "open", "close_today", "close"))
        if offset == "close":
            lots = self._told.split[name] = chance.randint(1, 8)
            how: dict[str, Any] = {"offset": offset, "split": chance.choice(_POLICIES), "volume": lots}
        else:
            how = {"offset": offset, "volume": chance.randint(1, 3)}
            asked |= how
        self._told.unknown.add(name)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while name in self._told.unknown:
                    try:
                        for order in await self._desk.place(**{**asked, **how}, client_order_id=name):
                            self._told.orders[order.client_order_id] = order
                    except OutcomeUnknown:
                        await asyncio.sleep(_AGAIN_S)
                        continue
                    except (NotExecuted, VenueUnavailable, OrderRejected) as error:
                        self._told.refused[name] = f"{error.code}: {error}"
                    self._told.unknown.discard(name)

    async def _cancel(self, name: str) -> None:
        with suppress(OutcomeUnknown, NotExecuted, Rejected, VenueUnavailable):
            order = await self._desk.cancel(name)
            if order.cancel_asked:
                self._told.cancelled.add(name)

    async def _kill(self) -> None:
        """Halt the account, and go on a moment later."""
        with suppress(OutcomeUnknown, NotExecuted, VenueUnavailable, Rejected):
            reply = await self._desk.kill("a round")
            self._told.cancelled.update(reply.asked)
        await asyncio.sleep(_AGAIN_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while True:
                    try:
                        await self._desk.set_mode("normal", reason="a round")
                        return
                    except (OutcomeUnknown, NotExecuted, VenueUnavailable):
                        await asyncio.sleep(_AGAIN_S)
