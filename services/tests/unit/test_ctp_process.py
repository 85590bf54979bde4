"""What the program of a CTP session says of itself while it is ready. CTP itself is not needed for that."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from threading import Thread
from typing import Any

from universes import instrument

from aegis.contracts.market import Quote
from aegis.ctp.frames import Alive, FrontAddresses, Login, Rejected
from aegis.marketdata.adapters.ctp.frames import FromSession, Start, Waiting
from aegis.marketdata.adapters.ctp.process import Session
from aegis.marketdata.adapters.ctp_fields import DEPTH_FIELDS, depth_record

START = Start(
    login=Login(broker_id="", user_id="", password="", app_id="", auth_code=""),
    fronts=FrontAddresses(market=(), trader=()),
    production=True,
)


class Heard:
    """In place of the outbox. The session is ended by its second sign of life."""

    def __init__(self, ours: socket.socket) -> None:
        self._ours = ours
        self.frames: list[FromSession] = []

    def __len__(self) -> int:
        return 7

    def quote(self, quote: Quote) -> None: ...

    def quotes(self, quotes: Sequence[Quote]) -> None: ...

    def say(self, frame: FromSession) -> None:
        self.frames.append(frame)
        if sum(isinstance(one, Alive) for one in self.frames) == 2:
            self._ours.close()

    def drain(self, timeout: float) -> None: ...


def told(ready: bool) -> list[FromSession]:
    """All that a session says in half a second."""
    ours, theirs = socket.socketpair()
    heard = Heard(ours)
    session = Session(theirs, START, heard)
    session._login.ready = ready
    running = Thread(target=session._hear, daemon=True)
    running.start()
    running.join(5)
    assert not running.is_alive()
    theirs.close()
    return heard.frames


def test_how_much_waits_is_said_at_most_once_a_second() -> None:
    waiting = [frame for frame in told(ready=True) if isinstance(frame, Waiting)]
    assert [frame.ring for frame in waiting] == [7]
    assert waiting[0].queue >= 0


def test_its_program_reads_nothing_that_a_session_does_not_need() -> None:
    """A fresh session is late by what its process has to read first."""
    unneeded = {"asyncio", "structlog", "prometheus_client", "pydantic", "nats"}
    says = f"import sys, {Session.__module__}; print(*{unneeded} & set(sys.modules))"
    read = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True, check=True)
    assert read.stdout.strip() == ""


def test_a_session_that_only_comes_up_says_no_more_than_that_it_lives() -> None:
    assert {type(frame) for frame in told(ready=False)} == {Alive}


def record(symbol: str, **changed: Any) -> tuple[Any, ...]:
    fields = {
        **dict.fromkeys(DEPTH_FIELDS, 0.0),
        "TradingDay": "20250102",
        "ActionDay": "20250102",
        "UpdateTime": "10:00:00",
        "UpdateMillisec": 500,
        "InstrumentID": symbol,
        "ExchangeID": "SHFE",
        "LastPrice": 100.0,
        "Volume": 1,
    }
    return depth_record({**fields, **changed})


def test_what_was_left_out_before_a_record_that_is_none_is_counted_by_the_next_of_its_instrument() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        heard = Heard(ours)
        session = Session(theirs, START, heard)
        session._instruments = {one.symbol: one for one in map(instrument, ("SHFE.rb2505", "SHFE.rb2510"))}
        assert session._quote(record("rb2505", Volume=-5), 1, 3) is None
        assert session._quote(record("rb2505", Volume=-5), 2, 1) is None
        assert [frame.reason for frame in heard.frames if isinstance(frame, Rejected)] == ["malformed_row"] * 2
        quotes = [session._quote(record(symbol), 3, 0) for symbol in ("rb2510", "rb2505", "rb2505")]
        assert [quote and quote.skipped for quote in quotes] == [0, 4, 0]
