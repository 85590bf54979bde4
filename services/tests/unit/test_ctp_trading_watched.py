"""A session that trades as its service sees it: what its end means, and that nobody waits for what never comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.ctp import watched as watching
from aegis.ctp.failures import Kind
from aegis.ctp.frames import FrontAddresses, Login
from aegis.trading.adapters.ctp import watched
from aegis.trading.adapters.ctp.frames import Ready, Start
from aegis.trading.adapters.ctp.venue import CtpVenue
from aegis.trading.adapters.ctp.watched import Limits, WatchedSession
from aegis_sdk.errors import AegisError

START = Start(
    login=Login(broker_id="", user_id="A1", password="", app_id="", auth_code=""),
    fronts=FrontAddresses(market=(), trader=()),
    production=True,
)
READY = Ready(trading_day="20250102", front_id=1, session_id=7, highest_ref=0, libraries=())

PROGRAM = """
import os, socket, sys
from aegis.ctp.failures import Step
from aegis.ctp.frames import Ended, Reached, encoded
from aegis.trading.adapters.ctp.frames import Ready
service = socket.socket(fileno=int(sys.argv[1]))
service.recv(1 << 16)
say = lambda frame: service.sendall(encoded(frame))
ready = Ready(trading_day="20250102", front_id=1, session_id=7, highest_ref=0, libraries=())
"""


@pytest.fixture
def run_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Make the program that a session runs."""
    made = tmp_path / "made_trading_session.py"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(watched, "_PROGRAM", made.stem)
    return lambda does: made.write_text(PROGRAM + does)


@pytest.mark.parametrize(
    ("does", "kind"),
    [("import no_such_module", Kind.OTHER), ("say(Reached(Step.CONNECT_TRADER)); os.abort()", Kind.NOT_READY)],
)
async def test_a_process_that_ends_before_it_has_reached_anything_is_broken(
    run_instead: Callable[[str], object], does: str, kind: Kind
) -> None:
    """It is tried a number of times, and not every 15 seconds for ever."""
    run_instead(does)
    failure = await WatchedSession(Limits(), lambda _: None).run(START)
    assert failure.kind is kind
    assert "its process ended" in str(failure)


async def test_a_session_that_is_left_ends_in_order(run_instead: Callable[[str], object]) -> None:
    run_instead("say(ready); service.recv(1 << 16); say(Ended()); os._exit(0)")
    logged_in = asyncio.Event()
    session = WatchedSession(Limits(), lambda _: logged_in.set())
    running = asyncio.create_task(session.run(START))
    await logged_in.wait()
    running.cancel()
    await asyncio.wait({running})
    assert (session._process.exit_code, session._process.was_killed) == (0, False)


async def test_whatever_breaks_in_a_venue_ends_its_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever opens it would wait for ever."""
    monkeypatch.setattr(WatchedSession, "_watch", None)
    async with asyncio.timeout(10):
        with pytest.raises(AegisError, match="TypeError"):
            await CtpVenue(START, known=tuple).open(None)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(WatchedSession, "run", None)
    async with asyncio.timeout(5):
        with pytest.raises(AegisError, match="A1 is unusable: TypeError"):
            await CtpVenue(START, known=tuple).open(None)  # pyright: ignore[reportArgumentType]


async def test_a_day_that_nobody_can_read_ends_the_opening(
    run_instead: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_instead("say(ready); service.recv(1 << 16); os._exit(0)")
    monkeypatch.setattr("aegis.trading.adapters.ctp.live.Live.read_day", None)
    async with asyncio.timeout(10):
        with pytest.raises(AegisError, match="TypeError"):
            await CtpVenue(START, known=tuple).open(None)  # pyright: ignore[reportArgumentType]


async def test_a_silence_that_was_the_services_own_is_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = asyncio.Event()

    class Session(WatchedSession):
        def _look(self, now: float) -> None:
            super()._look(now)
            looked.set()

    session = Session(Limits(), lambda _: None)
    session._heard(READY)
    session._heard_at -= 9
    monkeypatch.setattr(session._process, "ended", asyncio.Event().wait)
    monkeypatch.setattr(watching, "_LOOK_S", 0.0)
    monkeypatch.setattr(watching, "_STOOD_STILL_S", -1.0)
    looking = asyncio.create_task(session._watch())
    await looked.wait()
    assert session.is_alive
    looking.cancel()
    await asyncio.wait({looking})
