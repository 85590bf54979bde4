"""Aegis's simulated market behind the counter: it lives by the counter's clock, and only what is watched moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Final

from aegis.contracts.market import InstrumentId, Quote
from aegis.marketdata.adapters.simulated.market import Market, UniverseName
from ctpsim.market.clock import CounterClock
from ctpsim.market.ports import Audience
from ctpsim.market.universe import Listing, Universe, listings_of

__all__ = ["SimulatedMarket"]

_TURN_S: Final = 0.01
_FORGIVEN_S: Final = 2.0
_NAMES: Final[Mapping[Universe, UniverseName]] = {"futures": "futures", "all": "options"}


class SimulatedMarket:
    """`rate`: quotes a second of its time, of all that are watched; None: at each contract's own pace."""

    def __init__(
        self,
        clock: CounterClock,
        *,
        universe: Universe,
        seed: int = 1,
        rate: float | None = None,
    ) -> None:
        self.behind = 0.0  # seconds of its time
        self._clock = clock
        self._market = Market(
            clock.market, seed=seed, rate=rate, begin_ns=clock.running_ns(), universe=_NAMES[universe]
        )
        self._day = clock.moment().trading_day
        self._listings = listings_of(self._market.instruments, self._day)
        self._latest: dict[str, Quote] = {}

    def listings(self) -> Mapping[str, Listing]:
        return self._listings

    def trading_day(self) -> str:
        return self._clock.moment().trading_day

    def now(self) -> tuple[str, int]:
        moment = self._clock.moment()
        return moment.action_day, moment.second

    def watch(self, symbols: Iterable[str]) -> None:
        self._market.watch(self._known(symbols))

    def unwatch(self, symbols: Iterable[str]) -> None:
        self._market.unwatch(self._known(symbols))

    def quote(self, symbol: str) -> Quote | None:
        if latest := self._latest.get(symbol):
            return latest
        listing = self.listings().get(symbol)
        return self._market.snapshot(listing.instrument.id, time.time_ns()) if listing else None

    async def run(self, audience: Audience) -> None:
        while True:
            quotes = self._step()
            if quotes:
                self._latest.update((quote.symbol, quote) for quote in quotes)
                audience.publish(quotes)
            await asyncio.sleep(_TURN_S)

    def _step(self) -> list[Quote]:
        market, until_ns = self._market, self._clock.running_ns()
        late_ns = until_ns - market.running_ns - int(_FORGIVEN_S * self._clock.speed * 1e9)
        if late_ns > 0:
            self.behind += late_ns / 1e9
            market.skip(late_ns)
        quotes = market.step(until_ns, time.time_ns())
        self._keep_day()
        return quotes

    def _keep_day(self) -> None:
        """List anew once the market itself has come to another day: it lists by its own time."""
        day = self._clock.market.at(self._market.running_ns).trading_day
        if day != self._day:
            self._day = day
            self._market.relist()
            self._listings = listings_of(self._market.instruments, day)

    def _known(self, symbols: Iterable[str]) -> list[InstrumentId]:
        listings = self.listings()
        return [listings[symbol].instrument.id for symbol in symbols if symbol in listings]
