"""One session that trades, from its start to its end: what it says, and what its silence means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog

from aegis.contracts.reasons import Reason
from aegis.ctp.failures import Kind, Step
from aegis.ctp.frames import Ended, Reached, Rejected
from aegis.ctp.session import Session
from aegis.ctp.watched import Limits, Watched
from aegis.trading.adapters.ctp.frames import Answer, FromSession, NotTaken, Ready, Request, Told, from_session

__all__ = ["Limits", "WatchedSession"]

_log = structlog.get_logger("aegis.ctp")

_PROGRAM: Final = "aegis.trading.adapters.ctp.process"
_STEPS: Final = (Step.START, Step.CONNECT_TRADER, Step.AUTHENTICATE, Step.LOGIN_TRADER)

OnWord = Callable[[Ready | NotTaken | Answer | Told], None]
"""Hears what a session says, in its order, once it is logged in."""


class WatchedSession(Watched):
    """Made in the event loop, run once."""

    def __init__(self, limits: Limits, on_word: OnWord) -> None:
        super().__init__(limits, _STEPS, Step.TRADE)
        self._on_word = on_word
        self._process = Session(_PROGRAM, from_session, self._heard)
        self._number = 0

    @property
    def is_alive(self) -> bool:
        """Logged in, and not over."""
        return self.is_ready and not self._ending

    def ask(self, what: str, fields: dict[str, Any]) -> int:
        """Send a request; its number, by which it is answered. What is asked of one that has ended is lost."""
        self._number += 1
        self._process.tell(Request(self._number, what, fields))
        return self._number

    def next_number(self) -> int:
        """What the next request will have."""
        return self._number + 1

    # What it says

    def _heard(self, frame: FromSession) -> None:
        self._note_word()
        if self._ending or self._failed.done():
            return
        try:
            self._take(frame)
        except Exception as error:
            self._break(error)

    def _take(self, frame: FromSession) -> None:
        match frame:
            case Reached(step):
                self._note_step(step)
            case Ready():
                self._ready_at = self._heard_at
                _log.info("session_logged_in", trading_day=frame.trading_day, libraries=frame.libraries, pid=self.pid)
                self._on_word(frame)
            case Answer() | Told() | NotTaken():
                self._on_word(frame)
            case Rejected(reason, detail):
                _log.warning("ctp_rejected", reason=reason, detail=detail)
            case Ended(failure):
                self._fail(failure or self._failure(Kind.NOT_READY, Reason.of("process_unasked")))
            case _:
                pass
