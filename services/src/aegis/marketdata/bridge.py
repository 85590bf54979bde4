"""The bridge ring: quotes from any thread into the event loop, bounded, without ever blocking the sender.

An offer is one append under a lock, and wakes the loop only if it sleeps. When the ring is full, the oldest waiting
quote of the same instrument makes room, or the oldest of all if there is none. So of each instrument it is always the
oldest that goes: nothing of it was overtaken, and the next one of it says how many it stands for (`skipped`).
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock, get_ident
from typing import Final

import structlog
from msgspec.structs import replace

from aegis.contracts.market import InstrumentId, Quote
from aegis.contracts.reasons import Reason
from aegis.marketdata.ports import FeedState

__all__ = ["DEFAULT_SIZE", "Bridge", "BridgeStats"]

_log = structlog.get_logger("aegis.bridge")

DEFAULT_SIZE: Final = 32_768
"""Quotes. The whole market with its options peaks at about 20,000 a second, so a pause of the loop of more than a
second loses nothing. About 30 MB when full."""

_TOLD: Final = 100
"""Rejections that are logged, of each reason."""

StateHandler = Callable[[FeedState, Sequence[Reason]], None]


@dataclass(frozen=True, kw_only=True)
class BridgeStats:
    """The ring at one moment: offered == drained + depth + the sum of conflated, with those that a feed conflated."""

    depth: int
    offered: int
    drained: int
    conflated: Mapping[InstrumentId, int]
    late: int  # offered after the ring was closed: refused
    rejected: Mapping[str, int]  # input that the feed skipped, by reason
    rejected_of: Mapping[InstrumentId, int]  # of it, what is known to have been of an instrument


class _Index:
    """The waiting quotes of a full ring, each to be found by its instrument, all operations in constant time."""

    def __init__(self, quotes: Iterable[Quote]) -> None:
        self._waiting: OrderedDict[int, Quote] = OrderedDict()
        self._places: dict[tuple[str, str], deque[int]] = {}
        self._next = 0
        for quote in quotes:
            self.append(quote)

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, quote: Quote) -> None:
        self._waiting[self._next] = quote
        self._places.setdefault((quote.exchange, quote.symbol), deque()).append(self._next)
        self._next += 1

    def popleft(self) -> Quote:
        _, quote = self._waiting.popitem(last=False)
        self._places[quote.exchange, quote.symbol].popleft()
        return quote

    def make_room(self, for_quote: Quote) -> Quote:
        """Take out the oldest of the same instrument, or else of all."""
        places = self._places.get((for_quote.exchange, for_quote.symbol))
        return self._waiting.pop(places.popleft()) if places else self.popleft()


class Bridge:
    """The `FeedSink` of a feed. Made in the event loop that drains it.

    `size` counts quotes; `room` waits until half of them are free, and then for `room_behind`, that of whoever takes
    the quotes out. `on_changed` is called in the event loop for each change of the feed's state.
    """

    def __init__(
        self,
        size: int = DEFAULT_SIZE,
        *,
        room_behind: Callable[[], Awaitable[None]] | None = None,
        on_changed: StateHandler | None = None,
    ) -> None:
        self._size = size
        self._low_water = size // 2
        self._room_behind = room_behind
        self._on_changed = on_changed
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._lock = Lock()
        self._ring: deque[Quote] | _Index = deque()  # an index from the moment it is full until it is empty
        self._offered = self._drained = self._late = 0
        self._untold: Counter[InstrumentId] = Counter()  # dropped, and no quote taken since says so
        self._has_dropped = False  # since the last take
        self._conflated: Counter[InstrumentId] = Counter()
        self._rejected: Counter[str] = Counter()
        self._rejected_of: Counter[InstrumentId] = Counter()
        self._conflating = False  # from the first drop that was seen until the ring is empty
        self._awake = False
        self._closed = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    # The side of the feed: any thread

    def offer(self, quote: Quote) -> None:
        with self._lock:
            if self._closed:
                self._late += 1
                return
            self._offered += 1
            if quote.skipped:
                self._offered += quote.skipped
                self._conflated[InstrumentId(quote.exchange, quote.symbol)] += quote.skipped
            if len(self._ring) >= self._size:
                self._drop_for(quote)
            self._ring.append(quote)
            if self._awake:
                return
            self._awake = True
        if get_ident() == self._thread:  # what waits for it runs when this turn of the loop is over
            self._filled.set()
        else:
            self._loop.call_soon_threadsafe(self._filled.set)

    def changed(self, state: FeedState, why: Sequence[Reason] = ()) -> None:
        if self._on_changed is not None:
            self._loop.call_soon_threadsafe(self._on_changed, state, why)

    def rejected(self, reason: str, detail: str, count: int = 1, instrument: InstrumentId | None = None) -> None:
        with self._lock:
            before = self._rejected[reason]
            self._rejected[reason] += count
            if instrument is not None:
                self._rejected_of[instrument] += count
        if before < _TOLD:
            _log.warning("input_rejected", reason=reason, detail=detail, count=count)
        if before < _TOLD <= before + count:
            _log.warning("input_rejections_only_counted", reason=reason, hint="from now on, in the service's status")

    @property
    def crowded(self) -> bool:
        return len(self._ring) > self._low_water and not self._closed

    async def uncrowded(self) -> None:
        while self.crowded:
            self._emptied.clear()
            await self._emptied.wait()

    async def room(self) -> None:
        await self.uncrowded()
        if self._room_behind is not None and not self._closed:
            await self._room_behind()

    # The side of the pipeline: the event loop

    async def filled(self) -> bool:
        """Return True as soon as quotes are waiting, False once the ring is closed and empty."""
        while True:
            with self._lock:
                if self._ring:
                    return True
                if self._closed:
                    return False
                self._awake = False
                self._filled.clear()
            await self._filled.wait()

    @property
    def depth(self) -> int:
        """How many wait."""
        return len(self._ring)

    @property
    def drained(self) -> int:
        """How many were taken out, ever."""
        return self._drained

    def take(self, limit: int) -> list[Quote]:
        """At most `limit` of the waiting quotes, the oldest first."""
        with self._lock:
            popleft = self._ring.popleft
            quotes = [popleft() for _ in range(min(limit, len(self._ring)))]
            self._drained += len(quotes)
            begins = self._has_dropped and not self._conflating
            told = self._untold.copy() if begins else None
            self._has_dropped = False
            self._conflating = bool(self._ring) and (self._conflating or begins)
            if self._untold:
                quotes = [self._tell(quote) for quote in quotes]
            if not self._ring and isinstance(self._ring, _Index):
                self._ring = deque()
            if len(self._ring) <= self._low_water:
                self._emptied.set()
        if told:
            self._log_conflation(told)
        return quotes

    def _tell(self, quote: Quote) -> Quote:
        """The quote, with those of its instrument that were dropped before it."""
        dropped = self._untold.pop(InstrumentId(quote.exchange, quote.symbol), 0)
        return replace(quote, skipped=quote.skipped + dropped) if dropped else quote

    def close(self) -> None:
        """Refuse what is offered from now on; from any thread. What is waiting can still be taken."""
        with self._lock:
            self._closed = True
        self._loop.call_soon_threadsafe(self._wake_all)

    def stats(self) -> BridgeStats:
        with self._lock:
            return BridgeStats(
                depth=len(self._ring),
                offered=self._offered,
                drained=self._drained,
                conflated=Counter(self._conflated),
                late=self._late,
                rejected=dict(self._rejected),
                rejected_of=Counter(self._rejected_of),
            )

    def _log_conflation(self, dropped: Counter[InstrumentId]) -> None:
        [(worst, _)] = dropped.most_common(1)
        _log.warning(
            "quotes_conflated",
            reason="the bridge ring is full",
            instrument=str(worst),
            instruments=len(dropped),
            dropped=dropped.total(),
            hint="more are only counted until the ring is empty",
        )

    def _wake_all(self) -> None:
        self._filled.set()
        self._emptied.set()

    def _drop_for(self, quote: Quote) -> None:
        if not isinstance(self._ring, _Index):
            self._ring = _Index(self._ring)
        dropped = self._ring.make_room(quote)
        instrument = InstrumentId(dropped.exchange, dropped.symbol)
        self._has_dropped = True
        self._untold[instrument] += 1 + dropped.skipped
        self._conflated[instrument] += 1
