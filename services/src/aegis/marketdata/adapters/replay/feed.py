"""Recorded ticks, played again as a feed."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

from msgspec.structs import force_setattr

from aegis.contracts.market import Env, Exchange, Instrument, InstrumentId, Quote
from aegis.contracts.reasons import Reason, explained
from aegis.exchanges.products import product_of
from aegis.exchanges.sessions import to_shanghai
from aegis.marketdata.adapters.ctp_fields import facts_of_product
from aegis.marketdata.adapters.replay.pace import Pace
from aegis.marketdata.adapters.replay.reading import Played, merged, recordings_in
from aegis.marketdata.domain.instruments import contract_month, expiry_day
from aegis.marketdata.domain.universe import kind_of
from aegis.marketdata.ports import FeedSink, FeedState
from aegis_sdk.errors import AegisError, ConfigurationError, Rejected

__all__ = ["Rejections", "ReplayFeed", "ReplayOptions"]

T = TypeVar("T")

_BATCH: Final = 256  # rows read in the thread, and offered without a pause of the event loop: about 1 ms
_SCANNED_AT_ONCE: Final = 20_000
_DETAILS_KEPT: Final = 100
_SHORTEST_SLEEP_S: Final = 0.001


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """What to play, and how fast."""

    path: Path
    """A .csv or .csv.gz file, a directory of them, or what the recorder wrote."""
    speed: float = 1.0
    """Times as fast as recorded; 0 is as fast as the sink takes it."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed) and self.speed >= 0):
            raise ConfigurationError("replay.speed", f"{self.speed} is neither 0 nor a positive number")


@dataclass
class Rejections:
    """The rows that were skipped: how many, and what was wrong with the first ones."""

    count: int = 0
    details: list[str] = field(default_factory=list[str])

    def add(self, detail: str) -> None:
        self.count += 1
        if len(self.details) < _DETAILS_KEPT:
            self.details.append(detail)


