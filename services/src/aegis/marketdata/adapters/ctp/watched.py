"""One session from its start to its end: what it says, when, and what its words and its silence mean."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from aegis.contracts.market import Instrument, InstrumentId, Quote
from aegis.ctp.failures import Failure, Kind, Step
from aegis.ctp.frames import Ended, Reached, Rejected
from aegis.ctp.libraries import NAMES
from aegis.ctp.session import Session
from aegis.marketdata.adapters.ctp.frames import (
    Answered,
    FromSession,
    Quotes,
    Ready,
    Start,
    Subscribe,
    Universe,
    Waiting,
    from_session,
)
from aegis.marketdata.adapters.ctp.gate import TickReader
from aegis.marketdata.adapters.ctp.quoting import Quoting
from aegis.marketdata.adapters.ctp.silence import MarketClock
from aegis.marketdata.adapters.ctp.tick_stream import TickStream
from aegis.marketdata.ports import FeedSink
from aegis_sdk import clock
from aegis_sdk.errors import ConnectionUnavailable

__all__ = ["Limits", "OnReady", "OnStep", "WatchedSession"]

_log = structlog.get_logger("aegis.ctp")

_PROGRAM: Final = "aegis.marketdata.adapters.ctp.process"
_LOOK_S: Final = 0.1
_STOOD_STILL_S: Final = 0.5
"""Who has not looked for so long stood still himself: the silence was his."""
_ORDER: Final = tuple(Step)

OnStep = Callable[[Step], None]
OnReady = Callable[[Sequence[Instrument]], None]
"""Called with all instruments that the counter knows."""
IsExpected = Callable[[int, int], bool]
"""Whether there should have been ticks from one moment to the other, UTC nanoseconds of the market's own clock."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """All in seconds."""

    answer_s: float = 10.0  # a session that comes up is given up when nothing was answered for so long
    silent_s: float = 5.0  # a process that says nothing for so long, once it has begun to, hangs
    stall_s: float = 15.0  # without a tick for so long, where some are expected, a session is replaced
    stop_s: float = 3.0  # after so long a session that was told to end is killed


