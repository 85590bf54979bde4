"""How far the market of a counter has come, kept in its directory: one that starts there again goes on from there.

If it began anew, clients would take its ticks for old ones, by the exchange's time, for as long as it ran before.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from aegis.exchanges.calendar import CALENDAR, Calendar
from ctpsim.market.clock import Always

__all__ = ["keep_time", "resumed"]

_NAME: Final = "time.json"
_EACH_S: Final = 0.5


class _KeptTime(msgspec.Struct, frozen=True, kw_only=True):
    start_day: str
    running_ns: int


def resumed(directory: Path, *, day: str, today: str, speed: float, calendar: Calendar = CALENDAR) -> Always:
    """The clock of trading time, behind all that was kept; a new one from `day`, or else `today`, where that is later.

    Another `day` than was asked for before begins anew as well.
    """
    kept = _read(directory)
    if kept is not None and day in ("", kept.start_day):
        begin_ns = kept.running_ns + int(2 * _EACH_S * speed * 1e9)  # it may have run on after it was kept last
        clock = Always(kept.start_day, speed, calendar, begin_ns)
        if day or clock.moment().trading_day >= today:
            return clock
    return Always(day or today, speed, calendar)


async def keep_time(directory: Path, clock: Always) -> None:
    """Keep it twice a second, and when this is cancelled."""
    try:
        while True:
            _write(directory, clock)
            await asyncio.sleep(_EACH_S)
    finally:
        _write(directory, clock)


def _read(directory: Path) -> _KeptTime | None:
    try:
        return msgspec.json.decode((directory / _NAME).read_bytes(), type=_KeptTime)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(directory: Path, clock: Always) -> None:
    partial = directory / f".{_NAME}"
    kept = _KeptTime(start_day=clock.start_day, running_ns=clock.running_ns())
    partial.write_bytes(msgspec.json.encode(kept))
    partial.replace(directory / _NAME)
