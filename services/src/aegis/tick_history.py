"""Ticks for consumers that must not miss one, and come back: all that was stored since a position, then each new one.

    async with follow_ticks(transport, "SHFE.*", after=position) as ticks:
        async for position, tick in ticks:
            ...  # keep the position with what was made of the tick

They come from the stream TICKS itself, in its order, and later than those of `subscribe_ticks` by the time that it
takes to store them. An outage of the connection leaves nothing out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, Self

import structlog

from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import decode, decode_marker, sent_under
from aegis.tick_seam import Epochs
from aegis.ticks import subject_of
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, CodecError
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import Transport

__all__ = ["PositionGone", "StoredTick", "TickHistory", "follow_ticks"]

_log = structlog.get_logger("aegis.ticks")

_STREAM: Final = "TICKS"
_MARKERS: Final = subjects.tick_marker(subjects.ANY)
_LOOK_S: Final = 0.05
_CHECK_S: Final = 10.0
"""So often it is compared where the stream begins: a consumer that is slower than all that it holds is told."""


class PositionGone(AegisError):
    """What came right behind a position is not in the stream any more, or never was in this one."""

    def __init__(self, after: int, first: int) -> None:
        super().__init__(f"ticks behind position {after} are gone: the stream goes on with {first}")
        self.after = after
        self.first = first  # 0: the stream is a new one


class StoredTick(NamedTuple):
    """A tick and its position, which is the stream's sequence: it only grows."""

    position: int
    tick: Tick


@asynccontextmanager
async def follow_ticks(
    transport: Transport, *patterns: str, after: int | None = None, allow_pickle: bool = False
) -> AsyncIterator[TickHistory]:
    """Follow instruments, all without a pattern: from a position on, or from the latest tick of each.

    Raises PositionGone where ticks behind the position were discarded meanwhile, and StreamError where nothing was ever
    stored. The iteration raises PositionGone too, within ten seconds of ticks, where they are discarded before it comes
    to them.
    """
    if after:
        await _check(transport, after)
    wanted = [*_distinct(subject_of(pattern) for pattern in patterns or ("*.*",)), _MARKERS]
    begin = max(0, (after or 0) - 1)  # the tick at the position tells of its epoch
    marker = await transport.last(_STREAM, _MARKERS)  # of the leader: who serves the reader may be behind it
    async with transport.read(_STREAM, wanted, after=begin, last_per_subject=after is None) as messages:
        history = TickHistory(messages, allow_pickle, after or 0, marker.sequence if marker else 0)
        comparing = asyncio.create_task(history.compare(transport), name="compare with the stream's begin")
        try:
            yield history
        finally:
            comparing.cancel()
            await asyncio.wait({comparing})


class TickHistory:
    """An async iterator of stored ticks; made by `follow_ticks`."""

    def __init__(self, messages: AsyncIterator[StoredMessage | None], allow_pickle: bool, after: int, end: int) -> None:
        self._messages = messages
        self._after = after
        self._end = end  # the last marker when it began
        self._read = after
        self._gone: PositionGone | None = None
        self._has_paused = False  # whoever serves the reader had nothing more
        self._allow_pickle = allow_pickle
        self._epochs = Epochs()
        self.stale = 0  # void: of an epoch lower than was read before of their feed set
        self.malformed = 0

    @property
    def caught_up(self) -> bool:
        """Whether what was stored at the start has come."""
        return self._has_paused and self._read >= self._end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StoredTick:
        while True:
            message = await anext(self._messages)
            if self._gone is not None:
                raise self._gone
            if message is None:
                self._has_paused = True
                continue
            self._read = message.sequence
            tick = self._tick(message)
            if tick is not None and message.sequence > self._after:
                return StoredTick(message.sequence, tick)

    async def compare(self, transport: Transport) -> None:
        """See now and then that nothing was discarded behind what was read before, until cancelled.

        Markers are read, whatever is asked for: so what was read last is near the end wherever one has caught up.
        """
        reached = self._after
        while self._gone is None:
            await asyncio.sleep(_CHECK_S)
            read = self._read
            try:
                if reached:
                    await _check(transport, reached)
            except PositionGone as gone:
                self._gone = gone
            except (AegisError, TimeoutError):  # the next look compares what this one could not
                continue
            if self._after or self.caught_up:  # before that it may be at the latest tick of a quiet instrument
                reached = read

    def _tick(self, message: StoredMessage) -> Tick | None:
        """The tick of a message; None where it is a marker, void or malformed."""
        try:
            if subjects.matches(_MARKERS, message.subject):
                marker = decode_marker(message.payload)
                self._epochs.admit(marker.feed, marker.epoch)
                return None
            tick = decode(message.headers, message.payload, self._allow_pickle)
        except CodecError as error:
            self.malformed += 1
            if self.malformed == 1:
                _log.warning("tick_malformed", subject=message.subject, error=str(error), hint="more are only counted")
            return None
        if self._epochs.admit(tick.feed, sent_under(message.headers, tick)):
            return tick
        self.stale += 1
        return None


def _distinct(wanted: Iterable[str]) -> list[str]:
    """Without those that another one covers: a stream is read by subjects that do not overlap."""
    found = list(dict.fromkeys(wanted))
    return [
        one
        for one in found
        if not any(other != one and subjects.matches(other, one.replace(subjects.ANY, "_")) for other in found)
    ]


async def _check(transport: Transport, after: int) -> None:
    """Raises PositionGone unless the stream goes on right behind the position, or ends there, by its leader's word.

    Whoever serves the reader may be behind the leader: then what comes next is waited for.
    """
    end, last = await transport.last_sequence(_STREAM), await transport.last(_STREAM, ">")
    if end < after:
        raise PositionGone(after, 0)
    if end == after:
        return
    if last is None or last.sequence <= after:
        raise PositionGone(after, end + 1)

    async def pause() -> None:
        await asyncio.sleep(_LOOK_S)

    async with transport.read(_STREAM, after=after, pause=pause) as messages:
        async for message in messages:
            if message is None:
                continue
            if message.sequence != after + 1:
                raise PositionGone(after, message.sequence)
            return
