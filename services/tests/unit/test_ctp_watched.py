"""What a session's process says, and what its silence means."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from samples import QUOTE
from structlog.testing import capture_logs

from aegis.contracts.market import Instrument, InstrumentId
from aegis.contracts.reasons import Reason
from aegis.ctp.failures import Kind
from aegis.ctp.frames import Alive, FrontAddresses, Login
from aegis.ctp.login import Error
from aegis.marketdata.adapters.ctp import CtpFeed
from aegis.marketdata.adapters.ctp import watched as watching
from aegis.marketdata.adapters.ctp.frames import Answered, ListAnew, Listed, Quotes, Ready, Start, Subscribe, Universe
from aegis.marketdata.adapters.ctp.watched import Limits, WatchedSession
from aegis.marketdata.ports import FeedRefused, FeedState
from aegis_sdk import clock
from aegis_sdk.errors import ConnectionUnavailable

LIMITS = Limits(answer_s=10.0, silent_s=5.0)
START = Start(
    login=Login(broker_id="", user_id="", password="", app_id="", auth_code=""),
    fronts=FrontAddresses(market=(), trader=()),
    production=True,
)
ONE, OTHER = InstrumentId("SHFE", "rb2505"), InstrumentId("DCE", "m2505")


def watched(sink: Any, limits: Limits = LIMITS, **more: Any) -> WatchedSession:
    return WatchedSession(sink, limits, **{"on_ready": lambda _: None, "is_expected": lambda *_: False, **more})


def ready(sink: Any, limits: Limits = LIMITS) -> WatchedSession:
    session = watched(sink, limits)
    session._heard(Ready("20250102", ()))
    return session


def reason(session: WatchedSession) -> str:
    return str(session._failed.result()) if session._failed.done() else ""


@pytest.fixture
def run_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Make the program that a session runs."""
    made = tmp_path / "made_session.py"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(watching, "_PROGRAM", made.stem)
    return lambda does: made.write_text(PROGRAM + does)


PROGRAM = """
import os, signal, socket, sys
from aegis.ctp.failures import Step
from aegis.ctp.frames import Ended, Reached, encoded
from aegis.marketdata.adapters.ctp.frames import Ready
from aegis.marketdata.adapters.ctp.gate import TICK_BYTES
service, ticks = (socket.socket(fileno=int(one)) for one in sys.argv[1:])
service.recv(1 << 16)
say = lambda frame: service.sendall(encoded(frame))
"""


@pytest.mark.parametrize(
    ("does", "kind"),
    [("import no_such_module", Kind.OTHER), ("say(Reached(Step.CONNECT_TRADER)); os.abort()", Kind.NOT_READY)],
)
async def test_a_process_that_ends_before_it_has_reached_anything_is_broken(
    sink: Any, run_instead: Callable[[str], object], does: str, kind: Kind
) -> None:
    run_instead(does)
    failure = await watched(sink).run(START)
    assert failure.kind is kind
    assert "its process ended" in str(failure)


HANGS = """
say(Ready("20250102", ()))
service.recv(1 << 16)
say(Ended())
os.kill(os.getpid(), signal.SIGALRM)  # as the watchdog of a process that CTP does not let go
"""


async def test_a_session_that_hangs_as_its_feed_is_closed_is_counted(
    sink: Any, run_instead: Callable[[str], object]
) -> None:
    run_instead(HANGS)
    feed = CtpFeed("test", "test", "sim", START)
    await feed.open(sink)
    await feed.close()
    assert feed.session_exit_code == -signal.SIGALRM
    [killed] = [each for each in feed.metrics() if each.name == "aegis_marketdata_ctp_killed_sessions"]
    assert killed.samples[0].value == 1


async def test_a_session_whose_words_cannot_be_read_says_so_and_is_the_last(
    sink: Any, run_instead: Callable[[str], object]
) -> None:
    run_instead("service.sendall(bytes([1, 0, 0, 0, 0xC1])); service.recv(1)")
    async with asyncio.timeout(30):
        with pytest.raises(FeedRefused, match="what its process says cannot be read: MessagePack"):
            await CtpFeed("test", "test", "sim", START).open(sink)
    assert sink.states == [FeedState.CONNECTING, FeedState.FAILED]


async def test_ticks_that_are_not_passed_on_are_counted_by_why(sink: Any) -> None:
    dropped: Counter[str] = Counter()
    session = watched(sink, dropped=dropped)
    session.unsubscribe([InstrumentId(QUOTE.exchange, QUOTE.symbol)])
    session._heard(Quotes([replace(QUOTE, skipped=2)]))
    session.give_up()
    session._heard(Quotes([replace(QUOTE, skipped=1), QUOTE]))
    assert dropped == {"unwanted": 3, "session_ended": 3}
    assert sink.quotes == []


