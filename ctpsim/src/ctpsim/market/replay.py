"""A recording behind the counter, played by Aegis's replay feed. Its time is that of the row that came last."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from aegis.contracts.market import Instrument, InstrumentId, Quote
from aegis.contracts.reasons import Reason, sentence_of
from aegis.exchanges.sessions import to_shanghai
from aegis.marketdata.adapters.replay import ReplayFeed, ReplayOptions
from aegis.marketdata.adapters.replay.reading import merged, recordings_in
from aegis.marketdata.ports import FeedState
from aegis_sdk.errors import ConfigurationError
from ctpsim.market.ports import Audience
from ctpsim.market.universe import Listing, listings_of

__all__ = ["ReplayMarket"]

_log = structlog.get_logger("ctpsim")
_BATCH: Final = 256


class ReplayMarket:
    """It begins with the first subscription; make one by `opened`. At speed 0 it waits for slow listeners."""

    def __init__(self, path: Path, speed: float, instruments: list[Instrument], first: Quote) -> None:
        self.behind = 0.0
        self.rejections: Counter[str] = Counter()
        self.ended = asyncio.Event()
        self._feed = ReplayFeed(ReplayOptions(path=path, speed=speed))
        self._waits = speed == 0
        self._now = first
        self._listings = listings_of(instruments, first.trading_day)
        self._latest: dict[str, Quote] = {}
        self._pending: list[Quote] = []
        self._audience: Audience | None = None
        self._wanted = asyncio.Event()

    @classmethod
    async def opened(cls, path: Path, speed: float) -> ReplayMarket:
        """Look through a recording. Raises RecordingUnreadable, naming file and column."""
        first = await asyncio.to_thread(lambda: next(merged(recordings_in(path), lambda *_: None), None))
        if first is None:
            raise ConfigurationError("market", f"{path} has no ticks")
        feed = ReplayFeed(ReplayOptions(path=path, speed=speed))
        await feed.open(_Nobody())
        instruments = list(await feed.instruments())
        await feed.close()
        return cls(path, speed, instruments, first)

    def listings(self) -> Mapping[str, Listing]:
        return self._listings

    def trading_day(self) -> str:
        return self._now.trading_day

    def now(self) -> tuple[str, int]:
        day, second, _ = to_shanghai(self._now.ts_exchange_ns)
        return day, second

    def watch(self, symbols: Iterable[str]) -> None:
        if any(symbol in self._listings for symbol in symbols):
            self._wanted.set()

    def unwatch(self, symbols: Iterable[str]) -> None:
        """It plays on."""

    def quote(self, symbol: str) -> Quote | None:
        return self._latest.get(symbol)

    async def run(self, audience: Audience) -> None:
        self._audience = audience
        await self._feed.open(self)
        try:
            await self._wanted.wait()
            await self._feed.subscribe([listing.instrument.id for listing in self._listings.values()])
            await self.ended.wait()
        finally:
            await self._feed.close()

    # A FeedSink

    def offer(self, quote: Quote) -> None:
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.append(quote)
        if len(self._pending) >= _BATCH:
            self._flush()

    async def room(self) -> None:
        if self._waits and self._audience is not None:
            await self._audience.room()

    @property
    def crowded(self) -> bool:
        return False

    async def uncrowded(self) -> None:
        await self.room()

    def changed(self, state: FeedState, why: Sequence[Reason] = ()) -> None:
        if state in (FeedState.ENDED, FeedState.FAILED):
            _log.info("replay_over", state=state, reason=sentence_of(why))
            self.ended.set()

    def rejected(self, reason: str, detail: str, count: int = 1, instrument: InstrumentId | None = None) -> None:
        self.rejections[reason] += count

    def _flush(self) -> None:
        quotes, self._pending = self._pending, []
        if quotes and self._audience is not None:
            self._now = quotes[-1]
            self._latest.update((quote.symbol, quote) for quote in quotes)
            self._audience.publish(quotes)


class _Nobody:
    """A FeedSink for a look at the instruments."""

    crowded = False

    def offer(self, quote: Quote) -> None: ...
    async def room(self) -> None: ...
    async def uncrowded(self) -> None: ...
    def changed(self, state: FeedState, why: Sequence[Reason] = ()) -> None: ...
    def rejected(self, reason: str, detail: str, count: int = 1, instrument: InstrumentId | None = None) -> None: ...
