"""What the silence of a session's process means."""

from __future__ import annotations

from typing import Any

from aegis.ctp.frames import Alive
from aegis.marketdata.adapters.ctp.watched import Limits, WatchedSession
from aegis_sdk import clock

LIMITS = Limits(answer_s=10.0, silent_s=5.0)


def watched(sink: Any) -> WatchedSession:
    return WatchedSession(sink, LIMITS, on_ready=lambda _: None, is_expected=lambda *_: False)


def reason(session: WatchedSession) -> str:
    return str(session._failed.result()) if session._failed.done() else ""


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
