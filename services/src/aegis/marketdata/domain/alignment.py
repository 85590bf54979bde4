"""Two feeds of one market, told apart by nothing but their quotes: which of ours has the other one published already?

A standby holds the quotes of its own feed until it sees them published. When it takes over it publishes what is left,
and goes on. Two quotes are the same if they agree on all that the exchange says of them: trading day, cumulative volume
and turnover, time, last price and book. They are compared in the order of their arrival, since an exchange may give
several the same second. Per instrument, at most one of these queues is long:

    ahead    published, and not yet come from our feed      (ours is the slower one)
    held     come from our feed, and not yet published      (ours is the faster one, or the other one has failed)

A quote in one of them that meets its like in the other takes out all that was before it in both: what one feed has
left out stays left out, so that the order of the instrument holds. Where our feed has not come up to what was
published, a quote without a like counts as new only if it is later by day, volume or time. What we published ourselves
our feed has brought, so it is never ahead. A new session begins with the state of each instrument: if that is the last
published one, our feed is where the other is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple

from msgspec.structs import replace

from aegis.contracts.market import InstrumentId, Quote, Tick

__all__ = ["Alignment"]

_AHEAD: Final = 256
_AHEAD_NS: Final = 60_000_000_000
"""So many published ticks of one instrument, of so long, our feed may lag behind: a login that is down brings none."""
_LOOKED_AT: Final = 1_024
"""Quotes of one instrument, the oldest held, among which the like of a published one is looked for."""


class _Likeness(NamedTuple):
    """By what two quotes of an instrument are known for the same."""

    trading_day: str
    volume: int
    ts_exchange_ns: int
    turnover: float
    last_price: float | None
    bids: tuple[object, ...]
    asks: tuple[object, ...]

    @classmethod
    def of(cls, one: Quote | Tick) -> _Likeness:
        return cls(one.trading_day, one.volume, one.ts_exchange_ns, one.turnover, one.last_price, one.bids, one.asks)

    def is_after(self, other: _Likeness) -> bool:
        """Whether it is later for certain. A volume that went back within a day is later if its time is."""
        if self.trading_day != other.trading_day:
            return self.trading_day > other.trading_day
        if self.ts_exchange_ns != other.ts_exchange_ns:
            return self.ts_exchange_ns > other.ts_exchange_ns
        return self.volume > other.volume


class _Instrument:
    __slots__ = ("ahead", "forgotten", "held", "last_forgotten", "published")

    def __init__(self) -> None:
        self.ahead: deque[_Likeness] = deque(maxlen=_AHEAD)
        self.held: deque[tuple[int, _Likeness, Quote]] = deque()  # with the order of arrival over all instruments
        self.forgotten = 0  # of ours, before the first one that is held; not seen published
        self.last_forgotten: _Likeness | None = None
        self.published: _Likeness | None = None  # the last one


class Alignment:
    """Of all instruments of a feed. `size` bounds the quotes held, of all: beyond it the oldest are forgotten."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._instruments: dict[tuple[str, str], _Instrument] = {}
        self._order: deque[tuple[int, _Instrument]] = deque()  # of arrival; some of them are held no more
        self.arrivals = 0  # quotes that were held, ever
        self._held = 0
        self.forgotten = 0  # for which there was no room

    def __len__(self) -> int:
        """How many quotes are held."""
        return self._held

    # While another one publishes

    def hold(self, quote: Quote) -> None:
        """A quote came from our feed."""
        instrument, likeness = self._instrument(quote.exchange, quote.symbol), _Likeness.of(quote)
        if instrument.ahead and _take_out(instrument.ahead, likeness):
            self._forget_held(instrument)
            return
        if likeness == instrument.published and "snapshot" in quote.flags:
            self._forget_held(instrument)
            instrument.ahead.clear()
            return
        self.arrivals += 1
        instrument.held.append((self.arrivals, likeness, quote))
        self._order.append((self.arrivals, instrument))
        self._held += 1
        if self._held > self._size:
            self._forget_oldest()
        if len(self._order) > 2 * self._size:
            self._order = deque(entry for entry in self._order if _is_held(*entry))

    def published(self, tick: Tick, *, by_us: bool = False) -> None:
        """A tick was published by the other one, or by us before we stood by."""
        instrument, likeness = self._instrument(tick.exchange, tick.symbol), _Likeness.of(tick)
        instrument.published = likeness
        for place, (_, ours, _) in enumerate(islice(instrument.held, _LOOKED_AT)):
            if ours == likeness:
                for _ in range(place + 1):
                    instrument.held.popleft()
                self._held -= place + 1
                instrument.forgotten = 0
                instrument.ahead.clear()
                return
        if instrument.last_forgotten is not None and not likeness.is_after(instrument.last_forgotten):
            instrument.forgotten = max(0, instrument.forgotten - 1)  # it is one of them: our feed is not behind
        elif not by_us:
            ahead = instrument.ahead
            while ahead and likeness.ts_exchange_ns - ahead[0].ts_exchange_ns > _AHEAD_NS:
                ahead.popleft()
            ahead.append(likeness)

    def go_on_behind(self, latest: Iterable[Tick]) -> None:
        """We have published since `release`; these are the last ticks of all instruments, ours and the other one's."""
        for instrument in self._instruments.values():
            instrument.published = None
        for tick in latest:
            self._instrument(tick.exchange, tick.symbol).published = _Likeness.of(tick)

    # Taking over

    def release(self, limit: int) -> list[Quote]:
        """At most `limit` of what we hold and the other one has not published, in the order of its arrival.

        What comes meanwhile may be held behind it. Empty: nothing is held any more.
        """
        released: list[Quote] = []
        while self._order and len(released) < limit:
            arrival, instrument = self._order.popleft()
            if not _is_held(arrival, instrument):
                continue
            _, likeness, quote = instrument.held.popleft()
            self._held -= 1
            if not _is_published(instrument, likeness):
                if instrument.forgotten:
                    quote = replace(quote, skipped=quote.skipped + instrument.forgotten)
                    instrument.forgotten = 0
                released.append(quote)
        return released

    def untold(self) -> Mapping[InstrumentId, int]:
        """Once all is released: how many were forgotten of an instrument, and are to be told by its next quote."""
        untold = {InstrumentId(*name): one.forgotten for name, one in self._instruments.items() if one.forgotten}
        for instrument in self._instruments.values():
            instrument.forgotten = 0
        return untold

    def held_since(self, arrivals: int) -> list[Quote]:
        """What we hold and has come after so many arrivals, in their order: of a market that is not the other one's.

        The first of an instrument tells of no hole: what was before it, nobody is missing.
        """
        left: list[tuple[int, Quote]] = []
        for instrument in self._instruments.values():
            since = [(arrival, quote) for arrival, _, quote in instrument.held if arrival > arrivals]
            if since:
                (arrival, first), *others = since
                left += [(arrival, replace(first, skipped=0)), *others]
        left.sort(key=lambda entry: entry[0])
        return [quote for _, quote in left]

    def lagging(self) -> set[InstrumentId]:
        """Once all is released: of which instruments our feed may yet bring what is published; ask `admits` then."""
        return {InstrumentId(*name) for name, instrument in self._instruments.items() if instrument.ahead}

    def admits(self, quote: Quote) -> bool:
        """Whether a quote that comes when all is released is to be published."""
        instrument, likeness = self._instrument(quote.exchange, quote.symbol), _Likeness.of(quote)
        if not instrument.ahead:
            return True
        if _take_out(instrument.ahead, likeness):
            return False
        if instrument.published is not None and not likeness.is_after(instrument.published):
            return False
        instrument.ahead.clear()
        return True

    # Bounds

    def _instrument(self, exchange: str, symbol: str) -> _Instrument:
        instrument = self._instruments.get((exchange, symbol))
        if instrument is None:
            instrument = self._instruments[exchange, symbol] = _Instrument()
        return instrument

    def _forget_held(self, instrument: _Instrument) -> None:
        """What was held came before a quote that is published."""
        self._held -= len(instrument.held)
        instrument.held.clear()
        instrument.forgotten = 0

    def _forget_oldest(self) -> None:
        while True:
            arrival, instrument = self._order.popleft()
            if _is_held(arrival, instrument):
                return self._forget(instrument)

    def _forget(self, instrument: _Instrument) -> None:
        """For want of room: a hole tells of it."""
        _, instrument.last_forgotten, forgotten = instrument.held.popleft()
        self._held -= 1
        self.forgotten += 1
        instrument.forgotten += 1 + forgotten.skipped


def _take_out(ahead: deque[_Likeness], likeness: _Likeness) -> bool:
    """Take out the first that is alike, and all before it; whether there is one."""
    for place, theirs in enumerate(ahead):
        if theirs == likeness:
            for _ in range(place + 1):
                ahead.popleft()
            return True
    return False


def _is_published(instrument: _Instrument, likeness: _Likeness) -> bool:
    """Whether one that was held, and is like none that is ahead, is from before what was published last."""
    if instrument.ahead and instrument.published is not None and likeness.is_after(instrument.published):
        instrument.ahead.clear()
    return bool(instrument.ahead)


def _is_held(arrival: int, instrument: _Instrument) -> bool:
    return bool(instrument.held) and instrument.held[0][0] <= arrival
