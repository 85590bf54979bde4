"""What becomes of each message of the stream, as pure decisions.

Every sequence is settled once: recorded, or counted as what it is instead. A jump in the sequences is what the stream
had discarded; a step back means that it is not the stream that it was.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import UNREADABLE, decode, sent_under
from aegis.recordings.columns import LEVELS, Placed
from aegis.recordings.manifest import Stretch
from aegis_sdk.errors import AegisError, CodecError
from aegis_sdk.messages import StoredMessage

__all__ = ["Identity", "Intake", "Recorded", "StreamChanged", "identity"]

_MOST_FEEDS: Final = 1_000
_MOST_GAPS: Final = 1_000
_TICK: Final = "tick."
_MARKER: Final = "tickmark."
_DAY: Final = re.compile(r"[0-9]{8}")
_EXCHANGE: Final = re.compile(r"[A-Z0-9]{1,16}")

Identity = tuple[str, str, int, str, str]
"""Feed, session, epoch, exchange and symbol: among them a sequence is given once."""
Recorded = Mapping[Identity, Sequence[tuple[int, int]]]
"""The sequences recorded of each: the first and the last one of each run, in order."""


class StreamChanged(AegisError):
    """The stream is not the one that was read so far: it was made anew, or forgot its end."""


class _Marker(msgspec.Struct):
    """What is read of the message that ends a batch."""

    feed: str
    epoch: int


_load_marker: Final = msgspec.json.Decoder(_Marker).decode


class Intake:
    """Give it all messages of a stretch, in order; take the ticks that are to be recorded."""

    def __init__(self, stretch: Stretch, recorded: Recorded | None = None, before_ns: int = 0) -> None:
        """Go on behind `stretch.last`.

        `recorded` is what earlier generations hold, of ticks that may come again; `before_ns` is when the stream had
        stored the last message of the generation before, UTC.
        """
        self._recorded = recorded or {}
        self._before_ns = before_ns
        self._settled = stretch
        self._epochs = dict(stretch.epochs)
        self._gaps = list(stretch.gaps)
        self._ticks: list[Placed] = []
        self.partitions: set[tuple[str, str]] = set()  # trading days and exchanges since the last `settle`
        self.size = 0  # bytes of ticks since then
        self.generation = stretch.generation
        self.first, self.last, self.stored_ns = stretch.first, stretch.last, stretch.stored_ns
        self.ticks, self.markers, self.void = stretch.ticks, stretch.markers, stretch.void
        self.malformed, self.repeated, self.other = stretch.malformed, stretch.repeated, stretch.other
        self.lost = stretch.lost

    @property
    def waiting(self) -> int:
        """Ticks that can be taken."""
        return len(self._ticks)

    @property
    def is_settled(self) -> bool:
        """Whether nothing came since the last `settle`."""
        return self.last == self._settled.last

    def add(self, message: StoredMessage) -> None:
        """Take the next message in. Raises StreamChanged, and is then as before."""
        sequence = message.sequence
        if sequence != self.last + 1 or not self.first:
            self._jump(message)
        self.last, self.stored_ns = sequence, message.timestamp_ns
        subject = message.subject
        if subject.startswith(_TICK):
            self._add_tick(message)
        elif subject.startswith(_MARKER):
            self._add_marker(message.payload)
        else:
            self.other += 1

    def take(self) -> list[Placed]:
        """The ticks that came since it was last called."""
        ticks, self._ticks = self._ticks, []
        return ticks

    def refuse(self, count: int) -> None:
        """So many of the ticks that were taken cannot be recorded."""
        self.ticks -= count
        self.malformed += count

    def settle(self) -> Stretch:
        """The stretch up to here, to be stored with all ticks that were taken."""
        self.partitions.clear()
        self.size = 0
        self._settled = Stretch(
            generation=self.generation,
            first=self.first,
            last=self.last,
            stored_ns=self.stored_ns,
            ticks=self.ticks,
            markers=self.markers,
            void=self.void,
            malformed=self.malformed,
            repeated=self.repeated,
            other=self.other,
            lost=self.lost,
            gaps=tuple(self._gaps),
            epochs=dict(self._epochs),
        )
        return self._settled

    def _jump(self, message: StoredMessage) -> None:
        """A sequence that is not the next one."""
        sequence = message.sequence
        if not self.first:
            # What a first look finds discarded was never ours to record; of a stream made anew, it was.
            self.first = 1 if 0 < self._before_ns < message.timestamp_ns else sequence
            self.last = self.first - 1
        if sequence <= self.last:
            raise StreamChanged(f"the stream gave sequence {sequence} after {self.last}")
        if sequence > self.last + 1:
            self.lost += sequence - 1 - self.last
            if len(self._gaps) < _MOST_GAPS:
                self._gaps.append((self.last + 1, sequence - 1))

    def _add_tick(self, message: StoredMessage) -> None:
        try:
            tick = decode(message.headers, message.payload)
        except CodecError:
            self.malformed += 1
            return
        epoch = sent_under(message.headers, tick)
        if epoch != self._epochs.get(tick.feed) and not self._advance(tick.feed, epoch):
            self.void += 1
        elif not self._fits(tick):
            self.malformed += 1
        elif self._recorded and self._has(tick):
            self.repeated += 1
        else:
            self.ticks += 1
            self.size += len(message.payload)
            self._ticks.append((tick, message.sequence, message.timestamp_ns))

    def _has(self, tick: Tick) -> bool:
        """Whether an earlier generation has it."""
        runs = self._recorded.get(identity(tick), ())
        at = bisect_right(runs, tick.sequence, key=itemgetter(0)) - 1
        return at >= 0 and tick.sequence <= runs[at][1]

    def _add_marker(self, payload: bytes) -> None:
        self.markers += 1
        try:
            marker = _load_marker(payload)
        except UNREADABLE:
            return
        self._advance(marker.feed, marker.epoch)

    def _advance(self, feed: str, epoch: int) -> bool:
        """Whether the epoch is the highest of its feed so far. It is remembered of at most 1,000 feeds."""
        highest = self._epochs.get(feed)
        if highest is not None and epoch < highest:
            return False
        if highest is not None or len(self._epochs) < _MOST_FEEDS:
            self._epochs[feed] = epoch
        return True

    def _fits(self, tick: Tick) -> bool:
        """Whether there are columns for all levels, and its trading day and exchange can name a directory."""
        if len(tick.bids) > LEVELS or len(tick.asks) > LEVELS:
            return False
        partition = (tick.trading_day, tick.exchange)
        if partition not in self.partitions:
            if not (_DAY.fullmatch(tick.trading_day) and _EXCHANGE.fullmatch(tick.exchange)):
                return False
            self.partitions.add(partition)
        return True


def identity(tick: Tick) -> Identity:
    return tick.feed, tick.session, tick.epoch, tick.exchange, tick.symbol
