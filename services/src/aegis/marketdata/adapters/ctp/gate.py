"""Ticks as CTP's library calls back with them, fetched many at a time.

The gate is a library of ours in the place of CTP's, which it loads and passes everything on to and from, but ticks:
they wait in it. vnpy's wrapper would queue them without a bound, and make of each a dict of 46 entries under a lock of
its own. What waits for too long is conflated in the gate (`gate.cpp`), before anything of it was paid for.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from struct import Struct
from typing import Any, Final, NamedTuple

from aegis.marketdata.adapters.ctp_fields import DEPTH_FIELDS

__all__ = ["Gate", "Taken", "TickReader"]

_MOST: Final = 256
_PAUSE_US: Final = 400
"""A market ticks in bursts, and each batch costs as much as ten ticks, here and in the service."""
_CACHED_TEXTS: Final = 65_536

_BOOK: Final = DEPTH_FIELDS[DEPTH_FIELDS.index("BidPrice1") :]
_FIELDS: Final = (
    *("", "", "TradingDay", "ExchangeID", "LastPrice", "PreSettlementPrice", "PreClosePrice", "PreOpenInterest"),
    *("OpenPrice", "HighestPrice", "LowestPrice", "Volume", "Turnover", "OpenInterest"),
    *("SettlementPrice", "UpperLimitPrice", "LowerLimitPrice", "UpdateTime", "UpdateMillisec"),
    *(*_BOOK, "ActionDay", "InstrumentID"),
)
_TICK: Final = Struct("@qq 9s31x9s31x 7d i2d8x3d16x 9si" + "didi" * 5 + "0d8x 9s81s81x0d16x")
"""When it came and how many it stands for, and CTP's record without what a quote has no place for."""
_numbers: Final = itemgetter(*map(_FIELDS.index, DEPTH_FIELDS[6:]))
_texts: Final = itemgetter(
    0, 1, *map(_FIELDS.index, ("TradingDay", "InstrumentID", "ExchangeID", "UpdateTime", "UpdateMillisec", "ActionDay"))
)


class Taken(NamedTuple):
    """When CTP called back with it, UTC nanoseconds; how many right before it were left out; DEPTH_FIELDS."""

    received_ns: int
    skipped: int
    record: tuple[Any, ...]


class _Texts(dict[bytes, str]):
    """What CTP's fields of characters say."""

    def __missing__(self, field: bytes) -> str:
        if len(self) >= _CACHED_TEXTS:
            self.clear()
        text = self[field] = field.partition(b"\0")[0].decode("gb18030", "replace")
        return text


class TickReader:
    """Of what a gate has written. It keeps the texts that it has read, up to a number."""

    def __init__(self) -> None:
        self._texts = _Texts()

    def read(self, data: memoryview) -> Iterator[Taken]:
        """Of a whole number of ticks, each when it is asked for."""
        return map(self._taken, _TICK.iter_unpack(data))

    def _taken(self, tick: tuple[Any, ...]) -> Taken:
        text = self._texts
        came_ns, skipped, trading_day, symbol, exchange, update_time, millisecond, action_day = _texts(tick)
        head = text[trading_day], text[symbol], text[exchange], text[update_time], millisecond, text[action_day]
        return Taken(came_ns, skipped, head + _numbers(tick))


class Gate:
    """`library` stands before `market`, CTP's: it was loaded, and no API was made yet. Raises OSError.

    At most `ring` ticks wait; more than `backlog` only for `backlog_ms`. One thread takes.
    """

    def __init__(self, library: Path, market: Path, ring: int, backlog: int, backlog_ms: int) -> None:
        native = ctypes.CDLL(str(library))
        native.gate_open.restype = ctypes.c_char_p
        native.gate_open.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int64)
        native.gate_take.restype = native.gate_waiting.restype = ctypes.c_size_t
        native.gate_take.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        lacks: bytes | None = native.gate_open(str(market).encode(), ring, backlog, backlog_ms * 1_000_000)
        if lacks:
            raise OSError(f"{market}: {lacks.decode(errors='replace')}")
        self._native = native
        self._buffer = ctypes.create_string_buffer(_TICK.size * _MOST)
        self._reader = TickReader()

    def waiting_bytes(self) -> int:
        return int(self._native.gate_waiting()) * _TICK.size

    def take(self) -> Iterator[Taken]:
        """Wait until there are some; to be used up before the next call."""
        count = self._native.gate_take(self._buffer, _MOST, _PAUSE_US)
        return self._reader.read(memoryview(self._buffer)[: count * _TICK.size])