class ReplayFeed:
    """A recording as a Feed.

    It is read through once by `open`, to know the instruments, which takes about 3 s per million rows. The first
    quote comes after the first subscription; whoever subscribes later joins in the middle. Quotes are received when
    they are offered; their exchange times are the recorded ones.
    """

    def __init__(self, options: ReplayOptions) -> None:
        self._options = options
        self.market = f"{self.source} {uuid4().hex[:12]}"  # each begins at the beginning
        self._session = ""
        self._sink: FeedSink | None = None
        self._known: dict[InstrumentId, Instrument] = {}
        self._wanted: set[tuple[str, str]] = set()
        self._subscribed = asyncio.Event()
        self._playing: asyncio.Task[None] | None = None
        self.rejections = Rejections()

    @property
    def source(self) -> str:
        return f"replay:{self._options.path.name}"

    @property
    def session(self) -> str:
        return self._session

    @property
    def env(self) -> Env:
        return "sim"

    async def open(self, sink: FeedSink) -> None:
        """Raises RecordingUnreadable, naming file and column."""
        if self._sink is not None:
            raise ConfigurationError("replay", "a session is open already")
        self._sink = sink
        try:
            sink.changed(FeedState.CONNECTING)
            recordings = await _off_loop(lambda: recordings_in(self._options.path))
            self._known = await _scan(recordings)
        except BaseException as error:
            self._sink = None
            sink.changed(
                FeedState.FAILED if isinstance(error, AegisError) else FeedState.CLOSED, [Reason.of_error(error)]
            )
            raise
        self._session = secrets.token_hex(6)
        self.rejections = Rejections()
        sink.changed(FeedState.READY)
        self._playing = asyncio.create_task(self._play(recordings, sink), name=self.source)

    async def instruments(self) -> Sequence[Instrument]:
        """All that are recorded, also the few of which only the symbol is known."""
        return [*self._known.values()]

    async def subscribe(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Reason]:
        known = [instrument for instrument in instruments if instrument in self._known]
        self._wanted.update(known)
        if known:
            self._subscribed.set()
        return {one: Reason.of("not_taken") for one in instruments if one not in self._known}

    async def unsubscribe(self, instruments: Sequence[InstrumentId]) -> None:
        self._wanted.difference_update(instruments)

    async def renew(self) -> None:
        """Raises Rejected: a recording plays in one session, from its begin to its end."""
        raise explained(Rejected, "one_session")

    async def close(self) -> None:
        sink, playing = self._sink, self._playing
        self._sink = self._playing = None
        if playing is not None:
            playing.cancel()
            with suppress(asyncio.CancelledError):
                await playing
        self._known = {}
        self._wanted.clear()
        self._subscribed.clear()
        if sink is not None:
            sink.changed(FeedState.CLOSED)

    async def _play(self, recordings: list[Played], sink: FeedSink) -> None:
        try:
            await self._subscribed.wait()
            offered = await self._offer_all(recordings, sink)
            await sink.room()
            sink.changed(FeedState.ENDED, [Reason.of("played", quotes=offered, rows=self.rejections.count)])
        except Exception as error:  # whatever it is, this feed will not go on by itself
            sink.changed(FeedState.FAILED, [Reason.of_error(error)])

    async def _offer_all(self, recordings: list[Played], sink: FeedSink) -> int:
        loop = asyncio.get_running_loop()
        rejected: list[tuple[str, str]] = []

        def on_rejected(reason: str, detail: str) -> None:
            rejected.append((reason, detail))
            if len(rejected) >= _BATCH:  # a long run of bad rows is reported on the way, so that it needs no memory
                asyncio.run_coroutine_threadsafe(self._report(rejected, sink), loop).result()

        quotes = merged(recordings, on_rejected)
        pace = Pace(self._options.speed)
        offered = 0
        try:
            while batch := await _off_loop(lambda: list(islice(quotes, _BATCH))):
                await self._report(rejected, sink)
                await sink.room()
                offered += await self._offer(batch, pace, sink)
            await self._report(rejected, sink)
        finally:
            quotes.close()
        return offered

    async def _offer(self, batch: list[Quote], pace: Pace, sink: FeedSink) -> int:
        offered = 0
        for quote in batch:
            delay = pace.delay_s(quote.ts_received_ns, time.monotonic_ns())
            if delay > _SHORTEST_SLEEP_S:
                await asyncio.sleep(delay)
                await sink.room()
            if (quote.exchange, quote.symbol) in self._wanted:
                force_setattr(quote, "ts_received_ns", time.time_ns())  # nobody else has it yet
                sink.offer(quote)
                offered += 1
        return offered

    async def _report(self, rejected: list[tuple[str, str]], sink: FeedSink) -> None:
        for reason, detail in rejected:
            self.rejections.add(detail)
            sink.rejected(reason, detail)
        rejected.clear()


async def _scan(recordings: Sequence[Played]) -> dict[InstrumentId, Instrument]:
    """The instruments of all rows, but for rows without a symbol or an exchange: these are rejected when played."""
    rows = (names for recording in recordings for names in recording.instruments())
    seen: set[tuple[str, str]] = set()
    while names := await _off_loop(lambda: set(islice(rows, _SCANNED_AT_ONCE))):
        seen |= names
    first_ns = await _off_loop(lambda: min((recording.first_ns() for recording in recordings), default=0))
    day, _, _ = to_shanghai(first_ns)
    known: dict[InstrumentId, Instrument] = {}
    for exchange, symbol in sorted(seen):
        facts = facts_of_product(exchange, symbol)
        if symbol and facts is not None and facts.exchange in Exchange.__members__:
            known[InstrumentId(facts.exchange, symbol)] = _instrument(facts.exchange, symbol, day)
    return known


def _instrument(exchange: str, symbol: str, day: str) -> Instrument:
    """What is known of a symbol that was recorded on a day; when it expires only of a future."""
    product = product_of(exchange, symbol)
    month = contract_month(symbol, day) if kind_of(symbol) == "future" else None
    return Instrument(
        exchange=exchange,
        symbol=symbol,
        product=product.code if product else "",
        name=f"{product.chinese}{symbol.removeprefix(product.code)}" if product else symbol,
        multiplier=product.multiplier if product else None,
        price_tick=product.price_tick if product else None,
        expiry_day=expiry_day(product, month) if product and month else None,
    )


async def _off_loop(work: Callable[[], T]) -> T:
    """Do a short piece of work in a thread. It cannot be interrupted, so a cancellation waits for its end."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.gather(working, return_exceptions=True)
        raise
