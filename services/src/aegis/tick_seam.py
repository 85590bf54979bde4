"""The seam between stored and live ticks, as pure decisions.

Two sources tell of the same ticks. Live ticks come at once, but only those published after we subscribed. Stored ones
come later, beginning with the latest of each instrument. Both are in order for each instrument. Per instrument of a
feed set, since two of them may have one in common, and each counts its own epochs:

- a tick that is not above the last one delivered, by (epoch, sequence), is dropped, whoever brings it;
- once a live tick came, live ticks are complete, and stored ones are no longer needed;
- if the first live tick is not the successor of the last stored one, the ticks between were published before we
  subscribed and stored after we looked, or do not exist at all. Live ticks are then held until the stored ones have
  come up to them. Either way nothing is left out.

And per feed set: once a message of a higher epoch was read, ticks of a lower one are void, whatever their instrument.
What a stream stored before that message is read before it and stays good, so each reader of a stream has `Epochs` of
its own. What it has come to binds live ticks once the seam has ended: until then good ones may still be on their way.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Final

from aegis.contracts.market import Tick

__all__ = ["Epochs", "Seam"]


class Epochs:
    """The highest epoch of each feed set that one reader has come to."""

    def __init__(self) -> None:
        self.highest: dict[str, int] = {}  # by feed set

    def admit(self, feed: str, epoch: int) -> bool:
        """Whether a message of that epoch counts: none of a higher one was read before."""
        highest = self.highest.get(feed, 0)
        if epoch > highest:
            self.highest[feed] = epoch
        return epoch >= highest

    def admit_all(self, others: Epochs) -> None:
        """Come to what another reader has come to."""
        for feed, epoch in others.highest.items():
            self.admit(feed, epoch)


class _Phase(Enum):
    """What an instrument has been given by since the seam began."""

    NOTHING = auto()
    STORED = auto()
    LIVE = auto()


class _Instrument:
    __slots__ = ("epoch", "held", "phase", "sequence")

    def __init__(self, tick: Tick, phase: _Phase) -> None:
        self.epoch = tick.epoch
        self.sequence = tick.sequence
        self.phase = phase
        self.held: deque[Tick] | None = None

    def is_above(self, tick: Tick) -> bool:
        """Whether the tick is newer than the last one."""
        return tick.sequence > self.sequence if tick.epoch == self.epoch else tick.epoch > self.epoch

    def is_next(self, tick: Tick) -> bool:
        """Whether nothing can be between the last one and this; before a new epoch there can."""
        return tick.epoch == self.epoch and tick.sequence == self.sequence + 1

    def advance(self, tick: Tick) -> None:
        self.epoch, self.sequence = tick.epoch, tick.sequence


_LIVE: Final = _Phase.LIVE
_STORED: Final = _Phase.STORED


class Seam:
    """Give it all ticks; deliver what it says. `held_limit` bounds the live ticks that are held, of all instruments."""

    def __init__(self, held_limit: int) -> None:
        self._instruments: dict[tuple[str, str], _Instrument] = {}  # by feed set and subject
        self._epochs = Epochs()  # of live ticks
        self._stored_epochs = Epochs()
        self._held_limit = held_limit
        self._held = 0
        self.duplicates = 0
        self.stale = 0  # of an epoch lower than was read before of their feed set
        self.dropped = 0  # held ticks beyond the limit, the oldest of their instrument
        self.unfilled = 0  # instruments for which the seam ended before the stored ticks had come up to the live ones

    def begin(self) -> list[Tick]:
        """Begin, again after each time that live ticks may have been missed. Deliver what was held till now."""
        released = self.end()
        for instrument in self._instruments.values():
            instrument.phase = _Phase.NOTHING
        return released

    def begun(self, feed: str, epoch: int) -> None:
        """A marker said that this epoch has begun: live ticks of a lower one are void."""
        self._epochs.admit(feed, epoch)

    def live(self, subject: str, tick: Tick) -> bool:
        """Whether a live tick is delivered now."""
        if self._epochs.highest.get(tick.feed) != tick.epoch and not self._epochs.admit(tick.feed, tick.epoch):
            self.stale += 1
            return False
        key = (tick.feed, subject)
        instrument = self._instruments.get(key)
        if instrument is None:
            self._instruments[key] = _Instrument(tick, _LIVE)
            return True
        if instrument.held is not None:
            self._hold(instrument, instrument.held, tick)
            return False
        if tick.epoch == instrument.epoch and tick.sequence <= instrument.sequence:
            self.duplicates += 1
            instrument.phase = _LIVE
            return False
        if tick.epoch < instrument.epoch:
            self.stale += 1
            return False
        if instrument.phase is _STORED and not instrument.is_next(tick):
            instrument.held = deque()
            self._hold(instrument, instrument.held, tick)
            return False
        instrument.phase = _LIVE
        instrument.epoch = tick.epoch
        instrument.sequence = tick.sequence
        return True

    def stored(self, subject: str, tick: Tick, epoch: int, read: Epochs) -> list[Tick]:
        """What to deliver now that a stored tick has come.

        `epoch` is that under which it was stored, `read` what its reader has come to.
        """
        if not read.admit(tick.feed, epoch):
            self.stale += 1
            return []
        self._stored_epochs.admit(tick.feed, epoch)
        key = (tick.feed, subject)
        instrument = self._instruments.get(key)
        if instrument is None:
            self._instruments[key] = _Instrument(tick, _STORED)
            return [tick]
        if instrument.phase is _LIVE:
            return []
        instrument.phase = _STORED
        held = instrument.held
        if held and not _is_before(tick, held[0]):
            return self._release(instrument, held)
        if not instrument.is_above(tick):
            return []
        instrument.advance(tick)
        if held and instrument.is_next(held[0]):
            return [tick, *self._release(instrument, held)]
        return [tick]

    def end(self) -> list[Tick]:
        """From now on live ticks are delivered as they come, and a hole is a hole. Deliver what was held."""
        released: list[Tick] = []
        for instrument in self._instruments.values():
            if instrument.held is not None:
                self.unfilled += 1
                released += self._release(instrument, instrument.held)
            instrument.phase = _LIVE
        self._epochs.admit_all(self._stored_epochs)
        return released

    def _hold(self, instrument: _Instrument, held: deque[Tick], tick: Tick) -> None:
        held.append(tick)
        self._held += 1
        if self._held > self._held_limit:
            held.popleft()
            self._held -= 1
            self.dropped += 1

    def _release(self, instrument: _Instrument, held: deque[Tick]) -> list[Tick]:
        released: list[Tick] = []
        for tick in held:
            if instrument.is_above(tick):
                instrument.advance(tick)
                released.append(tick)
        self._held -= len(held)
        instrument.held = None
        instrument.phase = _LIVE
        return released


def _is_before(tick: Tick, other: Tick) -> bool:
    return (tick.epoch, tick.sequence) < (other.epoch, other.sequence)
