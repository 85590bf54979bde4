"""A time in which ticks cannot be sent: told when it begins, when it costs the first tick, and when it is over."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

import structlog

_log = structlog.get_logger("aegis.publisher")
_SHOWN: Final = 10


class Outage:
    """Begins when made. `lost` are the ticks lost so far, by subject."""

    def __init__(self, reason: str, lost: Counter[str]) -> None:
        self._began = time.monotonic()
        self._lost_before = lost.copy()
        self._losing = False
        _log.warning("publishing_interrupted", reason=reason)

    def note_loss(self, lost: Counter[str]) -> None:
        """Say so once when ticks begin to be lost."""
        if not self._losing and lost.total() > self._lost_before.total():
            self._losing = True
            _log.error("ticks_lost", reason="the republish ring is full", interrupted_s=self._seconds())

    def end(self, lost: Counter[str], *, republished: int) -> None:
        lost_now = lost - self._lost_before
        _log.log(
            40 if lost_now else 20,
            "publishing_resumed",
            interrupted_s=self._seconds(),
            republished=republished,
            lost=lost_now.total(),
            most_lost=dict(lost_now.most_common(_SHOWN)),
        )

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)
