"""One session from its start to its end: what it says, when, and what its words and its silence mean."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from aegis.contracts.market import Instrument, InstrumentId, Quote
from aegis.contracts.reasons import Reason
from aegis.ctp.failures import Failure, Kind, Step
from aegis.ctp.frames import Ended, Reached, Rejected
from aegis.ctp.libraries import NAMES
from aegis.ctp.login import Error
from aegis.ctp.session import Session
from aegis.ctp.watched import Limits as SessionLimits
from aegis.ctp.watched import Watched
from aegis.marketdata.adapters.ctp.frames import (
    Answered,
    FromSession,
    ListAnew,
    Listed,
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
from aegis.marketdata.adapters.ctp.silence import IsExpected, Pace, latest_day
from aegis.marketdata.adapters.ctp.tick_stream import TickStream
from aegis.marketdata.ports import FeedSink, FeedState
from aegis_sdk import clock
from aegis_sdk.errors import ConnectionUnavailable

__all__ = ["Limits", "OnListed", "OnStep", "WatchedSession"]

_log = structlog.get_logger("aegis.ctp")

_PROGRAM: Final = "aegis.marketdata.adapters.ctp.process"
_LIST_AGAIN_S: Final = 60.0
_STEPS: Final = (
    *(Step.START, Step.CONNECT_TRADER, Step.AUTHENTICATE, Step.LOGIN_TRADER, Step.QUERY_INSTRUMENTS),
    *(Step.CONNECT_MARKET, Step.LOGIN_MARKET),
)

OnStep = Callable[[Step], None]
OnListed = Callable[[Sequence[Instrument]], None]
"""Called with all instruments that the counter knows."""


@dataclass(frozen=True, kw_only=True)
class Limits(SessionLimits):
    """All in seconds."""

    stall_s: float = 15.0  # a silence that is shorter is no stall


class WatchedSession(Watched):
    """Made in the event loop, run once. `is_expected` is asked whether contracts trade that have fallen silent.

    `dropped` counts ticks that came and were not passed on, by reason.
    """

    def __init__(
        self,
        sink: FeedSink,
        limits: Limits,
        *,
        on_ready: OnListed,
        on_listed: OnListed = lambda _: None,
        is_expected: IsExpected,
        on_step: OnStep = lambda _: None,
        dropped: Counter[str] | None = None,
    ) -> None:
        super().__init__(limits, _STEPS, Step.FLOW)
        self._limits: Limits = limits
        self._sink = sink
        self._dropped: Counter[str] = Counter() if dropped is None else dropped
        self._on_ready = on_ready
        self._on_listed = on_listed
        self._on_step = on_step
        self._ticks = TickStream(self._came, self._end_as_told)
        self._process = Session(_PROGRAM, from_session, self._heard, self._ticks)
        self._by_symbol: dict[str, Instrument] = {}
        self._listings = 0  # that were asked for, beside the first
        self._listing: dict[str, Instrument] = {}  # what the latest has told so far
        self._listed_day = self._wanted_day = ""  # the trading day whose instruments are known, and are asked for
        self._latest_day = ""  # ticks of one behind it are in error
        self._list_at = 0.0  # not before
        self._quoting = Quoting(self._by_symbol, sink.rejected)
        self._reader = TickReader()
        self._unwanted: set[InstrumentId] = set()
        self._quotes_at = self._heard_at
        self._pace = Pace(is_expected)
        self.waiting = Waiting(0, 0)  # as it said last
        self._crowded = asyncio.Event()
        self._answers: dict[str, Reason | None] = {}  # by symbol that was asked for, why the counter refuses it
        self._answered = asyncio.Event()  # there are more, or none will come
        self._answer_s = limits.answer_s  # more than that, where it was late before
        self._unheard: set[str] = set()  # of what is asked for: no tick has come
        self._given_up: set[str] = set()  # since it has said nothing of them
        self._disobeyed = False
        self._last_word: Ended | None = None
        self._wants_gate = True

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

    async def run(self, start: msgspec.Struct) -> Failure:
        self._wants_gate = isinstance(start, Start) and start.gated
        return await super().run(start)

    def _work(self) -> Sequence[Coroutine[Any, Any, None]]:
        return (self._watch(), self._keep_pouring())

    async def subscribe(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Reason]:
        """Ask for ticks of these; which the counter refuses, and why, once it has answered for each.

        What it is silent about for `answer_s`, with no tick either, is given up: unsubscribed, and refused. Once it
        answers, or a tick comes, that is told as READY: whoever wants it asks for it again, and waits longer. Raises
        ConnectionUnavailable where the session ends before.
        """
        self._unwanted.difference_update(instruments)
        self._quoting.forget(one.symbol for one in instruments)
        symbols = dict.fromkeys(one.symbol for one in instruments)
        for one in symbols:
            self._answers.pop(one, None)
        self._given_up.difference_update(symbols)
        self._unheard = {*symbols}
        self._ask([*symbols])
        while missing := symbols.keys() - self._answers.keys():
            self._answered.clear()
            try:
                async with asyncio.timeout(self._answer_s):
                    await self._answered.wait()
            except TimeoutError:
                if not self._crowded.is_set():
                    missing -= self._answers.keys()
                    self._answers.update(dict.fromkeys(missing - self._unheard))
                    if silent := [one for one in instruments if one.symbol in missing & self._unheard]:
                        self._give_up_on(silent)
            if self._ending or not self.is_ready:
                raise ConnectionUnavailable("the session ended before the counter had answered")
        self._unheard.clear()
        refused = {one: reason for one in instruments if (reason := self._answers.pop(one.symbol))}
        self._unwanted.update(refused)
        return refused

    def _give_up_on(self, instruments: Sequence[InstrumentId]) -> None:
        self.unsubscribe(instruments)
        symbols = [one.symbol for one in instruments]
        self._answers.update(dict.fromkeys(symbols, Reason.of("counter_silent")))
        self._given_up.update(symbols)

    def _hear_late(self, symbols: Iterable[str]) -> None:
        """The counter has said something of these after all, if it was given up."""
        if late := self._given_up.intersection(symbols):
            self._given_up -= late
            self._answer_s += self._limits.answer_s
            self._sink.changed(FeedState.READY, [Reason.of("counter_late", seconds=f"{self._limits.answer_s:g}")])

    def unsubscribe(self, instruments: Sequence[InstrumentId]) -> None:
        """Let none of these pass from now on."""
        self._unwanted.update(instruments)
        self._pace.forget()
        self._ask([one.symbol for one in instruments], wanted=False)

    def _ask(self, symbols: list[str], *, wanted: bool = True) -> None:
        if symbols:
            self._process.tell(Subscribe(symbols, wanted))

    def give_up(self) -> None:
        """End it, as one that has failed."""
        self.fail(Kind.NOT_READY, Reason.of("renewed"))

    async def _end(self) -> None:
        was_ready = self.is_ready
        self._answered.set()
        self._process.resume()
        await super()._end()
        self._quoting.end()
        self._disobeyed = was_ready and self.exit_code != 0  # a hanging one is ended by its own watchdog, with SIGALRM

    # What it says

    def _heard(self, frame: FromSession) -> None:
        self._note_word()
        if self._failed.done() and isinstance(frame, Quotes):
            self._dropped["session_ended"] += sum(1 + quote.skipped for quote in frame.quotes)
        if self._failed.done() or (self._ending and not isinstance(frame, Quotes | Rejected | Ended)):
            return
        try:
            self._take(frame)
        except Exception as error:
            self._break(error)

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
            self._break(error)

    def _end_as_told(self) -> None:
        """Once it has said that it ends, and all its ticks have come."""
        if self._last_word is not None and self._ticks.over.is_set():
            self._fail(self._last_word.failure or self._failure(Kind.NOT_READY, Reason.of("process_unasked")))

    def _take(self, frame: FromSession) -> None:
        match frame:
            case Quotes(quotes):
                self._offer(quotes)
            case Waiting():
                self.waiting = frame
            case Universe(instruments, listing):
                self._progress_at = self._heard_at
                if listing == self._listings:
                    self._list_at = self._heard_at + _LIST_AGAIN_S
                    self._listing.update((one.symbol, one) for one in instruments)
            case Listed(listing):
                if listing == self._listings:
                    self._know_day(self._wanted_day)
                    self._on_listed(self._end_listing())
            case Reached(step):
                self._note_step(step)
                self._on_step(step)
            case Ready(trading_day, libraries):
                self._ready_at = self._quotes_at = self._heard_at
                self._know_day(trading_day)
                _log.info("session_ready", trading_day=trading_day, libraries=libraries, pid=self._process.pid)
                if self._wants_gate and len(libraries) == len(NAMES):
                    hint = "make setup builds it; without it ticks are lost uncounted in an overload"
                    _log.warning("session_without_gate", pid=self._process.pid, hint=hint)
                self._on_ready(self._end_listing())
            case Answered(answers):
                self._answers.update((symbol, _refusal(error)) for symbol, error in answers.items())
                self._answered.set()
                self._hear_late(answers)
            case Rejected(reason, detail, count, instrument):
                self._sink.rejected(reason, detail, count, instrument)
            case Ended():
                self._last_word = frame
                self._end_as_told()
            case _:
                pass

    def _offer(self, quotes: Sequence[Quote]) -> None:
        if not quotes:
            return
        self._quotes_at = self._heard_at
        if self._unheard or self._given_up:
            symbols = {quote.symbol for quote in quotes}
            self._unheard -= symbols
            self._hear_late(symbols)
        if self._unwanted:
            quotes = [quote for quote in quotes if self._is_wanted(quote)]
        day = quotes[-1].trading_day if quotes else ""
        if day <= self._latest_day:
            self._pace.heard(quotes)
            if day > self._listed_day and self._heard_at >= self._list_at:
                self._list_anew(day)
        offer = self._sink.offer
        for quote in quotes:
            offer(quote)
        if self._sink.crowded and not (self._ending or self._crowded.is_set()):
            self._process.pause()
            self._crowded.set()

    def _is_wanted(self, quote: Quote) -> bool:
        if InstrumentId(quote.exchange, quote.symbol) not in self._unwanted:
            return True
        self._dropped["unwanted"] += 1 + quote.skipped
        return False

    def _know_day(self, day: str) -> None:
        """Its instruments are known."""
        self._listed_day, self._latest_day = day, latest_day(day, time.time_ns())

    def _list_anew(self, day: str) -> None:
        """Ask which instruments there are on a new trading day, a minute after the last answer until that is known."""
        _log.info("trading_day_begun", trading_day=day, before=self._listed_day, pid=self.pid)
        self._wanted_day, self._list_at = day, self._heard_at + _LIST_AGAIN_S
        self._listing.clear()
        self._listings += 1
        self._process.tell(ListAnew(self._listings))

    def _end_listing(self) -> Sequence[Instrument]:
        """All that were told."""
        self._by_symbol.clear()
        self._by_symbol.update(self._listing)
        self._listing.clear()
        self._list_at = 0.0
        return [*self._by_symbol.values()]

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

    async def _heard_out(self) -> None:
        await self._ticks.over.wait()

    def _forgive(self, now: float) -> None:
        super()._forgive(now)
        self._quotes_at = now

    def _look(self, now: float) -> None:
        if self._crowded.is_set():
            return
        super()._look(now)
        silent_s = now - self._quotes_at
        if self.is_ready and self._pace.is_stall(_ns(silent_s), _ns(self._limits.stall_s)):
            self.fail(Kind.NOT_READY, Reason.of("no_tick_for", seconds=f"{silent_s:.1f}"))

    def _fail(self, failure: Failure) -> None:
        super()._fail(failure)
        self._answered.set()


def _refusal(error: Error) -> Reason | None:
    return Reason.of("counter_refuses", error=error.code, text=error.message) if error.code else None


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
