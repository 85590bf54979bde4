"""The simulated market as a feed."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from aegis.contracts.market import Env, Instrument, InstrumentId
from aegis.contracts.reasons import Reason
from aegis.exchanges.sessions import next_trading_day, to_shanghai
from aegis.marketdata.adapters.simulated.clock import SECOND_NS, SessionClock, WallClock
from aegis.marketdata.adapters.simulated.market import Market, UniverseName
from aegis.marketdata.ports import FeedSink, FeedState
from aegis_sdk.errors import AegisError, ConfigurationError, ConnectionUnavailable

_TURN_S: Final = 0.01  # between two looks, at least
_REST_S: Final = 0.021  # at most: a contract that is subscribed has its snapshot then
_STEP_S: Final = 0.001  # an event loop may wake so much too early, and would have to look again
_SLICE_NS: Final = SECOND_NS // 10  # of running time made in one go, at most
_SLICE_QUOTES: Final = 250
_FORGIVEN_S: Final = 2.0  # further behind than this, after a pause of the machine, the market goes on from where it is


@dataclass(frozen=True, kw_only=True)
class SimulatedOptions:
    """What the simulated market does. Raises ConfigurationError where it is contradictory."""

    seed: int = 1
    rate: float | None = None  # quotes a second of the market's time, evenly spaced, of all subscribed; None: natural
    in_turn: bool = False  # all have as many of them, and not those more that are traded more
    speed: float = 1.0  # seconds of the market's time in a real one; 0: as fast as the sink has room
    wall_clock: bool = False  # keep the real hours: quotes only while a product's session is open
    start_day: str | None = None  # the first trading day, YYYYMMDD; None: today
    universe: UniverseName = "core"  # some 570 futures; `futures`: all; `options`: some 25,000 with their options

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise ConfigurationError("rate", f"{self.rate} is not a number of quotes above 0")
        if self.in_turn and self.rate is None:
            raise ConfigurationError("in_turn", "without a rate each contract has its own pace")
        if not 0 <= self.speed < math.inf:
            raise ConfigurationError("speed", f"{self.speed} is neither 0 nor a positive number")
        if self.wall_clock and (self.rate is not None or self.speed != 1 or self.start_day):
            raise ConfigurationError("wall_clock", "the real hours go with no rate, speed or start_day")
        if self.start_day is not None:
            _check_day(self.start_day)


class SimulatedFeed:
    """A market of its own, at any hour, in place of a login.

    Its time begins at the opening of a trading day, passes over breaks and nights, and stands while nothing is
    subscribed or the feed is closed. A new session starts with no subscriptions.
    """

    source: str = "simulated"
    env: Env = "sim"

    def __init__(self, options: SimulatedOptions | None = None) -> None:
        self._options = options or SimulatedOptions()
        self.market = f"{self.source} {uuid4().hex[:12]}"
        self._session = ""
        self._market: Market | None = None
        self._sink: FeedSink | None = None
        self._task: asyncio.Task[None] | None = None
        self._fresh: list[InstrumentId] = []
        self._wanted = asyncio.Event()

    @property
    def session(self) -> str:
        return self._session

    async def open(self, sink: FeedSink) -> None:
        if self._task is not None:
            raise AegisError("the simulated feed is open already")
        sink.changed(FeedState.CONNECTING)
        self._market = self._market or _market(self._options, time.time_ns())
        self._market.unwatch(self._market.watched)
        self._fresh.clear()
        self._wanted.clear()
        self._session = uuid4().hex[:12]
        self._sink = sink
        self._task = asyncio.create_task(self._run(self._market, sink), name="simulated-feed")
        sink.changed(FeedState.READY)

    async def instruments(self) -> Sequence[Instrument]:
        return self._open_market().instruments

    async def subscribe(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Reason]:
        market = self._open_market()
        self._fresh += market.watch(instruments)
        if market.watched:
            self._wanted.set()
        return {one: Reason.of("not_taken") for one in instruments if not market.knows(one)}

    async def unsubscribe(self, instruments: Sequence[InstrumentId]) -> None:
        market = self._open_market()
        market.unwatch(instruments)
        if not market.watched:
            self._wanted.clear()

    async def close(self) -> None:
        task, sink = self._task, self._sink
        if task is None or sink is None:
            return
        self._task = self._sink = None
        task.cancel()
        await asyncio.wait({task})
        sink.changed(FeedState.CLOSED)

    async def renew(self) -> None:
        """Lose the session and have another at once, as when a front is started anew: with the contracts of its day."""
        market, sink = self._open_market(), self._sink
        assert sink is not None
        sink.changed(FeedState.CONNECTING, [Reason.of("renewed")])
        market.unwatch(market.watched)
        self._fresh.clear()
        self._wanted.clear()
        market.relist()
        self._session = uuid4().hex[:12]
        sink.changed(FeedState.READY)

    def _open_market(self) -> Market:
        if self._market is None or self._task is None:
            raise ConnectionUnavailable("the simulated feed is not open")
        return self._market

    async def _run(self, market: Market, sink: FeedSink) -> None:
        try:
            while True:
                await self._wanted.wait()
                await self._produce(market, sink)
        except Exception as error:
            sink.changed(FeedState.FAILED, [Reason.of_error(error)])

    async def _produce(self, market: Market, sink: FeedSink) -> None:
        """Offer what is due, in slices, as long as anything is subscribed."""
        pace = _Pace(self._options, market)
        while self._wanted.is_set():
            if self._options.speed == 0:  # else it is like a live market, which waits for nobody
                await sink.room()
            until_ns = max(pace.until(), market.running_ns)
            behind = until_ns - market.running_ns == pace.slice_ns
            self._offer(market, sink, until_ns)
            await asyncio.sleep(0 if behind else pace.rest_s())

    def _offer(self, market: Market, sink: FeedSink, until_ns: int) -> None:
        fresh, self._fresh = self._fresh, []
        received_ns = time.time_ns()
        watched = market.watched if fresh else frozenset[InstrumentId]()
        for instrument in fresh:
            if instrument in watched:
                sink.offer(market.snapshot(instrument, received_ns))
        for quote in market.step(until_ns, received_ns):
            sink.offer(quote)


class _Pace:
    """How far a market's time should be by now."""

    def __init__(self, options: SimulatedOptions, market: Market) -> None:
        self._market = market
        self._speed = options.speed
        self._wall_clock = options.wall_clock
        self._now_ns = time.time_ns if options.wall_clock else time.monotonic_ns
        self.slice_ns = min(_SLICE_NS, int(_SLICE_QUOTES * SECOND_NS / options.rate)) if options.rate else _SLICE_NS
        self._offset_ns = 0 if options.wall_clock else market.running_ns - self._scaled_ns()

    def until(self) -> int:
        """The end of the next slice, which is shorter than `slice_ns` when it reaches the present."""
        running_ns = self._market.running_ns
        if not self._speed:
            return running_ns + self.slice_ns
        behind_ns = self._scaled_ns() + self._offset_ns - running_ns
        if behind_ns > _FORGIVEN_S * self._speed * SECOND_NS:
            self._forgive(behind_ns)
            return running_ns
        return running_ns + min(behind_ns, self.slice_ns)

    def rest_s(self) -> float:
        """Until the next quote is due."""
        due_s = (self._market.next_ns - self._market.running_ns) / (self._speed * SECOND_NS)
        return min(max(due_s + _STEP_S, _TURN_S), _REST_S)

    def _forgive(self, behind_ns: int) -> None:
        if self._wall_clock:
            self._market.skip(behind_ns)
        else:
            self._offset_ns -= behind_ns

    def _scaled_ns(self) -> int:
        return int(self._now_ns() * self._speed)


def _market(options: SimulatedOptions, now_ns: int) -> Market:
    if options.wall_clock:
        return Market(WallClock(), seed=options.seed, begin_ns=now_ns, universe=options.universe)
    clock = SessionClock(options.start_day or to_shanghai(now_ns)[0], auctions=options.rate is None)
    return Market(clock, seed=options.seed, rate=options.rate, in_turn=options.in_turn, universe=options.universe)


def _check_day(day: str) -> None:
    try:
        known = len(day) == 8 and day.isdigit() and bool(next_trading_day(day))
    except ValueError:
        known = False
    if not known:
        raise ConfigurationError("start_day", f"{day!r} is not a day as YYYYMMDD")
