"""What the program of a CTP session says of itself while it is ready. CTP itself is not needed for that."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from collections import Counter
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from aegis.contracts.market import InstrumentId, Quote
from aegis.contracts.reasons import Reason
from aegis.ctp.failures import Failure, Kind, Step
from aegis.ctp.frames import Alive, Ended, FrontAddresses, Login, Rejected, encoded
from aegis.ctp.login import Error, Side
from aegis.marketdata.adapters.ctp import process
from aegis.marketdata.adapters.ctp.frames import FromSession, ListAnew, Listed, Start, Subscribe, Universe, Waiting
from aegis.marketdata.adapters.ctp.outbox import Outbox
from aegis.marketdata.adapters.ctp.process import Session
from aegis.marketdata.adapters.ctp.ring import Ring

NO_ERROR = Error()
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

    def say(self, frame: FromSession) -> None:
        self.frames.append(frame)
        if sum(isinstance(one, Alive) for one in self.frames) == 2:
            self._ours.close()

    def drain(self, timeout: float) -> None: ...


def told(ready: bool, gate: Any = None) -> list[FromSession]:
    """All that a session says in half a second."""
    ours, theirs = socket.socketpair()
    heard = Heard(ours)
    session = Session(theirs, START, heard, gate)
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


class NothingWaits:
    def waiting_bytes(self) -> int:
        return 1200


@pytest.mark.parametrize(("ready", "gate", "looks"), [(True, NothingWaits(), 4), (True, None, 30), (False, None, 30)])
def test_a_session_looks_often_only_where_it_has_to(
    monkeypatch: pytest.MonkeyPatch, ready: bool, gate: Any, looks: int
) -> None:
    """To see a queue grow that no gate bounds, or CTP's answers while it comes up."""
    pauses: list[float] = []

    def recorded(readers: Any, writers: Any, errors: Any, pause_s: float) -> Any:
        pauses.append(pause_s)
        return select.select(readers, writers, errors, pause_s)

    monkeypatch.setattr(process, "select", SimpleNamespace(select=recorded))
    waiting = [frame.queue for frame in told(ready, gate) if isinstance(frame, Waiting)]
    assert len(pauses) <= looks
    assert max(pauses) > 0.3 if gate else set(pauses) == {0.025}
    assert waiting == [1200] if gate else True


def test_what_is_refused_is_counted_to_the_last_however_much_it_is() -> None:
    """A market of records that are none must not become one of words about them."""
    ours, theirs = socket.socketpair()
    heard = Heard(ours)
    session = Session(theirs, START, heard)
    for number in range(5_000):
        session.on_refused("malformed", str(number), instrument=InstrumentId("SHFE", f"rb25{number % 10:02}"))
    session._quoting._owed["rb2505"] = 3
    session._last_word = Ended()
    session._say_last_word()
    *refused, last = heard.frames
    told: Counter[InstrumentId | None] = Counter()
    for frame in refused:
        assert isinstance(frame, Rejected)
        told[frame.instrument] += frame.count
    assert told == {**{InstrumentId("SHFE", f"rb25{number:02}"): 500 for number in range(10)}, None: 3}
    assert len(refused) < 200
    assert last == Ended()


def test_a_session_ends_behind_all_of_its_ticks_however_late_the_service_takes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "_QUIET_WAIT_S", 0.001)
    ours, theirs = socket.socketpair()
    done: list[str] = []
    monkeypatch.setattr(process, "end_within", lambda _: done.append("ends"))

    def pump() -> None:
        time.sleep(0.05)  # as while the service reads nothing
        done.append("all ticks are handed over")

    gate: Any = SimpleNamespace(pump=pump, close=lambda: None)
    with ours, theirs:
        session = Session(theirs, START, Heard(ours), gate)
        session._market = session._trader = SimpleNamespace(exit=lambda: None)
        session._taking.start()
        session._fail(Failure(step=Step.FLOW, kind=Kind.NOT_READY, cause=Reason.of("front_closed", error=4097)))
        session._end()
    assert done == ["all ticks are handed over", "ends"]