class WatchedSession:
    """Made in the event loop, run once. `is_expected` is asked whether a silence is none of the market's.

    `dropped` counts ticks that came and were not passed on, by reason.
    """

    def __init__(
        self,
        sink: FeedSink,
        limits: Limits,
        *,
        on_ready: OnReady,
        is_expected: IsExpected,
        on_step: OnStep = lambda _: None,
        dropped: Counter[str] | None = None,
    ) -> None:
        self._sink = sink
        self._limits = limits
        self._dropped: Counter[str] = Counter() if dropped is None else dropped
        self._on_ready = on_ready
        self._on_step = on_step
        self._is_expected = is_expected
        self._ticks = TickStream(self._came, self._end_as_told)
        self._process = Session(_PROGRAM, from_session, self._heard, self._ticks)
        self._failed: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        self._by_symbol: dict[str, Instrument] = {}
        self._quoting = Quoting(self._by_symbol, sink.rejected)
        self._reader = TickReader()
        self._reached: set[Step] = {Step.START}
        self._unwanted: set[InstrumentId] = set()
        self._ready_at: float | None = None
        self._heard_at = self._progress_at = self._quotes_at = clock.now()
        self._clock = MarketClock()
        self.waiting = Waiting(0, 0)  # as it said last
        self._crowded = asyncio.Event()
        self._answers: dict[str, str] = {}  # of the counter, by symbol, to what it was asked for
        self._answered = asyncio.Event()  # there are more, or none will come
        self._has_begun = self._ending = self._disobeyed = False
        self._last_word: Ended | None = None
        self._wants_gate = True

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        return self._ready_at is not None and not self._failed.done()

    @property
    def exit_code(self) -> int | None:
        """Of its process, once that is gone."""
        return self._process.exit_code

    @property
    def was_killed(self) -> bool:
        """Whether its process had to be killed and had not said that it ends, or did not end in order as it was told.

        Known once `run` is over, also where that was cancelled.
        """
        return self._disobeyed or (self._process.was_killed and self._last_word is None)

    @property
    def ready_s(self) -> float:
        """For how long it has been ready."""
        return 0.0 if self._ready_at is None else clock.now() - self._ready_at

    async def run(self, start: Start) -> Failure:
        """Why it has ended; by then its process is gone. Cancel this to end it in order."""
        self._wants_gate = start.gated
        try:
            await self._process.start(start)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work) for work in (self._watch(), self._keep_pouring())]
                failure = await asyncio.shield(self._failed)  # cancelled, it would pass for a session that has failed
                for task in tasks:
                    task.cancel()
            return failure
        except OSError as error:
            return Failure(step=Step.START, kind=Kind.OTHER, message=str(error))
        except ExceptionGroup as broken:
            _log.exception("session_unusable")
            [error, *_] = broken.exceptions
            return self._failure(Kind.SETUP, f"{type(error).__name__}: {error}")
        finally:
            await asyncio.shield(self._end())

    async def subscribe(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, str]:
        """Ask for ticks of these; which the counter refuses, and why, once it has answered for each.

        It refuses what it is silent about for `answer_s`. Raises ConnectionUnavailable where the session ends before.
        """
        self._unwanted.difference_update(instruments)
        answers = {one.symbol: "" for one in instruments}
        for one in answers:
            self._answers.pop(one, None)
        self._ask([*answers])
        while missing := answers.keys() - self._answers.keys():
            self._answered.clear()
            try:
                async with asyncio.timeout(self._limits.answer_s):
                    await self._answered.wait()
            except TimeoutError:
                if not self._crowded.is_set():
                    self._answers.update(dict.fromkeys(missing, "the counter does not answer"))
            if self._ending or not self.is_ready:
                raise ConnectionUnavailable("the session ended before the counter had answered")
        return {one: reason for one in instruments if (reason := self._answers.pop(one.symbol))}

    def unsubscribe(self, instruments: Sequence[InstrumentId]) -> None:
        """Let none of these pass from now on."""
        self._unwanted.update(instruments)
        self._ask([one.symbol for one in instruments], wanted=False)

    def _ask(self, symbols: list[str], *, wanted: bool = True) -> None:
        if symbols:
            self._process.tell(Subscribe(symbols, wanted))

    def give_up(self, reason: str) -> None:
        """End it, as one that has failed."""
        self._fail(self._failure(Kind.NOT_READY, reason))

    async def _end(self) -> None:
        """In order where it is ready, and at once where it is not."""
        self._ending = True
        self._answered.set()
        self._process.resume()
        if self.is_ready:
            await self._process.stop(self._limits.stop_s)
            self._disobeyed = self.exit_code != 0  # a hanging one is ended by its own watchdog, with SIGALRM
        else:
            await self._process.kill()

    # What it says

    def _heard(self, frame: FromSession) -> None:
        self._heard_at = clock.now()
        if not self._has_begun:
            self._has_begun, self._progress_at = True, self._heard_at
        if self._failed.done() and isinstance(frame, Quotes):
            self._dropped["session_ended"] += sum(1 + quote.skipped for quote in frame.quotes)
        if self._failed.done() or (self._ending and not isinstance(frame, Quotes | Rejected | Ended)):
            return
        try:
            self._take(frame)
        except Exception as error:
            self._give_up_sink(error)

    def _came(self, data: bytes) -> None:
        """Ticks, as its gate has them."""
        self._heard_at = clock.now()
        if self._failed.done():
            self._dropped["session_ended"] += sum(1 + skipped for _, skipped, _ in self._reader.read(data))
            return
        quote = self._quoting.quote
        try:
            self._offer([made for taken in self._reader.read(data) if (made := quote(*taken)) is not None])
        except Exception as error:
            self._give_up_sink(error)

    def _give_up_sink(self, error: Exception) -> None:
        """It is broken: another session would be no better."""
        _log.exception("session_unusable")
        self._fail(self._failure(Kind.SETUP, f"{type(error).__name__}: {error}"))

    def _end_as_told(self) -> None:
        """Once it has said that it ends, and all its ticks have come."""
        if self._last_word is not None and self._ticks.over.is_set():
            self._fail(self._last_word.failure or self._failure(Kind.NOT_READY, "its process ended unasked"))

    def _take(self, frame: FromSession) -> None:
        match frame:
            case Quotes(quotes):
                self._offer(quotes)
            case Waiting():
                self.waiting = frame
            case Universe(instruments):
                self._progress_at = self._heard_at
                self._by_symbol.update((one.symbol, one) for one in instruments)
            case Reached(step):
                self._progress_at = self._heard_at
                self._reached.add(step)
                self._on_step(step)
            case Ready(trading_day, libraries):
                self._ready_at = self._quotes_at = self._heard_at
                _log.info("session_ready", trading_day=trading_day, libraries=libraries, pid=self._process.pid)
                if self._wants_gate and len(libraries) == len(NAMES):
                    hint = "make setup builds it; without it ticks are lost uncounted in an overload"
                    _log.warning("session_without_gate", pid=self._process.pid, hint=hint)
                self._on_ready([*self._by_symbol.values()])
            case Answered(answers):
                self._answers.update(answers)
                self._answered.set()
            case Rejected(reason, detail, count):
                self._sink.rejected(reason, detail, count)
            case Ended():
                self._last_word = frame
                self._end_as_told()
            case _:
                pass

    def _offer(self, quotes: Sequence[Quote]) -> None:
        if not quotes:
            return
        self._quotes_at = self._heard_at
        self._clock.heard(quotes)
        offer, unwanted = self._sink.offer, self._unwanted
        for quote in quotes:
            if not unwanted or InstrumentId(quote.exchange, quote.symbol) not in unwanted:
                offer(quote)
            else:
                self._dropped["unwanted"] += 1 + quote.skipped
        if self._sink.crowded and not (self._ending or self._crowded.is_set()):
            self._process.pause()
            self._crowded.set()

    async def _keep_pouring(self) -> None:
        """Hear it again whenever there is room for its quotes."""
        while True:
            await self._crowded.wait()
            await self._sink.uncrowded()
            self._heard_at = self._quotes_at = clock.now()  # it could not be heard meanwhile
            self._crowded.clear()
            self._answered.set()
            self._process.resume()

    # What its silence means

    async def _watch(self) -> None:
        ended = asyncio.create_task(self._process.ended())
        looked_at = clock.now()
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=_LOOK_S)
                before, looked_at = looked_at, clock.now()
                if looked_at - before > _STOOD_STILL_S:
                    self._heard_at = self._progress_at = self._quotes_at = looked_at
                self._look(looked_at)
            await self._ticks.over.wait()  # what it had handed over
            has_begun = len(self._reached) > 1  # else it cannot: another would end in the same way
            kind = Kind.NOT_READY if has_begun else Kind.OTHER
            self._fail(self._failure(kind, f"its process ended {ended.result()}"))
        finally:
            ended.cancel()

    def _look(self, now: float) -> None:
        limits = self._limits
        if self._crowded.is_set():
            return
        if self._has_begun and now - self._heard_at > limits.silent_s:
            self._fail(self._failure(Kind.NOT_READY, f"its process has said nothing for {limits.silent_s:g} s"))
        elif self._ready_at is None:
            if now - self._progress_at > limits.answer_s:
                self._fail(self._failure(Kind.NOT_READY, f"no answer for {limits.answer_s:g} s"))
        elif now - self._quotes_at > limits.stall_s and self._should_tick(now - self._quotes_at):
            self._fail(self._failure(Kind.NOT_READY, f"no tick for {limits.stall_s:g} s, while the market is open"))

    def _should_tick(self, silent_s: float) -> bool:
        spans = self._clock.spans(_ns(silent_s), _ns(self._limits.stall_s), time.time_ns())
        return all(self._is_expected(begin_ns, end_ns) for begin_ns, end_ns in spans)

    def _failure(self, kind: Kind, message: str) -> Failure:
        waiting_for = next((step for step in _ORDER if step not in self._reached), Step.FLOW)
        return Failure(step=waiting_for, kind=kind, message=message)

    def _fail(self, failure: Failure) -> None:
        if not self._failed.done():
            self._failed.set_result(failure)
            self._answered.set()


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
