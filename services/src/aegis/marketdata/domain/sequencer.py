"""Makes ticks of quotes: gives each its origin, its place in the sequence, and what changed since the one before.

A sequence counts the quotes of one instrument that a feed offered, those that were dropped before they came here too:
the bridge ring says how many (`skip`), and a quote how many it stands for (`skipped`). So a hole in what a consumer
sees is a dropped tick, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from msgspec.structs import replace

from aegis.contracts.market import Env, Flag, InstrumentId, Quote, Tick
from aegis_sdk import subjects

__all__ = ["Origin", "Sequencer"]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where ticks come from, from now on."""

    env: Env
    feed: str  # the feed set's name
    source: str
    session: str
    epoch: int
    market: str = ""  # of the feed; ticks of one market go on from each other


class _Instrument:
    """What is remembered of one instrument."""

    __slots__ = ("previous", "sequence", "subject", "trading_day", "ts_exchange_ns", "turnover", "volume")

    def __init__(self) -> None:
        self.subject = ""  # from the first stamp on
        self.sequence = 0
        self.trading_day = ""  # of the quote before, if it can be compared with
        self.ts_exchange_ns = 0  # the highest of the trading day
        self.volume = 0
        self.turnover = 0.0
        self.previous: Quote | None = None


class Sequencer:
    """The state of all instruments of one feed."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._instruments: dict[tuple[str, str], _Instrument] = {}
        self.duplicates = 0  # equal to the quote before in all but the time of receipt; published all the same
        self.stale = 0

    @property
    def origin(self) -> Origin:
        return self._origin

    def begin(self, origin: Origin) -> None:
        """Go on with another session of the same epoch."""
        self._origin = origin

    def take_over(self, origin: Origin, latest: Iterable[Tick], *, same_market: bool) -> None:
        """Begin a new epoch, in which each instrument is numbered from 1 again, behind the latest ticks of others.

        What changed since these is told as if they were ours. Another market has a volume and a clock of its own: there
        the first tick of each is flagged `reset`.
        """
        self._origin = origin
        self._instruments.clear()
        for tick in latest:
            instrument = self._instrument(tick.exchange, tick.symbol)
            instrument.trading_day = tick.trading_day if same_market else ""
            instrument.ts_exchange_ns = tick.ts_exchange_ns
            instrument.volume = tick.volume
            instrument.turnover = tick.turnover
            instrument.previous = tick.quote

    def skip(self, dropped: Mapping[InstrumentId, int]) -> None:
        """Leave a hole for quotes that were dropped; before the next quote of their instruments is stamped."""
        for (exchange, symbol), count in dropped.items():
            self._instrument(exchange, symbol).sequence += count

    def stamp(self, quote: Quote) -> tuple[str, Tick]:
        """The next tick of the quote's instrument, and its subject.

        Raises ConfigurationError or ValueError where the instrument cannot have a subject.
        """
        state = self._instruments.get((quote.exchange, quote.symbol))
        if state is None:
            state = self._instrument(quote.exchange, quote.symbol)
        state.sequence += 1 + quote.skipped
        if not state.subject:
            state.subject = _subject(quote.exchange, quote.symbol)
        flags, volume_delta, turnover_delta = self._change(state, quote)
        origin = self._origin
        return state.subject, Tick(
            origin.env,
            origin.feed,
            origin.source,
            origin.session,
            origin.epoch,
            state.sequence,
            quote.exchange,
            quote.symbol,
            quote.trading_day,
            quote.action_day,
            quote.ts_exchange_ns,
            quote.ts_received_ns,
            quote.last_price,
            quote.open_price,
            quote.high_price,
            quote.low_price,
            quote.pre_close_price,
            quote.pre_settlement_price,
            quote.settlement_price,
            quote.upper_limit_price,
            quote.lower_limit_price,
            quote.volume,
            quote.turnover,
            volume_delta,
            turnover_delta,
            quote.open_interest,
            quote.pre_open_interest,
            quote.bids,
            quote.asks,
            flags,
        )

    def _instrument(self, exchange: str, symbol: str) -> _Instrument:
        state = self._instruments.get((exchange, symbol))
        if state is None:
            state = self._instruments[exchange, symbol] = _Instrument()
        return state

    def _change(self, state: _Instrument, quote: Quote) -> tuple[tuple[Flag, ...], int, float]:
        """Flags, volume and turnover since the quote before. Remembers this one, unless it is stale."""
        volume_delta, turnover_delta = 0, 0.0
        flags = quote.flags
        if quote.trading_day == state.trading_day:
            if quote.ts_exchange_ns < state.ts_exchange_ns:
                return self._stale(quote)
            volume_delta = quote.volume - state.volume
            if volume_delta < 0:
                volume_delta, flags = 0, _with(flags, "reset")
            else:
                turnover_delta = quote.turnover - state.turnover
                if volume_delta == 0 and quote.ts_exchange_ns == state.ts_exchange_ns:
                    self.duplicates += _equal_but_for_receipt(quote, state.previous)
        elif quote.trading_day < state.trading_day:
            return self._stale(quote)
        elif state.previous is not None:
            flags = _with(flags, "reset")
        state.trading_day = quote.trading_day
        state.ts_exchange_ns = quote.ts_exchange_ns
        state.volume = quote.volume
        if isfinite(quote.turnover):  # else this tick will be refused, which must not spoil the next
            state.turnover = quote.turnover
        state.previous = quote
        return flags, volume_delta, turnover_delta

    def _stale(self, quote: Quote) -> tuple[tuple[Flag, ...], int, float]:
        self.stale += 1
        return _with(quote.flags, "stale"), 0, 0.0


def _subject(exchange: str, symbol: str) -> str:
    """Raises for what is no instrument, but a wildcard, empty or so long that the server would cut the connection."""
    if subjects.ANY in (exchange, symbol):
        raise ValueError(f"{exchange}.{symbol} is no instrument")
    subjects.token(subjects.escape(symbol), "symbol")
    return subjects.tick(exchange, symbol)


def _equal_but_for_receipt(quote: Quote, previous: Quote | None) -> bool:
    return previous is not None and quote == replace(previous, ts_received_ns=quote.ts_received_ns)


def _with(flags: tuple[Flag, ...], flag: Flag) -> tuple[Flag, ...]:
    return (*flags, flag)
