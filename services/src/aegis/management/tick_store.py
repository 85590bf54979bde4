"""The ticks of an instrument that the desk has: in the stream TICKS, and before that in the recording."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import decode, sent_under
from aegis.management.bars import Print, print_of
from aegis.management.stored import Place, pages_back
from aegis.recordings import is_recording, load
from aegis.tick_seam import Epochs
from aegis.ticks import subject_of
from aegis_sdk.errors import STREAM_NOT_FOUND, CodecError, StreamError
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import Transport

__all__ = ["Span", "TickPage", "prints", "ticks_back"]

T = TypeVar("T")

TICKS: Final = "TICKS"
_MOST: Final = 100_000
"""Ticks that are looked at for one answer."""
_NS: Final = 1_000_000_000
_LIVE_S: Final = 60.0
"""Ticks that were stored later than that are not stored as they happened: they are replayed."""
_FIRST_PAGE: Final = timedelta(minutes=2)
_BORDER: Final = 100
"""Ticks in front of a page that are looked at with it: what is void is told by those before it."""
_DAY_NS: Final = 86_400 * _NS
_HOLIDAYS_NS: Final = 12 * _DAY_NS
"""A trading day begins so long before its date, at most."""
_COLUMNS: Final = Print.__struct_fields__[:-1]


class Span(NamedTuple):
    """Ticks in order, and whether older ones of the time that was asked for may have been left out."""

    prints: list[Print]
    is_cut: bool


class TickPage(NamedTuple):
    """Ticks in order, and before which sequence of the stream it has older ones; None where it has none."""

    ticks: list[Tick]
    next: int | None


async def ticks_back(transport: Transport, instrument: str, before: int, most: int, now: datetime) -> TickPage:
    """The last ticks that count of those that the stream has before a sequence of its own; 0: before its end."""
    found: list[_Stored[_Numbered]] = []
    looked, enough = 0, most + _BORDER
    end = await _place(transport, instrument, before) if before else None
    read = _reader(lambda message, tick: _Numbered(message.sequence, tick))
    pages = pages_back(transport, TICKS, subject_of(instrument), end or now, _FIRST_PAGE, enough, read)
    async with aclosing(pages):
        async for page in pages:
            looked += page.looked
            found = _effective(page.found + found)
            if looked >= enough:
                break
    shown = [one.what for one in found[-most:]]
    return TickPage([one.tick for one in shown], shown[0].sequence if shown and looked > most else None)


async def prints(
    transport: Transport,
    recording: Path | None,
    instrument: str,
    until: datetime | None,
    span: timedelta,
    now: datetime,
) -> Span:
    """What the exchange stamped within `span` before `until`; without it, up to the last tick. Void ticks are left out.

    100,000 ticks at most: the latest, which threads judge, beside the loop that serves everybody. Raises
    RecordingDamaged, and CodecError for what is no tick of ours.
    """
    end_ns = 0 if until is None else _ns(until)
    looked, stored = 0, list[_Stored[Print]]()
    last = await _last(transport, instrument)
    if last is not None:
        message, tick = last
        end_ns = end_ns or tick.ts_exchange_ns + 1
        is_live = message.timestamp_ns - tick.ts_exchange_ns < _LIVE_S * _NS
        before = min(now, until + timedelta(seconds=_LIVE_S)) if until is not None and is_live else now
        pages = pages_back(transport, TICKS, subject_of(instrument), before, _FIRST_PAGE, _MOST, _reader(_print))
        async with aclosing(pages):
            async for page in pages:
                looked += page.looked
                stored = await asyncio.to_thread(_effective, page.found + stored)
                if stored and stored[0].what.ts_exchange_ns < _begin(end_ns, span):
                    return await asyncio.to_thread(_within, _before(stored, end_ns), end_ns, span)
                if looked >= _MOST:
                    return Span(_before(stored, end_ns)[-_MOST:], is_cut=True)
    found = _before(stored, end_ns)
    if recording is not None and is_recording(recording):
        upto_ns = found[0].ts_exchange_ns if found else end_ns
        found = await asyncio.to_thread(_recorded, recording, instrument, upto_ns, span, end_ns) + found
        end_ns = end_ns or (found[-1].ts_exchange_ns + 1 if found else 0)
    return _within(found, end_ns, span)


def _print(_: StoredMessage, tick: Tick) -> Print:
    return print_of(tick)


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


async def _place(transport: Transport, instrument: str, sequence: int) -> Place | None:
    """Where the stream has the first tick of an instrument at a sequence or behind it; None where it has none."""
    try:
        message = await transport.next(TICKS, subject_of(instrument), sequence - 1)
    except StreamError as error:
        if error.code != STREAM_NOT_FOUND:
            raise
        return None
    if message is None:
        return None
    return Place(message.sequence, datetime.fromtimestamp(message.timestamp_ns / _NS, UTC))


class _Numbered(msgspec.Struct, frozen=True, gc=False):
    sequence: int  # of the stream
    tick: Tick


class _Stored(msgspec.Struct, Generic[T], frozen=True, gc=False):
    feed: str
    epoch: int  # under which it was sent
    what: T


def _reader(made: Callable[[StoredMessage, Tick], T]) -> Callable[[StoredMessage], _Stored[T] | None]:
    """What is kept of a message; None of what is no tick, or one in pickle."""

    def read(message: StoredMessage) -> _Stored[T] | None:
        try:
            tick = decode(message.headers, message.payload)
        except CodecError:
            return None
        return _Stored(sys.intern(tick.feed), sent_under(message.headers, tick), made(message, tick))

    return read


def _effective(stored: list[_Stored[T]]) -> list[_Stored[T]]:
    """Without those that are void: the stream had a tick of a higher epoch before them."""
    epochs = Epochs()
    return [one for one in stored if epochs.admit(one.feed, one.epoch)]


def _before(stored: list[_Stored[Print]], end_ns: int) -> list[Print]:
    return [one.what for one in stored if one.what.ts_exchange_ns < end_ns]


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
        found = [Print(*row[:-1], stale="stale" in row[-1].split()) for row in rows] + found
        end_ns = end_ns or (found[-1].ts_exchange_ns + 1 if found else 0)
    return found


def _day_ns(day: str) -> int:
    return int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * _NS
