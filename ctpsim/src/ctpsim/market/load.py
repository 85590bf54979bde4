"""Ticks for measurements: as many a second as are wanted, in turn of all contracts that somebody listens to.

Their frames are packed once. What changes from tick to tick is patched in place: the time, the volume, the last price,
and Turnover, which is the time of sending: microseconds of this machine's monotonic clock (CZCE's divided by the
multiplier, so that it is the same once a client has multiplied it). A tick costs the front about a microsecond.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from aegis.contracts.market import Exchange, Level, Quote
from aegis.exchanges.sessions import to_shanghai
from ctpsim.frames import HEAD
from ctpsim.headers import Layout
from ctpsim.market.clock import CounterClock
from ctpsim.market.depth import Depth, clock_text
from ctpsim.market.ports import Audience
from ctpsim.market.universe import Listing, Universe, listed
from ctpsim.records import Records

__all__ = ["Arena", "LoadMarket"]

_TURN_S: Final = 0.005
_MOST_AT_ONCE: Final = 500
_FORGIVEN_S: Final = 0.5


class Arena:
    """The frames of contracts, one behind the other, and which of them is next. Pure; times are arguments."""

    def __init__(self, layout: Layout, depth: Depth) -> None:
        records = Records(layout)
        self._depth = depth
        self._size = HEAD.size + records.size("DepthMarketData")
        self._at_last, self._at_volume, self._at_time = (
            HEAD.size + records.offset("DepthMarketData", field) for field in ("LastPrice", "Volume", "UpdateTime")
        )
        self._last = struct.Struct("=d").pack_into
        self._volume_turnover = struct.Struct("=i4xd").pack_into
        self._time = struct.Struct("=9s3xi").pack_into
        self._frames = bytearray()
        self.symbols: list[str] = []
        self._prices: list[tuple[float, float]] = []
        self._volumes: list[int] = []
        self._scales: list[float] = []
        self._next = 0

    def add(self, quote: Quote, multiplier: float) -> None:
        """One more contract, last in turn."""
        self._frames += self._depth.frame(quote)
        self.symbols.append(quote.symbol)
        self._prices.append((quote.bids[0].price, quote.asks[0].price))
        self._volumes.append(quote.volume)
        self._scales.append(1 / multiplier if quote.exchange == Exchange.CZCE else 1.0)

    def take(self, most: int, sent_us: int, second: bytes, millisecond: int) -> tuple[bytes, Sequence[str]]:
        """The next frames, at most so many: fewer where the turn is over, none where there are no contracts."""
        begin, size = self._next, self._size
        end = min(begin + most, len(self.symbols))
        frames, volumes, prices, scales = self._frames, self._volumes, self._prices, self._scales
        at = begin * size
        for index in range(begin, end):
            volume = volumes[index] = volumes[index] + 1
            self._last(frames, at + self._at_last, prices[index][volume & 1])
            self._volume_turnover(frames, at + self._at_volume, volume, sent_us * scales[index])
            self._time(frames, at + self._at_time, second, millisecond)
            at += size
        self._next = end if end < len(self.symbols) else 0
        return bytes(memoryview(frames)[begin * size : end * size]), self.symbols[begin:end]


class LoadMarket:
    """`instruments` contracts of the universe, in its order; `rate` ticks a second of all that are watched."""

    def __init__(
        self, layout: Layout, depth: Depth, clock: CounterClock, *, universe: Universe, instruments: int, rate: float
    ) -> None:
        self.rate = rate
        self.behind = 0.0  # ticks
        self._layout = layout
        self._depth = depth
        self._clock = clock
        self._listings = dict(islice(listed(clock.moment().trading_day, universe).items(), instruments))
        self._watched: dict[str, None] = {}
        self._arena = Arena(layout, depth)
        self._changed = False
        self._wanted = asyncio.Event()

    def listings(self) -> Mapping[str, Listing]:
        return self._listings

    def trading_day(self) -> str:
        return self._clock.moment().trading_day

    def now(self) -> tuple[str, int]:
        moment = self._clock.moment()
        return moment.action_day, moment.second

    def watch(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            if symbol in self._listings and symbol not in self._watched:
                self._watched[symbol] = None
                self._add(symbol)
        if self._watched:
            self._wanted.set()

    def unwatch(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self._changed |= self._watched.pop(symbol, symbol) is None
        if not self._watched:
            self._wanted.clear()

    def quote(self, symbol: str) -> Quote | None:
        listing = self._listings.get(symbol)
        return _quote(listing, self._clock) if listing else None

    async def run(self, audience: Audience) -> None:
        while True:
            await self._wanted.wait()
            await self._tick(audience)

    async def _tick(self, audience: Audience) -> None:
        began, done, rate = time.monotonic(), 0, self.rate
        while self._wanted.is_set() and rate == self.rate:
            await asyncio.sleep(_TURN_S)
            due = int((time.monotonic() - began) * rate) - done
            if due > rate * _FORGIVEN_S + _MOST_AT_ONCE:
                self.behind += due
                done += due
                continue
            done += self._send(min(due, 4 * _MOST_AT_ONCE), audience)

    def _send(self, due: int, audience: Audience) -> int:
        if self._changed:
            self._rebuild()
        _, second, millisecond = to_shanghai(self._clock.moment().ts_ns)
        text, sent = clock_text(second), 0
        while sent < due:
            frames, symbols = self._arena.take(min(due - sent, _MOST_AT_ONCE), _now_us(), text, millisecond)
            if not symbols:
                break
            audience.publish_frames(frames, symbols)
            sent += len(symbols)
        return sent

    def _add(self, symbol: str) -> None:
        listing = self._listings[symbol]
        self._arena.add(_quote(listing, self._clock), listing.multiplier)

    def _rebuild(self) -> None:
        self._changed = False
        self._arena = Arena(self._layout, self._depth)
        for symbol in self._watched:
            self._add(symbol)


def _now_us() -> int:
    return time.monotonic_ns() // 1000


def _quote(listing: Listing, clock: CounterClock) -> Quote:
    """A plausible state of a contract: five levels around its base price."""
    moment, tick = clock.moment(), listing.price_tick
    middle = round(listing.base_price / tick)
    middle = max(middle, 6)

    def level(steps: int, size: int) -> Level:
        return Level(round((middle + steps) * tick, 6), size)

    price = level(0, 1).price
    return Quote(
        *(listing.exchange, listing.symbol, moment.trading_day, moment.action_day, moment.ts_ns, 0),
        *(price, price, level(5, 1).price, level(-5, 1).price, price, price, None),
        *(round(middle * (1 + listing.limit_ratio)) * tick, max(round(middle * (1 - listing.limit_ratio)), 1) * tick),
        *(1000, 0.0, 20_000.0, 20_000.0),
        tuple(level(-steps, 10 * steps) for steps in range(1, 6)),
        tuple(level(steps, 10 * steps) for steps in range(1, 6)),
    )
