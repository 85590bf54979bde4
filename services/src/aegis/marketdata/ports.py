"""The two sides of the hexagon: feeds come in, ticks go out."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from aegis.contracts.market import Env, Instrument, InstrumentId, Quote
from aegis.contracts.reasons import Reason
from aegis.marketdata.domain.sequencer import Origin
from aegis_sdk.errors import AegisError, ConfigurationError
from aegis_sdk.histogram import Histogram


class FeedState(StrEnum):
    """Where a feed stands. ENDED is the end of a finite source, FAILED needs a person."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    READY = "ready"
    ENDED = "ended"
    FAILED = "failed"


class FeedRefused(AegisError):
    """A feed is FAILED because somebody outside refuses it: another start would only be refused again."""


class FeedSink(Protocol):
    """What a feed is given to speak to."""

    def offer(self, quote: Quote) -> None:
        """Hand over one quote; from any thread; never blocks. What does not fit is conflated and counted."""
        ...

    async def room(self) -> None:
        """Return when many quotes fit again. For feeds that can wait, a file or a simulation; from the event loop."""
        ...

    @property
    def crowded(self) -> bool:
        """Whether many quotes wait here. For feeds that can let theirs wait in a ring of their own."""
        ...

    async def uncrowded(self) -> None:
        """Return when that is over; from the event loop."""
        ...

    def changed(self, state: FeedState, why: Sequence[Reason] = ()) -> None:
        """Report a new state; from any thread."""
        ...

    def rejected(self, reason: str, detail: str, count: int = 1, instrument: InstrumentId | None = None) -> None:
        """Report `count` items of input that were skipped, e.g. ("malformed_row", "ticks.csv:17: Volume is 'x'").

        Of that instrument, where it is known.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class FlowControl:
    """How much a feed is asked for at once. Raises ConfigurationError where it is nothing."""

    batch: int | None = 1_000  # instruments in one call of `subscribe` or `unsubscribe`; None: all that are wanted
    pause_s: float = 0.0  # between two of these calls

    def __post_init__(self) -> None:
        if self.batch is not None and self.batch < 1:
            raise ConfigurationError("batch", f"{self.batch} instruments are none")
        if not 0 <= self.pause_s < 60:
            raise ConfigurationError("pause_s", f"{self.pause_s} is not 0 to 60 seconds")


class Feed(Protocol):
    """A source of quotes. `source` names it in each tick, `session` is new at each `open`.

    A feed that loses its session on the way reports CONNECTING, and READY once it has another. `session` is a new one
    then, nothing is subscribed in it, and `instruments` are asked for anew: whoever opened the feed subscribes again.
    READY in the same session says that its `instruments` are others, those of a new trading day, or that it may take
    what it refused; all else stays.
    """

    @property
    def source(self) -> str: ...

    @property
    def session(self) -> str: ...

    @property
    def market(self) -> str:
        """Feeds of one market bring the same quotes, so that one can go on where the other stops."""
        ...

    @property
    def env(self) -> Env: ...

    async def open(self, sink: FeedSink) -> None:
        """Begin a session, at most one at a time. Returns when it is READY; raises AegisError if that cannot be."""
        ...

    async def instruments(self) -> Sequence[Instrument]:
        """All that can be subscribed in this session, known once READY."""
        ...

    async def subscribe(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Reason]:
        """Have quotes of these; returns those that are refused, and why. Repeating it changes nothing."""
        ...

    async def unsubscribe(self, instruments: Sequence[InstrumentId]) -> None: ...

    async def renew(self) -> None:
        """End the session and have another, as if it were lost. Raises ConnectionUnavailable where there is none now,
        Rejected where there is never another one."""
        ...

    async def close(self) -> None:
        """End the session; no quote is offered after it returned. Closing twice is fine."""
        ...


class License(Protocol):
    """The right to publish ticks of one epoch."""

    @property
    def is_trusted(self) -> bool:
        """False where it may have been lost unnoticed: then nothing is sent before `trusted` has returned."""
        ...

    async def trusted(self) -> None:
        """Return when it was not lost. Raises AegisError where it was, or that cannot be known now."""
        ...


class Alone:
    """The licence of a publisher that nobody can replace: of a benchmark, not of a desk."""

    is_trusted: bool = True

    async def trusted(self) -> None:
        pass


Outgoing = tuple[str, bytes, int]
"""A tick on its way out: its subject, its payload, its sequence."""


class Left(NamedTuple):
    """What an outlet gives up when another instance publishes, in order: the stream may have it or not."""

    delivered: Sequence[Outgoing]  # live subscribers have had it
    others: Sequence[Outgoing]  # behind that: they may have had it or not
    after: int  # whatever is stored of it is behind this sequence of the stream; 0: that was never begun


@dataclass(frozen=True, kw_only=True)
class OutletStats:
    """What became of the ticks that an outlet was given.

    accepted == waiting + in_flight + stored + left + the sum of lost.
    """

    accepted: int
    handed_over: int  # to the connection, each counted once: also those that never arrived, and those adopted
    waiting: int  # not yet sent
    in_flight: int  # sent, and not yet known to be stored
    stored: int  # goes back when a server forgot what it had acknowledged
    lost: Mapping[InstrumentId, int]
    lost_sent: int  # of these, handed over before: live subscribers may have had them
    left: int  # to the instance that publishes now
    adopted: int  # of those accepted, another instance's, or ours before another one's turn
    republished: int  # sent again, since the stream did not have them
    repairs: int  # times that the stream was read to find out
    last_stored_ns: int  # when that was last known of a tick, UTC; 0: never
    latency: Histogram  # seconds from the receipt of ticks to the proof that they are stored; goes on growing


class TickOutlet(Protocol):
    """Where ticks go out to. Nothing is published before `open` and after `leave`."""

    def open(self, origin: Origin, license: License) -> Awaitable[int]:
        """Publish under a licence, from now on. Done when the stream says so: with the sequence of its first marker."""
        ...

    def begin(self, origin: Origin) -> None:
        """Ticks that are published from now on are of this origin, in the same epoch."""
        ...

    def adopt(self, ticks: Sequence[Outgoing], after: int | None) -> None:
        """Store ticks of earlier epochs that live subscribers have had; between `begin` and the first `publish`.

        Behind the sequence `after` the stream may have some of them. None: it has none.
        """
        ...

    def leave(self) -> Left:
        """The licence has ended: send nothing more. What is not known to be stored is given up: it is returned."""
        ...

    def publish(self, ticks: Sequence[Outgoing], received_ns: int = 0) -> None:
        """Take ticks over; never blocks. What cannot be kept is lost, oldest first, and counted by instrument.

        `received_ns` is when the feed had the first of them, UTC; 0 where that is not known.
        """
        ...

    async def room(self) -> None:
        """Return when it takes more without loss, or when it is cut off, where waiting would only keep ticks back."""
        ...

    async def space(self) -> None:
        """Return when it takes more without loss."""
        ...

    async def run(self) -> None:
        """Send, and see to it that what was sent is stored. Runs until it is cancelled."""
        ...

    async def flushed(self, timeout: float) -> None:
        """Return when all is stored, or after `timeout` seconds."""
        ...

    async def drain(self, timeout: float) -> None:
        """Return when all is stored; what is not after `timeout` seconds is given up and counted as lost."""
        ...

    def stats(self) -> OutletStats: ...
