"""Ticks for consumers: the latest of each instrument first, then every one as it comes, no gap or repeat between.

    async with subscribe_ticks(transport, "SHFE.*", "CZCE.SP m2505&m2509") as ticks:
        market = await ticks.snapshot()  # the latest tick of each, complete; or leave it out
        async for tick in ticks:  # goes on from exactly there
            ...

Live ticks come by core NATS, the latest ones before them from the stream TICKS; `tick_seam` joins the two. After each
reconnect they are joined again: of what came meanwhile, the latest tick of each instrument is delivered. Who must not
miss one of them follows the stream itself: `aegis.tick_history`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

import structlog

from aegis.contracts.market import InstrumentId, Tick
from aegis.contracts.tick_codec import decode, decode_marker, sent_under
from aegis.resting_ticks import RestingTicks
from aegis.tick_seam import Epochs, Seam
from aegis_sdk import subjects
from aegis_sdk.errors import (
    STREAM_NOT_FOUND,
    AegisError,
    CodecError,
    ConfigurationError,
    DeadlineExceeded,
    StreamError,
    Unavailable,
)
from aegis_sdk.messages import Message, StoredMessage
from aegis_sdk.transport import ConnectionState, Subscription, Transport

__all__ = ["TickOptions", "TickStats", "TickSubscription", "subject_of", "subscribe_ticks"]

_log = structlog.get_logger("aegis.ticks")
_RETRY_S: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class TickOptions:
    """How ticks are received."""

    stream: str = "TICKS"
    queue: int = 65_536  # ticks waiting for a slow consumer; beyond that the oldest are dropped and counted
    look_up_s: float = 5.0  # for the latest ticks; live ones are delivered meanwhile, and without them afterwards
    settle_s: float = 1.0  # how long after that a tick may reach the stream that was published before we subscribed
    allow_pickle: bool = False  # decode ticks in pickle: only where whoever may publish is trusted


@dataclass(frozen=True, kw_only=True)
class TickStats:
    """What a subscription has seen."""

    delivered: int
    waiting: int
    dropped: int  # for which a slow consumer had no room
    duplicates: int  # live ticks that were delivered before
    stale: int  # void: of an epoch lower than was read before of their feed set
    malformed: int
    seams: int  # times that stored and live ticks were joined
    unfilled: int  # instruments for which that was not achieved: between the latest and the live ticks may be a gap


@asynccontextmanager
async def subscribe_ticks(
    transport: Transport,
    *patterns: str,
    on_tick: Callable[[Tick], None] | None = None,
    options: TickOptions | None = None,
) -> AsyncIterator[TickSubscription]:
    """Subscribe to instruments: `SHFE.rb2505`, `SHFE.*`, `*.*` (the default).

    With `on_tick` each tick is handed over in the event loop at once, in place of iteration: the fastest way, for
    functions that neither block nor raise.
    """
    ticks = TickSubscription(transport, patterns or ("*.*",), on_tick, options or TickOptions())
    try:
        await ticks.open()
        yield ticks
    finally:
        await ticks.close()


class TickSubscription:
    """An async iterator of ticks; made by `subscribe_ticks`."""

    def __init__(
        self,
        transport: Transport,
        patterns: Sequence[str],
        on_tick: Callable[[Tick], None] | None,
        options: TickOptions,
    ) -> None:
        self._transport = transport
        self._subjects = list(dict.fromkeys(subject_of(pattern) for pattern in patterns))
        self._options = options
        self._deliver = on_tick or self._enqueue
        self._seam = Seam(options.queue)
        self._queue: deque[Tick] = deque()
        self._filled = asyncio.Event()
        self._picture: dict[InstrumentId, Tick] | None = None  # while a snapshot is being taken
        self._unread = set(self._subjects)  # whose latest ticks were never read to the end
        self._looked_up = asyncio.Event()  # nothing is unread, or a look-up was given up
        self._joining: set[asyncio.Task[None]] = set()  # at most one that is not cancelled
        self._subscriptions: list[Subscription] = []
        self._end_listening: Callable[[], None] | None = None
        self._delivered = self._dropped = self._malformed = self._seams = self._told_unfilled = 0
        self._dropping = False
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Tick:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._dropping = False
            self._filled.clear()
            await self._filled.wait()
        return self._queue.popleft()

    async def snapshot(self, timeout: float = 10.0) -> dict[InstrumentId, Tick]:
        """The latest tick of each instrument that has one; iteration goes on from exactly there.

        Ticks that were waiting are in it, so it is called before iterating: it does not know what was taken already.
        Raises Unavailable where the latest ticks cannot be read, DeadlineExceeded where they are not within `timeout`
        seconds; then iteration begins with the latest of each that came.
        """
        if self._deliver != self._enqueue or self._picture is not None:
            raise ConfigurationError("snapshot", "one is taken at a time, of a subscription that is iterated")
        picture = self._picture = {tick.instrument_id: tick for tick in self._queue}
        self._queue.clear()
        try:
            async with asyncio.timeout(timeout):
                await self.looked_up()
        except BaseException as error:
            self._picture = None
            for tick in picture.values():
                self._enqueue(tick)
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded(f"the latest ticks were not read within {timeout:g} s") from None
            raise
        self._picture = None
        return picture

    async def looked_up(self) -> None:
        """Return when the latest ticks have been delivered. Raises Unavailable where they cannot be read."""
        await self._looked_up.wait()
        if self._unread or self._ended:
            raise Unavailable("the latest ticks cannot be read")

    def stats(self) -> TickStats:
        return TickStats(
            delivered=self._delivered,
            waiting=len(self._queue),
            dropped=self._dropped + self._seam.dropped,
            duplicates=self._seam.duplicates,
            stale=self._seam.stale,
            malformed=self._malformed,
            seams=self._seams,
            unfilled=self._seam.unfilled,
        )

    async def open(self) -> None:
        """Begin. Live ticks are subscribed first, so that none falls between them and the stored ones."""
        self._end_listening = self._transport.on_state(self._on_state)
        for subject in self._subjects:
            self._subscriptions.append(await self._transport.subscribe(subject, self._on_message))
        markers = subjects.tick_marker(subjects.ANY)
        self._subscriptions.append(await self._transport.subscribe(markers, self._on_marker))
        self._on_state(self._transport.state)

    async def close(self) -> None:
        """End. What waits can still be iterated."""
        if self._end_listening is not None:
            self._end_listening()
        self._end_joining()
        for subscription in self._subscriptions:
            await subscription.unsubscribe()
        if self._joining:
            await asyncio.wait(self._joining)
        self._end()

    # Live ticks

    def _on_message(self, message: Message) -> None:
        try:
            tick = decode(message.headers, message.payload, self._options.allow_pickle)
        except CodecError as error:
            self._note_malformed(message.subject, error)
            return
        if self._seam.live(message.subject, tick):
            self._delivered += 1
            self._deliver(tick)

    def _on_marker(self, message: Message) -> None:
        """Some 20 ms after a tick of any instrument: a deposed feed is known so without a tick of ours."""
        try:
            marker = decode_marker(message.payload)
        except CodecError as error:
            self._note_malformed(message.subject, error)
        else:
            self._seam.begun(marker.feed, marker.epoch)

    def _deliver_all(self, ticks: Iterable[Tick]) -> None:
        for tick in ticks:
            self._delivered += 1
            self._deliver(tick)

    def _enqueue(self, tick: Tick) -> None:
        if self._picture is not None:
            self._picture[tick.instrument_id] = tick
            return
        queue = self._queue
        if len(queue) >= self._options.queue:
            queue.popleft()
            self._note_drop()
        queue.append(tick)
        if len(queue) == 1:
            self._filled.set()

    def _note_drop(self) -> None:
        self._dropped += 1
        if not self._dropping:
            self._dropping = True
            _log.warning("ticks_dropped", reason="the consumer is too slow", queue=self._options.queue)

    def _note_malformed(self, subject: str, error: CodecError) -> None:
        self._malformed += 1
        if self._malformed == 1:
            _log.warning("tick_malformed", subject=subject, error=str(error), hint="more of them are only counted")

    # Stored ticks

    def _on_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTED:
            task = asyncio.get_running_loop().create_task(self._join(), name="join ticks")
            self._joining.add(task)
            task.add_done_callback(self._on_joined)
            return
        self._end_joining()
        self._deliver_all(self._seam.begin())
        self._tell_unfilled()
        if state is ConnectionState.CLOSED:
            self._end()

    def _end_joining(self) -> None:
        for task in self._joining:
            task.cancel()

    def _on_joined(self, task: asyncio.Task[None]) -> None:
        self._joining.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("join_failed", exc_info=error)

    def _end(self) -> None:
        self._ended = True
        self._filled.set()
        self._looked_up.set()

    async def _join(self) -> None:
        async with asyncio.TaskGroup() as group:
            for subject in self._subjects:
                group.create_task(self._look_up(subject))
        self._deliver_all(self._seam.end())
        self._tell_unfilled()
        self._seams += 1

    def _tell_unfilled(self) -> None:
        """Once for each seam: who waits longer keeps live ticks back, and an election may take ten seconds."""
        new, self._told_unfilled = self._seam.unfilled - self._told_unfilled, self._seam.unfilled
        if new:
            reason = f"what was published before we subscribed was not stored within {self._options.settle_s:g} s"
            _log.warning("seam_unfilled", instruments=new, reason=reason, hint="the stream has it when it stores again")

    async def _look_up(self, subject: str) -> None:
        """Read the latest stored tick of each instrument, and what is stored within the moment after that."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.look_up_s
        while not await self._read(subject, deadline):
            if loop.time() >= deadline:
                _log.warning("latest_ticks_unknown", subject=subject, waited_s=self._options.look_up_s)
                self._looked_up.set()
                return
            await asyncio.sleep(_RETRY_S)

    async def _read(self, subject: str, deadline: float) -> bool:
        """Whether all of the latest ticks were read: to the end that the leader knows, not the node that serves us."""
        complete = False
        read = Epochs()
        try:
            async with asyncio.timeout_at(deadline):
                last = await self._transport.last(self._options.stream, subject)
            async with (
                asyncio.timeout_at(deadline) as limit,
                self._transport.read(self._options.stream, subject, last_per_subject=True) as messages,
            ):
                async for message in messages:
                    if message is not None:
                        self._on_stored(message, read)
                    if not complete and _has_come(last, message):
                        await self._read_resting(subject)
                        complete = True
                        self._note_read(subject)
                        limit.reschedule(asyncio.get_running_loop().time() + self._options.settle_s)
        except (AegisError, TimeoutError) as error:
            if isinstance(error, StreamError) and error.code == STREAM_NOT_FOUND:  # there is nothing yet
                self._note_read(subject)
                return True
        return complete

    async def _read_resting(self, subject: str) -> None:
        """The latest ticks that the stream has discarded; only those of instruments of which it has none count."""
        if subject in self._unread:  # after a reconnect all of them were delivered
            async for name, tick in RestingTicks(self._transport).read(subject):
                self._deliver_all(self._seam.stored(name, tick, tick.epoch, Epochs()))

    def _note_read(self, subject: str) -> None:
        self._unread.discard(subject)
        if not self._unread:
            self._looked_up.set()

    def _on_stored(self, message: StoredMessage, read: Epochs) -> None:
        try:
            tick = decode(message.headers, message.payload, self._options.allow_pickle)
        except CodecError as error:
            self._note_malformed(message.subject, error)
            return
        self._deliver_all(self._seam.stored(message.subject, tick, sent_under(message.headers, tick), read))


def _has_come(last: StoredMessage | None, message: StoredMessage | None) -> bool:
    """Whether a reader is at what was the last message, or nothing was there and it has found nothing."""
    return last is None if message is None else last is not None and message.sequence >= last.sequence


def subject_of(pattern: str) -> str:
    """The subject of a pattern such as `SHFE.rb2505`, `SHFE.*` or `*.*`. Raises ConfigurationError for others."""
    exchange, dot, symbol = pattern.partition(".")
    if not (exchange and dot and symbol):
        raise ConfigurationError("pattern", f"{pattern!r} is not like SHFE.rb2505, SHFE.* or *.*")
    return subjects.tick(exchange, symbol)
