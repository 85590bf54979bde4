"""`python -m aegis.marketdata.adapters.ctp.process FD TICKS`: one CTP session from its start to its end.

It is told and tells by one socket; a gate writes its ticks to the other.

The CTP library may hang, crash or leave threads behind when a session ends, and it can be used once only. So each
session has a process of its own, which its parent starts, watches and, if need be, kills. It ends with its parent.

The stop: ask for no more ticks, wait until none comes, let CTP go, end. A watchdog of the kernel ends the process where
CTP does not come back.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import sys
import time
from collections import Counter
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, Final, Protocol

from aegis.contracts.market import InstrumentId, Quote
from aegis.contracts.reasons import Reason
from aegis.ctp import login
from aegis.ctp.failures import Failure, Kind, Step, not_requested
from aegis.ctp.frames import Alive, Ended, Reached, Reassembly, Rejected, Stop
from aegis.ctp.libraries import gate_library, load_libraries, loaded_libraries, market_library
from aegis.ctp.process import connected, end_within, first
from aegis.marketdata.adapters.ctp.frames import (
    Answered,
    FromSession,
    ListAnew,
    Listed,
    Ready,
    Start,
    Subscribe,
    ToSession,
    Waiting,
    to_session,
)
from aegis.marketdata.adapters.ctp.gate import Gate
from aegis.marketdata.adapters.ctp.instruments import Listing, NotAnInstrument, instrument_of
from aegis.marketdata.adapters.ctp.outbox import Outbox
from aegis.marketdata.adapters.ctp.quoting import Quoting
from aegis.marketdata.adapters.ctp.ring import Ring
from aegis.marketdata.adapters.ctp.shedding import Backlog, Shed, allocated_bytes
from aegis.marketdata.adapters.ctp_fields import depth_record

_ALIVE_S: Final = 0.5
_QUERY_AGAIN_S: Final = 1.05
_TELL_S: Final = 1.0
_LOOK_S: Final = 0.025
_QUIET_S: Final = 0.05
_QUIET_WAIT_S: Final = 0.5
_RELEASE_S: Final = 1.0
_IN_A_TURN: Final = 200
_MAX_SYMBOL: Final = 80
_TOLD: Final = 100
"""Of what was refused for one reason: as many as the service logs."""
_NICE: Final = -10
_COLLECTIONS: Final = (100_000, 50, 100)
"""Seldom: a tick is made of what the garbage collector need not know, and is gone in a millisecond."""


class Outlet(Protocol):
    """Where a session's words and quotes go: the outbox, or a benchmark's. None blocks but `drain`."""

    def __len__(self) -> int: ...
    def quote(self, quote: Quote) -> None: ...
    def say(self, frame: FromSession) -> None: ...
    def drain(self, timeout: float) -> None: ...


class Session:
    """Listens to both sides of the API in their threads, and to the parent in the main one."""

    def __init__(self, connection: socket.socket, start: Start, outbox: Outlet, gate: Gate | None = None) -> None:
        self._socket = connection
        self._start = start
        self._outbox = outbox
        self._gate = gate
        self._counting = Lock()  # of what follows
        self._refused: Counter[str] = Counter()  # by reason
        self._untold_refused: Counter[tuple[str, InstrumentId | None]] = Counter()
        self._lock = Lock()  # of what follows
        self._login = login.Login()
        self._listing = Listing(outbox.say)
        self._query_at = float("inf")
        self._answers: dict[str, login.Error] = {}  # of the counter to what it was asked for, not told yet
        self._unanswered: set[str] = set()  # this and what follows: of the main thread
        self._wishes: list[tuple[str, bool]] = []  # to be asked for, or not any more
        self._wanted: set[str] = set()
        self._last_word: Ended | None = None
        self._taking = Thread(target=self._keep_taking, args=(gate,), name="ticks", daemon=True)
        self._quoting = Quoting(self._listing.known, self.on_refused)  # this and what follows: where there is no gate
        self._last_tick = 0
        self._ticks = Lock()  # of what follows
        self._shed = Shed()
        self._sheds = self._holds = False
        self._backlog = Backlog()
        self._allocated = allocated_bytes() if gate is None else None

    def run(self) -> None:
        """Returns when it was told to stop, or has failed."""
        from aegis.marketdata.adapters.ctp.apis import MarketApi, TraderApi

        production, fronts, who = self._start.production, self._start.fronts, self._start.login
        self._market, self._trader = MarketApi(self, who), TraderApi(self, who)
        self._market.createFtdcMdApi(b"market-", production)
        self._trader.createFtdcTraderApi(b"trader-", production)
        self._trader.subscribePrivateTopic(2)  # nothing of what was before: this session trades nothing
        self._trader.subscribePublicTopic(2)
        for api, addresses in ((self._market, fronts.market), (self._trader, fronts.trader)):
            for address in addresses:
                api.registerFront(address)
            api.init()
        if self._gate is not None:
            self._taking.start()
        self._hear()
        self._end()

    # The parent

    def _hear(self) -> None:
        incoming = Reassembly()
        alive_at = tell_at = 0.0
        while not self._login.failed:
            now = time.monotonic()
            if now >= alive_at:
                alive_at = now + _ALIVE_S
                self._outbox.say(Alive())
                self._tell_refused()
            self._query_when_due(now)
            self._look_at_backlog(now)
            if self._login.ready and now >= tell_at:
                tell_at = now + _TELL_S
                queue = self._backlog.size if self._gate is None else self._gate.waiting_bytes()
                self._outbox.say(Waiting(len(self._outbox), queue))
            asks_on = self._ask_for_wishes()
            self._tell_answers()
            has_to_look = self._gate is None or self._wishes or self._unanswered or not self._login.ready
            pause_s = 0.0 if asks_on else _LOOK_S if has_to_look else max(0.0, min(alive_at, tell_at) - now)
            readable, _, _ = select.select([self._socket], [], [], pause_s)
            if readable:
                data = self._socket.recv(1 << 16)
                if not data or any(self._told(to_session.decode(body)) for body in incoming.take(data)):
                    return

    def _told(self, frame: ToSession) -> bool:
        """Whether it is to end."""
        if isinstance(frame, Subscribe):
            self._wishes += [(symbol, frame.wanted) for symbol in frame.symbols if len(symbol.encode()) <= _MAX_SYMBOL]
        if isinstance(frame, ListAnew):
            self._listing.wanted = frame.number
            self.on_event(login.InstrumentsWanted())
        return isinstance(frame, Stop)

    def _ask_for_wishes(self) -> bool:
        """Ask for some of what is wished for, and whether to go on. What CTP refuses to take now is asked again."""
        for _ in range(min(_IN_A_TURN, len(self._wishes))):
            symbol, wanted = self._wishes[0]
            if wanted and self._gate is None:
                with self._ticks:
                    self._quoting.forget([symbol])
            ask = self._market.subscribeMarketData if wanted else self._market.unSubscribeMarketData
            if ask(symbol):
                return False
            for symbols in (self._wanted, self._unanswered):
                (symbols.add if wanted else symbols.discard)(symbol)
            del self._wishes[0]
        return bool(self._wishes)

    def _tell_answers(self) -> None:
        with self._lock:
            answers, self._answers = self._answers, {}
        if answers:
            self._unanswered.difference_update(answers)
            self._outbox.say(Answered(answers))

    # CTP's answers

    def on_event(self, event: login.Event) -> None:
        with self._lock:
            self._take(event)

    def _take(self, event: login.Event) -> None:
        for action in login.step(self._login, event):
            self._do(action)

    def _do(self, action: login.Action) -> None:
        match action:
            case login.Reached(step):
                self._outbox.say(Reached(step))
            case login.Ready(trading_day):
                self._outbox.say(Ready(trading_day, loaded_libraries()))
            case login.Listed():
                self._outbox.say(Listed(self._listing.number))
            case login.Unlisted(failure):
                self.on_refused("not_listed_anew", str(failure))
            case Failure():
                self._let_go(action)
            case login.Request.AUTHENTICATE:
                self._requested(Step.AUTHENTICATE, self._trader.authenticate())
            case login.Request.LOGIN_TRADER:
                self._requested(Step.LOGIN_TRADER, self._trader.log_in())
            case login.Request.LOGIN_MARKET:
                self._requested(Step.LOGIN_MARKET, self._market.log_in())
            case login.Request.QUERY_INSTRUMENTS:
                self._query_at = 0.0
            case login.Request.QUERY_AGAIN:
                self._query_at = time.monotonic() + _QUERY_AGAIN_S

    def _requested(self, step: Step, refused: int) -> None:
        if refused:
            failure = not_requested(step, refused)
            self._do(login.Unlisted(failure)) if self._login.ready else self._fail(failure)

    def _fail(self, failure: Failure) -> None:
        self._login.failed = True
        self._let_go(failure)

    def _query_when_due(self, now: float) -> None:
        with self._lock:
            if now < self._query_at:
                return
            refused = self._trader.query_instruments(self._listing.begin())
            self._query_at = now + _QUERY_AGAIN_S if refused else float("inf")

    def on_refused(self, reason: str, detail: str, count: int = 1, instrument: InstrumentId | None = None) -> None:
        """From any thread. The first of each reason are told one by one, the others by their number."""
        with self._counting:
            self._refused[reason] += count
            if self._refused[reason] > _TOLD:
                self._untold_refused[reason, instrument] += count
                return
        self._outbox.say(Rejected(reason, detail, count, instrument))

    def _tell_refused(self) -> None:
        with self._counting:
            untold, self._untold_refused = self._untold_refused, Counter()
        for (reason, instrument), count in untold.items():
            self._outbox.say(Rejected(reason, "more of them", count, instrument))

    def on_answer(self, symbol: str, error: login.Error) -> None:
        """To a subscription."""
        with self._lock:
            self._answers[symbol] = error
        if error.code:
            self.on_refused("subscription_refused", f"{symbol}: {error.message}")

    # Instruments

    def on_instrument(self, listing: int, data: Any) -> None:
        try:
            instrument = instrument_of(data)
        except NotAnInstrument as error:
            self.on_refused(error.reason, str(error))
            return
        with self._lock:
            self._listing.add(listing, instrument)

    def on_listed(self, listing: int, error: login.Error) -> None:
        """No more of them will come."""
        with self._lock:
            if listing == self._listing.number:
                self._listing.tell()
                self._take(login.InstrumentsRead(error, self._listing.count))

    # Ticks

    def _keep_taking(self, gate: Gate) -> None:
        """Let ticks go from the gate to the service, and say that there are no more."""
        try:
            gate.pump()
            self._say_last_word()
        except BaseException as error:  # a session that fetches no ticks is of no use to anybody
            cause = Reason.of("ticks_unfetchable", error=type(error).__name__, text=str(error))
            self._outbox.say(Ended(Failure(step=Step.FLOW, kind=Kind.OTHER, cause=cause)))
            self._outbox.drain(_QUIET_WAIT_S)
            os._exit(1)

    def on_record(self, data: Any) -> None:
        """One record, in the thread of the wrapper, where there is no gate."""
        now_ns = time.time_ns()
        with self._ticks:
            if self._sheds or self._holds:
                if (held := self._shed.take(data["InstrumentID"], data, now_ns, shedding=self._sheds)) is not None:
                    self._pass_on(*held)
            else:
                self._pass_on(data, now_ns)

    def _pass_on(self, data: Any, received_ns: int, skipped: int = 0) -> None:
        self._last_tick = received_ns
        quote = self._quoting.quote(received_ns, skipped, depth_record(data))
        if quote is not None:
            self._outbox.quote(quote)

    def _look_at_backlog(self, now: float) -> None:
        if self._allocated is None or not self._login.ready:
            return
        allocated = self._allocated()
        with self._ticks:
            self._sheds = self._backlog.look(now, allocated - self._shed.held_bytes())
            for held in self._shed.due(time.time_ns()):
                self._pass_on(*held)
            self._holds = bool(self._shed)
        if self._backlog.size > self._start.most_waiting:
            self._end_overloaded()

    def _end_overloaded(self) -> None:
        """Nothing can empty the wrapper's queue but the end of this process. What it has called back goes first."""
        with self._ticks:
            for held in self._shed.all(time.time_ns()):
                self._pass_on(*held)
        self._outbox.drain(_QUIET_WAIT_S)
        full = Reason.of("queue_full", megabytes=self._backlog.size >> 20)
        self._fail(Failure(step=Step.FLOW, kind=Kind.OVERLOAD, cause=full))

    # The end

    def _let_go(self, failure: Failure | None = None) -> None:
        """Let no more ticks in, and say that it ends behind those that have come."""
        self._last_word = self._last_word or Ended(failure)
        if self._gate is None:
            self._say_last_word()
        else:
            self._gate.close()

    def _say_last_word(self) -> None:
        assert self._last_word is not None
        with self._ticks:
            self._quoting.end()
        self._tell_refused()
        self._outbox.say(self._last_word)

    def _end(self) -> None:
        if not self._login.failed:
            for symbol in self._wanted:
                self._market.unSubscribeMarketData(symbol)
            self._await_quiet()
            self._let_go()
        if self._gate is not None:
            self._taking.join()  # however long the service reads none: it bounds our end itself
        self._outbox.drain(_QUIET_WAIT_S)
        end_within(_RELEASE_S)
        self._market.exit()
        self._trader.exit()

    def _await_quiet(self) -> None:
        deadline = time.monotonic() + _QUIET_WAIT_S
        while self._silent_s() < _QUIET_S and time.monotonic() < deadline:
            time.sleep(_QUIET_S / 5)

    def _silent_s(self) -> float:
        """For how long no tick has come."""
        return time.time() - self._last_tick / 1e9 if self._gate is None else self._gate.silent_s()


def load(start: Start, ticks: socket.socket) -> Gate | Failure | None:
    """Load CTP's libraries; the gate where there is one, which writes to `ticks`, or why they cannot be loaded."""
    library = gate_library() if start.gated else None
    failed = load_libraries(start.libraries, library)
    if failed is not None or library is None:
        return failed
    try:
        return Gate(library, market_library(start.libraries), ticks, start.ring, start.backlog, start.backlog_ms)
    except OSError as error:
        return Failure(step=Step.START, kind=Kind.SETUP, cause=Reason.of("gate_unfit", text=str(error)))


def main(descriptor: str, ticks_descriptor: str) -> None:
    connection, ticks = connected(descriptor), socket.socket(fileno=int(ticks_descriptor))
    start = first(connection, to_session, Start)
    gate = load(start, ticks)
    if not isinstance(gate, Gate):
        ticks.close()
    outbox = Outbox(connection, Ring(start.ring, start.backlog, start.backlog_ms))
    if isinstance(gate, Failure):
        outbox.say(Ended(gate))
        time.sleep(_QUIET_S)
        os._exit(1)
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
    with suppress(PermissionError):  # what is not taken in time waits in a queue that nobody bounds
        os.nice(_NICE)
    Session(connection, start, outbox, gate).run()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