async def test_what_was_left_out_and_never_followed_by_a_quote_is_told_as_the_session_ends(
    sink: Any, run_instead: Callable[[str], object]
) -> None:
    run_instead('say(Ready("20250102", ())); sys.exit()')
    session = watched(sink)
    session._quoting._owed[ONE.symbol] = 4
    session._quoting._instruments = {ONE.symbol: listed(ONE.symbol)}
    await session.run(START)
    assert sink.rejected_of == {ONE: 4}


async def test_ticks_on_their_way_from_a_session_that_is_given_up_are_counted(
    sink: Any, run_instead: Callable[[str], object]
) -> None:
    run_instead('say(Ready("20250102", ())); service.recv(1); ticks.sendall(bytes(3 * TICK_BYTES))')
    dropped: Counter[str] = Counter()
    begun = asyncio.Event()
    session = watched(sink, dropped=dropped, on_ready=lambda _: begun.set())
    running = asyncio.create_task(session.run(START))
    await begun.wait()
    session._process.pause()
    session.unsubscribe([ONE])
    await session._process.ended()
    session.give_up()
    await running
    assert dropped == {"session_ended": 3}


@pytest.mark.parametrize(("libraries", "warned"), [(("market.so", "trader.so"), 1), (("gate.so", "m.so", "t.so"), 0)])
async def test_a_session_without_a_gate_is_warned_of(sink: Any, libraries: tuple[str, ...], warned: int) -> None:
    with capture_logs() as logs:
        watched(sink)._heard(Ready("20250102", libraries))
    assert sum(entry["event"] == "session_without_gate" for entry in logs) == warned