@pytest.mark.parametrize("takes", [0, -2])
def test_without_a_gate_an_instrument_is_forgotten_before_it_is_asked_for(takes: int) -> None:
    ours, theirs = socket.socketpair()
    done: list[str] = []

    def ask(symbol: str) -> int:
        done.append(symbol)
        return takes

    with ours, theirs:
        session: Any = Session(theirs, START, Heard(ours))
        session._market = SimpleNamespace(subscribeMarketData=ask)
        session._quoting = SimpleNamespace(forget=lambda symbols: done.append(f"forget {symbols[0]}"))
        session._told(Subscribe(["rb2505"]))
        session._ask_for_wishes()
        assert done == ["forget rb2505", "rb2505"]


def test_the_answers_to_a_query_count_for_its_own_listing_alone() -> None:
    ours, theirs = socket.socketpair()
    heard = Heard(ours)
    asked: list[int] = []
    with ours, theirs:
        session: Any = Session(theirs, START, heard)
        session._trader = SimpleNamespace(query_instruments=lambda number: asked.append(number))
        session._login.ready = True
        session._login.at[Side.TRADER] = Step.FLOW
        for number in (1, 2):
            session._told(ListAnew(number))
            session.on_instrument(number - 1, told_of("rb2501"))  # of the one before, which still comes
            session._query_when_due(time.monotonic())
            session.on_instrument(number, told_of("rb2505"))
        session.on_instrument(1, told_of("rb2512"))
        session.on_listed(1, NO_ERROR)
        session.on_instrument(2, told_of("rb2601"))
        session.on_listed(2, NO_ERROR)
        session._told(ListAnew(3))
        session._query_when_due(time.monotonic())
        session.on_listed(3, NO_ERROR)
    assert asked == [1, 2, 3]
    [universe, ended, nothing] = heard.frames
    assert isinstance(universe, Universe)
    assert ([one.symbol for one in universe.instruments], universe.listing) == (["rb2505", "rb2601"], 2)
    assert ended == Listed(2)
    assert isinstance(nothing, Rejected)
    assert (nothing.reason, "lists no contract" in nothing.detail) == ("not_listed_anew", True)


def told_of(symbol: str) -> dict[str, Any]:
    numbers = {"VolumeMultiple": 10, "PriceTick": 1.0}
    texts = dict.fromkeys(("ProductID", "InstrumentName", "OpenDate", "ExpireDate"), "")
    return {"InstrumentID": symbol, "ExchangeID": "SHFE", **numbers, **texts}


def test_no_word_of_a_session_is_left_out_however_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis.marketdata.adapters.ctp.outbox.Thread", lambda **_: SimpleNamespace(start=lambda: None))
    ours, theirs = socket.socketpair()
    outbox = Outbox(theirs, Ring(10, 10, 10))
    outbox._frames.extend([b"x"] * 100_000)
    outbox.say(Ended())
    assert outbox._frames[-1] == encoded(Ended())
    ours.close()


def test_its_program_reads_nothing_that_a_session_does_not_need() -> None:
    """A fresh session is late by what its process has to read first."""
    unneeded = {"asyncio", "structlog", "prometheus_client", "pydantic", "nats"}
    says = f"import sys, {Session.__module__}; print(*{unneeded} & set(sys.modules))"
    read = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True, check=True)
    assert read.stdout.strip() == ""


def test_a_session_that_can_fetch_no_more_ticks_says_why_and_ends() -> None:
    says = (
        f"from {Session.__module__} import Session\n"
        "session = Session.__new__(Session)\n"
        "class Told:\n"
        "    def say(self, frame): print(frame.failure)\n"
        "    def drain(self, timeout): print('all of it', flush=True)\n"
        "session._outbox = Told()\n"
        "from threading import Thread\n"
        "thread = Thread(target=session._keep_taking, args=(None,))\n"  # which raises at once
        "thread.start(), thread.join()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", f"{says}\nprint('goes on')"], capture_output=True, check=False, text=True
    )
    assert ended.returncode == 1
    reason, *behind = ended.stdout.splitlines()
    assert reason.startswith("could not receive market data: no more ticks can be fetched: AttributeError")
    assert behind == ["all of it"]


def test_a_session_that_only_comes_up_says_no_more_than_that_it_lives() -> None:
    assert {type(frame) for frame in told(ready=False)} == {Alive}
