"""The ticks of an instrument that the desk has: in the stream TICKS, and before that in the recording."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import decode, sent_under
from aegis.management.bars import Print, print_of
from aegis.management.stored import pages_back
from aegis.recordings import is_recording, load
from aegis.tick_seam import Epochs
from aegis.ticks import subject_of
from aegis_sdk.errors import STREAM_NOT_FOUND, CodecError, StreamError
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import Transport

__all__ = ["Span", "latest_ticks", "prints"]

TICKS: Final = "TICKS"
_MOST: Final = 100_000
"""Ticks that are looked at for one answer."""
_NS: Final = 1_000_000_000
_LIVE_S: Final = 60.0
"""Ticks that were stored later than that are not stored as they happened: they are replayed."""
_FIRST_PAGE: Final = timedelta(minutes=2)
_DAY_NS: Final = 86_400 * _NS
_HOLIDAYS_NS: Final = 12 * _DAY_NS
"""A trading day begins so long before its date, at most."""
_COLUMNS: Final = Print._fields[:-1]


class Span(NamedTuple):
    """Ticks in order, and whether older ones of the time that was asked for may have been left out."""

    prints: list[Print]
    is_cut: bool


async def latest_ticks(transport: Transport, instrument: str, most: int, now: datetime) -> list[Tick]:
    """The last ticks of the stream that count, in order."""
    found: list[_Stored] = []
    pages = pages_back(transport, TICKS, subject_of(instrument), now, _FIRST_PAGE, most)
    async with aclosing(pages):
        async for page in pages:
            found = _effective(_stored(page) + found)
            if len(found) >= most:
                break
    return [one.tick for one in found[-most:]]


async def prints(
    transport: Transport,
    recording: Path | None,
    instrument: str,
    until: datetime | None,
    span: timedelta,
    now: datetime,
) -> Span:
    """What the exchange stamped within `span` before `until`; without it, up to the last tick. Void ticks are left out.

    100,000 ticks at most: the latest. Raises RecordingDamaged, and CodecError for what is no tick of ours.
    """
    end_ns = 0 if until is None else _ns(until)
    looked, stored = 0, list[_Stored]()
    last = await _last(transport, instrument)
    if last is not None:
        message, tick = last
        end_ns = end_ns or tick.ts_exchange_ns + 1
        is_live = message.timestamp_ns - tick.ts_exchange_ns < _LIVE_S * _NS
        before = min(now, until + timedelta(seconds=_LIVE_S)) if until is not None and is_live else now
        pages = pages_back(transport, TICKS, subject_of(instrument), before, _FIRST_PAGE, _MOST)
        async with aclosing(pages):
            async for page in pages:
                looked += len(page)
                stored = _effective(_stored(page) + stored)
                if stored and stored[0].tick.ts_exchange_ns < _begin(end_ns, span):
                    return _within(_prints(stored, end_ns), end_ns, span)
                if looked >= _MOST:
                    return Span(_prints(stored, end_ns)[-_MOST:], is_cut=True)
    found = _prints(stored, end_ns)
    if recording is not None and is_recording(recording):
        upto_ns = found[0].ts_exchange_ns if found else end_ns
        found = await asyncio.to_thread(_recorded, recording, instrument, upto_ns, span, end_ns) + found
        end_ns = end_ns or (found[-1].ts_exchange_ns + 1 if found else 0)
    return _within(found, end_ns, span)


def _begin(end_ns: int, span: timedelta) -> int:
    return end_ns - int(span.total_seconds()) * _NS


def _within(found: list[Print], end_ns: int, span: timedelta) -> Span:
    inside = [one for one in found if one.ts_exchange_ns >= _begin(end_ns, span)]
    return Span(inside[-_MOST:], is_cut=len(inside) > _MOST)


def _ns(moment: datetime) -> int:
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * _NS


async def _last(transport: Transport, instrument: str) -> tuple[StoredMessage, Tick] | None:
    try:
        message = await transport.last(TICKS, subject_of(instrument))
    except StreamError as error:
        if error.code != STREAM_NOT_FOUND:
            raise
        return None
    return None if message is None else (message, decode(message.headers, message.payload))


class _Stored(NamedTuple):
    tick: Tick
    epoch: int  # under which it was sent


def _stored(page: list[StoredMessage]) -> list[_Stored]:
    """Without what is no tick, or one in pickle."""
    found: list[_Stored] = []
    for message in page:
        with suppress(CodecError):
            tick = decode(message.headers, message.payload)
            found.append(_Stored(tick, sent_under(message.headers, tick)))
    return found


def _effective(stored: list[_Stored]) -> list[_Stored]:
    """Without those that are void: the stream had a tick of a higher epoch before them."""
    epochs = Epochs()
    return [one for one in stored if epochs.admit(one.tick.feed, one.epoch)]


def _prints(stored: list[_Stored], end_ns: int) -> list[Print]:
    return [print_of(one.tick) for one in stored if one.tick.ts_exchange_ns < end_ns]


def _recorded(directory: Path, instrument: str, upto_ns: int, span: timedelta, end_ns: int) -> list[Print]:
    """Recorded ticks before `upto_ns` (0: all), a trading day after the other, the latest first."""
    from aegis.recordings.query import Moments, query  # half a second, and not everywhere installed

    exchange = instrument.partition(".")[0]
    found: list[Print] = []
    for day in sorted({part.trading_day for part in load(directory).of(exchange=exchange)}, reverse=True):
        begin_ns = _begin(end_ns, span) if end_ns else 0
        if end_ns and _day_ns(day) > end_ns + _HOLIDAYS_NS:
            continue
        if _day_ns(day) < begin_ns - _DAY_NS or len(found) >= _MOST:
            break
        moments = Moments(since_ns=begin_ns, until_ns=upto_ns or None)
        table = query(directory, instrument, day, moments=moments, columns=(*_COLUMNS, "flags"))
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        found = [Print._make((*row[:-1], "stale" in row[-1].split())) for row in rows] + found
        end_ns = end_ns or (found[-1].ts_exchange_ns + 1 if found else 0)
    return found


def _day_ns(day: str) -> int:
    return int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * _NS