async def test_whatever_breaks_in_a_feed_fails_it_loudly(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever opens it would wait for ever."""
    monkeypatch.setattr(WatchedSession, "_watch", None)
    async with asyncio.timeout(30):
        with pytest.raises(FeedRefused, match="TypeError"):
            await CtpFeed("test", "test", "sim", START).open(sink)

    def deaf(*_: object) -> None:
        raise ValueError("it hears nothing")

    monkeypatch.setattr(sink, "changed", deaf)
    async with asyncio.timeout(30):
        with pytest.raises(FeedRefused, match="it hears nothing"):
            await CtpFeed("test", "test", "sim", START).open(sink)


async def test_a_process_that_is_slow_to_begin_is_no_hanging_one(sink: Any) -> None:
    session = watched(sink)
    session._look(clock.now() + 9)
    assert not reason(session)
    session._look(clock.now() + 11)
    assert "no answer for 10 s" in reason(session)


async def test_a_process_that_has_begun_and_says_nothing_any_more_hangs(sink: Any) -> None:
    session = watched(sink)
    session._heard(Alive())
    session._look(clock.now() + 4)
    assert not reason(session)
    session._look(clock.now() + 6)
    assert "said nothing for 5 s" in reason(session)


async def test_only_a_session_that_ticks_often_is_replaced_when_it_falls_silent(sink: Any) -> None:
    """One that is subscribed to quiet contracts alone would be logged in anew for ever."""
    tick = replace(QUOTE, flags=())
    quiet, busy = (watched(sink, is_expected=lambda *_: True) for _ in range(2))
    for session, ticks in ((quiet, [tick]), (busy, [tick] * 60)):
        session._heard(Ready("20250102", ()))
        session._heard(Quotes(ticks))
        session._heard_at = float("inf")  # its process lives
        session._look(clock.now() + 16)
    assert not reason(quiet)
    assert "no tick for 16.0 s, while the market is open" in reason(busy)
    busy = watched(sink, is_expected=lambda *_: True)
    busy._heard(Ready("20250102", ()))
    busy._heard(Quotes([tick] * 60))
    busy.unsubscribe([OTHER])
    busy._heard_at = float("inf")
    busy._look(clock.now() + 16)
    assert not reason(busy), "what is left may be quiet"


async def test_an_instrument_is_subscribed_once_the_counter_has_answered_and_refused_as_it_says(sink: Any) -> None:
    session = ready(sink)
    asking = asyncio.create_task(session.subscribe([ONE, OTHER]))
    await asyncio.sleep(0)
    session._heard(Answered({ONE.symbol: Error()}))
    assert not (await asyncio.wait({asking}, timeout=0.01))[0], "the other was not answered"
    session._heard(Answered({OTHER.symbol: Error(16, "CTP:找不到合约")}))
    assert await asking == {OTHER: Reason.of("counter_refuses", error=16, text="CTP:找不到合约")}


def tick_of(instrument: InstrumentId) -> Quotes:
    return Quotes([replace(QUOTE, exchange=instrument.exchange, symbol=instrument.symbol)])


@pytest.mark.parametrize(
    "late", [Answered({ONE.symbol: Error()}), Answered({ONE.symbol: Error(16, "too late")}), tick_of(ONE)]
)
async def test_what_the_counter_is_silent_about_is_refused_until_it_says_something(
    sink: Any, monkeypatch: pytest.MonkeyPatch, late: Any
) -> None:
    """It holds up nothing, nothing of it is offered, and it is not left subscribed where nobody wants it any more."""
    told: list[object] = []
    session = ready(sink, Limits(answer_s=0.01))
    monkeypatch.setattr(session._process, "tell", told.append)
    assert await session.subscribe([ONE]) == {ONE: Reason("counter_silent")}
    assert told == [Subscribe([ONE.symbol]), Subscribe([ONE.symbol], wanted=False)]
    for _ in range(2):
        session._heard(late)
    assert (sink.states, sink.quotes) == ([FeedState.READY], []), "it is to be asked for again"
    assert session._answer_s == 0.02, "and has more time"
    asking = asyncio.create_task(session.subscribe([ONE]))
    await asyncio.sleep(0)
    assert not asking.done(), "what came too late is no answer to a later question"
    session._heard(Answered({ONE.symbol: Error()}))
    assert await asking == {}
    session._heard(tick_of(ONE))
    assert len(sink.quotes) == 1


async def test_what_ticks_is_subscribed_though_the_counter_does_not_answer(sink: Any) -> None:
    session = ready(sink, Limits(answer_s=0.01))
    asking = asyncio.create_task(session.subscribe([ONE, OTHER]))
    await asyncio.sleep(0)
    session._heard(tick_of(ONE))
    assert await asking == {OTHER: Reason("counter_silent")}
    session._heard(tick_of(ONE))
    assert (len(sink.quotes), sink.states) == (2, [])


async def test_of_what_the_counter_refuses_nothing_is_offered(sink: Any) -> None:
    session = ready(sink)
    asking = asyncio.create_task(session.subscribe([ONE]))
    await asyncio.sleep(0)
    session._heard(Answered({ONE.symbol: Error(16, "no such contract")}))
    assert await asking
    session._heard(tick_of(ONE))
    assert sink.quotes == []


async def test_a_session_that_ends_answers_nobody_any_more(sink: Any) -> None:
    session = ready(sink)
    asking = asyncio.create_task(session.subscribe([ONE]))
    await asyncio.sleep(0)
    session.give_up()
    with pytest.raises(ConnectionUnavailable):
        await asking


async def test_a_new_trading_day_has_other_instruments(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for once, and again where the counter did not answer; the session goes on all the while."""
    told: list[object] = []
    days: list[list[str]] = []
    session = watched(sink, on_listed=lambda listed: days.append([one.symbol for one in listed]))
    monkeypatch.setattr(session._process, "tell", told.append)
    session._heard(Universe([listed("rb2501"), listed("rb2505")]))
    session._heard(Ready("20250115", ()))

    def tick(day: str) -> None:
        session._heard(Quotes([replace(QUOTE, trading_day=day)]))

    tick("20250115")
    assert told == []
    for _ in range(3):
        tick("20250116")
    assert told == [ListAnew(1)]
    session._list_at = clock.now()
    tick("20250116")
    session._heard(Universe([listed("rb2505"), listed("rb2601")], 2))
    session._heard(Listed(2))
    tick("20250116")
    assert told == [ListAnew(1), ListAnew(2)]
    assert days == [["rb2505", "rb2601"]]
    assert session._by_symbol.keys() == {"rb2505", "rb2601"}
    assert session.is_ready


async def test_a_day_that_is_none_of_the_next_is_no_new_day(sink: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One record of it would end the queries of all days before it, and set the market's clock there."""
    told: list[object] = []
    session = watched(sink, is_expected=lambda *_: True)
    monkeypatch.setattr(session._process, "tell", told.append)
    session._heard(Ready("20991224", ()))
    session._heard(Quotes([replace(QUOTE, trading_day="20991230", flags=())] * 60))
    session._heard_at = float("inf")
    session._look(clock.now() + 16)
    assert (told, reason(session)) == ([], "")
    session._heard(Quotes([replace(QUOTE, trading_day="20991229")]))
    assert told == [ListAnew(1)]


async def test_half_an_answer_is_no_universe_however_late_the_other_half_comes(
    sink: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[object] = []
    days: list[list[str]] = []
    session = watched(sink, on_listed=lambda listed: days.append([one.symbol for one in listed]))
    monkeypatch.setattr(session._process, "tell", told.append)
    session._heard(Universe([listed("rb2501"), listed("rb2505")]))
    session._heard(Ready("20250115", ()))
    tick = Quotes([replace(QUOTE, trading_day="20250116")])
    session._heard(tick)
    begun_at = session._list_at
    session._heard(Universe([listed("rb2505")], 1))
    assert session._list_at > begun_at, "none is asked for while another one is answered"
    session._list_at = clock.now()
    session._heard(tick)
    session._heard(Universe([listed("rb2601")], 1))
    session._heard(Listed(1))
    assert (told, days) == ([ListAnew(1), ListAnew(2)], [])
    session._heard(Universe([listed("rb2505"), listed("rb2601")], 2))
    session._heard(Listed(2))
    assert days == [["rb2505", "rb2601"]]


def listed(symbol: str) -> Instrument:
    return Instrument(symbol=symbol, exchange="SHFE", name=symbol, product="rb", price_tick=1, multiplier=10)
