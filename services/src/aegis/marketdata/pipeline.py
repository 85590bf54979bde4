"""From a feed's quotes to published ticks: bridge ring, sequencer, codec, outlet. One task.

The pipeline takes quotes out of the bridge ring only while the outlet has room, so that a slow server fills the ring,
where the newest quotes of each instrument survive. While the outlet is cut off it takes them all the same: then the
outlet keeps the last minute. Feeds that can wait, wait in both cases.

While another instance publishes, quotes are held until they are seen published. `take_over` publishes what is left of
them, and every one that comes from then on; `stand_by` ends that. What only live subscribers have had of the other one
is kept until it is seen stored; `take_over` stores what is left of that, too.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from aegis.contracts.market import InstrumentId, Quote, Tick
from aegis.contracts.tick_codec import TickCodec, decode
from aegis.marketdata.bridge import DEFAULT_SIZE, Bridge, BridgeStats, StateHandler
from aegis.marketdata.domain.alignment import Alignment
from aegis.marketdata.domain.sequencer import Origin, Sequencer
from aegis.marketdata.domain.unstored import Unstored
from aegis.marketdata.ports import License, Outgoing, OutletStats, TickOutlet
from aegis_sdk.errors import CodecError
from aegis_sdk.messages import CODEC, Message

__all__ = ["Pipeline", "PipelineStats", "held_through"]

_log = structlog.get_logger("aegis.pipeline")

_TURN: Final = 1_000
"""Quotes worked on in one turn of the event loop: at most about 5 ms."""
_MAX_TICK_BYTES: Final = 65_536
_HELD: Final = 132_000
"""Quotes that a standby holds, at least: a minute at 2,000 a second. One takes 1 to 2 KB."""
_HELD_RATE: Final = 10_000
_HELD_BEHIND_S: Final = 3.0
"""From the end of a silence to the takeover: who publishes gives the key up, and the stream is waited for."""
_MOST_HELD: Final = 1_000_000


def held_through(silence_s: float) -> int:
    """Quotes that a standby holds where whoever publishes may be silent so long: all, at 10,000 a second for 97 s."""
    return min(max(_HELD, int(_HELD_RATE * (silence_s + _HELD_BEHIND_S))), _MOST_HELD)


@dataclass(frozen=True, kw_only=True)
class PipelineStats:
    """The whole way at one moment.

    Between two turns bridge.drained == outlet.accepted - outlet.adopted - outlet.left + held + the sum of
    unserializable + those that other instances have published in our place, or we before another one's turn.
    """

    bridge: BridgeStats
    outlet: OutletStats
    held: int  # not yet seen published by the instance that publishes
    forgotten: int  # by a standby, for want of room: quotes, and ticks that only live subscribers have had
    unserializable: Mapping[InstrumentId, int]
    duplicates: int  # equal to the quote before, published all the same
    stale: int


class Pipeline:
    """Made in the event loop it runs in. `bridge` is the sink for the feed."""

    def __init__(
        self,
        codec: TickCodec,
        outlet: TickOutlet,
        *,
        bridge_size: int = DEFAULT_SIZE,
        held_size: int = _HELD,
        on_changed: StateHandler | None = None,
    ) -> None:
        self.bridge = Bridge(bridge_size, room_behind=self._room_behind, on_changed=on_changed)
        self._codec = codec
        self._outlet = outlet
        self._held_size = held_size
        self._alignment = Alignment(held_size)
        self._unstored = Unstored(held_size)
        self._arrivals = 0  # what was held before others published last
        self._sequencer: Sequencer | None = None  # while we publish
        self._epoch = 0  # under which we published last
        self._leaving = False  # we publish no more, and nobody else does yet
        self._is_behind = False  # we publish, but not yet all that was held
        self._next: deque[Quote] = deque()  # to be published before what the alignment and the bridge have
        self._sessions: deque[tuple[int, Origin]] = deque()  # from which quote on which session is theirs
        self._lagging: set[InstrumentId] = set()  # of which our feed may yet bring what others have published
        self._released = asyncio.Event()  # what is held has become less
        self._taken_over = asyncio.Event()  # what was held is to be published
        self._latest: dict[str, Tick] = {}
        self._heard: Counter[InstrumentId] = Counter()
        self._unserializable: Counter[InstrumentId] = Counter()
        self._duplicates = self._stale = self._forgotten = 0
        self._drain_s = 0.0

    @property
    def latest(self) -> Mapping[str, Tick]:
        """The latest published tick of each instrument, by subject; also of those that another instance published."""
        return self._latest

    @property
    def heard(self) -> Mapping[InstrumentId, int]:
        """How many quotes of each instrument the feed has brought."""
        return self._heard

    @property
    def is_publishing(self) -> bool:
        return self._sequencer is not None

    # Who publishes

    def begin(self, origin: Origin) -> None:
        """Quotes offered from now on are of another session; those that wait are of the one before."""
        if self._sequencer is not None:
            self._sessions.append((self.bridge.drained + self.bridge.depth, origin))

    def seen(self, subject: str, tick: Tick, *, live: bool, ours: bool, heard: Message | None) -> None:
        """This was published, just now or before we stood by, in our market or another one. It may be told twice.

        `heard` is how live subscribers had it, None what the stream has.
        """
        if self._sequencer is not None:
            return
        before, place = self._latest.get(subject), (tick.epoch, tick.sequence)
        if heard is None:
            self._unstored.stored(subject, place)
        if before is not None and (before.epoch, before.sequence) >= place:
            return
        if heard is not None and (payload := self._as_ours(heard, tick)):
            self._unstored.heard(subject, payload, place)
        self._latest[subject] = tick
        if ours:
            self._alignment.published(tick, by_us=tick.epoch == self._epoch)
            self._released.set()
        elif live:
            self._arrivals = self._alignment.arrivals

    def _as_ours(self, heard: Message, tick: Tick) -> bytes:
        """The payload in our codec; empty for what we could not publish."""
        payload = heard.payload
        if heard.headers.get(CODEC) != self._codec.headers.get(CODEC):
            try:
                payload = self._codec.encode(tick)
            except CodecError:
                return b""
        return payload if len(payload) <= _MAX_TICK_BYTES else b""

    def open(self, origin: Origin, license: License) -> Awaitable[int]:
        """Let the outlet begin, before `take_over`; done with the place in the stream up to which others published."""
        return self._outlet.open(origin, license)

    def take_over(self, origin: Origin, *, same_market: bool, after: int | None = None) -> int:
        """Publish what the others have not, and from now on everything; how many quotes are held for that.

        `run` publishes these, before all that comes: behind a silent front they may be many. Of another market they are
        what came since others published last: it is a switch of the source. `after` is how far the stream was told,
        where it was not told to its end.
        """
        sequencer = Sequencer(origin)
        sequencer.take_over(origin, self._latest.values(), same_market=same_market)
        if not same_market:
            self._next.extend(self._alignment.held_since(self._arrivals))
            self._forgotten += self._alignment.forgotten
            self._alignment = Alignment(self._held_size)
        self._sequencer, self._epoch, self._is_behind = sequencer, origin.epoch, True
        self._outlet.begin(origin)
        self._outlet.adopt(self._unstored.take(), after)
        self._released.set()
        self._taken_over.set()
        return self._held

    @property
    def _held(self) -> int:
        return len(self._next) + len(self._alignment)

    async def leave(self, timeout: float) -> None:
        """Publish what has come, but nothing more: for `timeout` seconds; and wait as long until that is stored."""
        until = self.bridge.drained + self.bridge.depth
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._sequencer and (self._is_behind or (self.bridge.depth and self.bridge.drained < until)):
                    await self._outlet.room()
                    self._step()
                    await asyncio.sleep(0)
        if self._sequencer is not None:
            self._end_publishing(self._sequencer)
            await self._outlet.flushed(timeout)

    async def stand_by(self) -> int:
        """Publish nothing: another instance does, or will. What is published is to be told by `seen`, from then on.

        Returns behind which sequence of the stream; 0: not known. What we have sent, and do not know to be stored, may
        be in the stream or not: that is told, too. Live subscribers have had the first of it; of the rest that is not
        known.
        """
        if self._sequencer is not None:
            self._end_publishing(self._sequencer)
        left = self._outlet.leave()
        if not self._leaving:
            return left.after
        for subject, _, _ in left.others:
            self._latest.pop(subject, None)
        async for subject, payload, tick in self._decoded(left.delivered):
            self._unstored.heard(subject, payload, (tick.epoch, tick.sequence))
            self._latest[subject] = tick
        self._alignment.go_on_behind(self._latest.values())
        self._arrivals = self._alignment.arrivals
        async for _, _, tick in self._decoded(left.others):
            self._alignment.hold(tick.quote)
        self._leaving = False
        for quote in self._next:
            self._alignment.hold(quote)
        self._next.clear()
        return left.after

    async def _decoded(self, ticks: Sequence[Outgoing]) -> AsyncIterator[tuple[str, bytes, Tick]]:
        """A turn of the event loop for each thousand."""
        for number, (subject, payload, _) in enumerate(ticks, 1):
            yield subject, payload, decode(self._codec.headers, payload, allow_pickle=True)
            if number % _TURN == 0:
                await asyncio.sleep(0)

    def _end_publishing(self, sequencer: Sequencer) -> None:
        self._duplicates += sequencer.duplicates
        self._stale += sequencer.stale
        self._sequencer, self._leaving, self._is_behind = None, True, False
        self._next.extend(self._alignment.release(len(self._alignment)))
        self._sessions.clear()
        self._lagging.clear()

    async def _room_behind(self) -> None:
        """Feeds that can wait do so while too much is held: of a replay nothing is lost before it is its turn."""
        while self._sequencer is None and len(self._alignment) > self._held_size // 2:
            self._released.clear()
            await self._released.wait()
        await self._outlet.space()

    # One task

    async def run(self) -> None:
        """Publish until `stop` is called or the task is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                outlet = group.create_task(self._outlet.run(), name="outlet")
                held = group.create_task(self._publish_held(), name="held")
                while await self.bridge.filled():
                    if self._can_hold_more():
                        self._take(self.bridge.take(_TURN))
                    else:
                        await self._outlet.room()
                        self._step()
                    await asyncio.sleep(0)
                await self._catch_up()
                await self._outlet.drain(self._drain_s)
                held.cancel()
                outlet.cancel()
        finally:
            self.bridge.close()

    async def _publish_held(self) -> None:
        """Whenever it is our turn, also while the feed brings nothing."""
        while True:
            await self._taken_over.wait()
            self._taken_over.clear()
            await self._catch_up()

    async def _catch_up(self) -> None:
        while self._sequencer is not None and self._is_behind:
            await self._outlet.room()
            self._step()
            await asyncio.sleep(0)

    def stop(self, drain_s: float = 5.0) -> None:
        """Let `run` return when all that was offered is stored, or `drain_s` seconds after it was all sent."""
        self._drain_s = drain_s
        self.bridge.close()

    def stats(self) -> PipelineStats:
        sequencer = self._sequencer
        return PipelineStats(
            bridge=self.bridge.stats(),
            outlet=self._outlet.stats(),
            held=self._held,
            forgotten=self._forgotten + self._alignment.forgotten + self._unstored.forgotten,
            unserializable=dict(self._unserializable),
            duplicates=self._duplicates + (sequencer.duplicates if sequencer else 0),
            stale=self._stale + (sequencer.stale if sequencer else 0),
        )

    def _step(self) -> None:
        """Some of what is next: at most a turn of it, all of one session."""
        if self._sequencer is not None and self._is_behind:
            if quotes := self._held_next():
                return self._publish(quotes, self._sequencer)
            self._is_behind, self._lagging = False, self._alignment.lagging()
            self._sequencer.skip(self._alignment.untold())
        limit = _TURN
        while self._sequencer is not None and self._sessions:
            limit = min(_TURN, self._sessions[0][0] - self.bridge.drained)
            if limit > 0:
                break
            limit, (_, origin) = _TURN, self._sessions.popleft()
            self._sequencer.begin(origin)
            self._outlet.begin(origin)
        return self._take(self.bridge.take(limit))

    def _held_next(self) -> Sequence[Quote]:
        if not self._next:
            return self._alignment.release(_TURN)
        popleft = self._next.popleft
        return [popleft() for _ in range(min(_TURN, len(self._next)))]

    def _can_hold_more(self) -> bool:
        """Behind what was held: left in the bridge until that is published, some of it would be dropped there."""
        return self._is_behind and not self._sessions and self._held + _TURN <= self._held_size

    def _take(self, quotes: Sequence[Quote]) -> None:
        self._hear(quotes)
        if self._sequencer is not None and not self._is_behind:
            self._publish(self._admitted(quotes), self._sequencer)
        elif self._leaving:
            self._next.extend(quotes)
        else:
            for quote in quotes:
                self._alignment.hold(quote)

    def _hear(self, quotes: Sequence[Quote]) -> None:
        heard = self._heard
        for quote in quotes:
            heard[quote.exchange, quote.symbol] += 1  # pyright: ignore[reportArgumentType]  # equal, and faster

    def _admitted(self, quotes: Sequence[Quote]) -> Sequence[Quote]:
        return [quote for quote in quotes if self._admits(quote)] if self._lagging else quotes

    def _admits(self, quote: Quote) -> bool:
        instrument = InstrumentId(quote.exchange, quote.symbol)
        if instrument not in self._lagging:
            return True
        admitted = self._alignment.admits(quote)
        if admitted:
            self._lagging.discard(instrument)
        return admitted

    def _publish(self, quotes: Sequence[Quote], sequencer: Sequencer) -> None:
        stamp, encode, latest = sequencer.stamp, self._codec.encode, self._latest
        ticks: list[Outgoing] = []
        received_ns = quotes[0].ts_received_ns if quotes else 0
        for quote in quotes:
            try:
                subject, tick = stamp(quote)
                payload = encode(tick)
                if len(payload) > _MAX_TICK_BYTES:
                    raise ValueError(f"{len(payload)} bytes are no tick")
            except Exception as error:  # whatever is wrong with one tick, it stops no other
                self._refuse(quote, error)
            else:
                latest[subject] = tick
                ticks.append((subject, payload, tick.sequence))
        self._outlet.publish(ticks, received_ns if ticks else 0)

    def _refuse(self, quote: Quote, error: Exception) -> None:
        instrument = InstrumentId(quote.exchange, quote.symbol)
        self._unserializable[instrument] += 1
        if self._unserializable[instrument] == 1:
            _log.error("tick_unserializable", instrument=str(instrument), error=str(error))
