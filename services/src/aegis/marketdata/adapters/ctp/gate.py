"""Ticks as CTP's library calls back with them, written many at a time to a socket, where the service reads them.

The gate is a library of ours in the place of CTP's, which it loads and passes everything on to and from, but ticks:
they wait in it. vnpy's wrapper would queue them without a bound, and make of each a dict of 46 entries under a lock of
its own. What waits for too long is conflated in the gate (`gate.cpp`), before anything of it was paid for.
"""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Any, Final

__all__ = ["TICK_BYTES", "Gate", "Taken", "TickReader"]

_PAUSE_US: Final = 100
_APART_US: Final = 1_000
"""What a burst has goes together, and what comes evenly a thousand times a second: each batch costs the service, whose
code is cold after a pause, as much as twenty ticks. So nothing waits for more than a millisecond."""
_CACHED_TEXTS: Final = 65_536

_TICK: Final = Struct("@qq 9s31x9s31x 7d i2d8x3d16x 9si" + "didi" * 5 + "0d8x 9s81s81x0d16x")
"""When it came and how many it stands for, and CTP's record without what a quote has no place for."""
TICK_BYTES: Final = _TICK.size

Taken = tuple[int, int, tuple[Any, ...]]
"""When CTP called back with it, UTC nanoseconds; how many right before it were left out; DEPTH_FIELDS."""


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

    def read(self, data: bytes) -> Iterator[Taken]:
        """Of a whole number of ticks, each when it is asked for."""
        text = self._texts
        # fmt: off
        for (
            came_ns, skipped, trading_day, exchange, last, pre_settlement, pre_close, pre_interest, opened, highest,
            lowest, volume, turnover, interest, settlement, upper, lower, time, millisecond,
            bid1, bids1, ask1, asks1, bid2, bids2, ask2, asks2, bid3, bids3, ask3, asks3,
            bid4, bids4, ask4, asks4, bid5, bids5, ask5, asks5, action_day, symbol,
        ) in _TICK.iter_unpack(data):
            yield came_ns, skipped, (
                text[trading_day], text[symbol], text[exchange], text[time], millisecond, text[action_day],
                last, opened, highest, lowest, pre_close, pre_settlement, settlement, upper, lower,
                volume, turnover, interest, pre_interest,
                bid1, bids1, ask1, asks1, bid2, bids2, ask2, asks2, bid3, bids3, ask3, asks3,
                bid4, bids4, ask4, asks4, bid5, bids5, ask5, asks5,
            )
        # fmt: on


class Gate:
    """`library` stands before `market`, CTP's: it was loaded, and no API was made yet. Raises OSError.

    At most `ring` ticks wait; more than `backlog` only for `backlog_ms`. `into` is where ticks go: it blocks.
    """

    def __init__(
        self, library: Path, market: Path, into: socket.socket, ring: int, backlog: int, backlog_ms: int
    ) -> None:
        native = ctypes.CDLL(str(library))
        native.gate_open.restype = ctypes.c_char_p
        native.gate_open.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int64)
        native.gate_waiting.restype = ctypes.c_size_t
        native.gate_pump.restype = ctypes.c_bool
        native.gate_silent_ns.restype = ctypes.c_int64
        lacks: bytes | None = native.gate_open(str(market).encode(), ring, backlog, backlog_ms * 1_000_000)
        if lacks:
            raise OSError(f"{market}: {lacks.decode(errors='replace')}")
        self._native = native
        self._into = into

    def waiting_bytes(self) -> int:
        return int(self._native.gate_waiting()) * TICK_BYTES

    def silent_s(self) -> float:
        """For how long no tick has come."""
        return self._native.gate_silent_ns() / 1e9

    def pump(self) -> None:
        """Write what comes, until it is closed and all is written. Raises OSError where nobody reads any more."""
        with self._into:
            if not self._native.gate_pump(self._into.fileno(), _PAUSE_US, _APART_US):
                raise OSError("nobody reads the ticks")

    def close(self) -> None:
        """Let no more ticks in."""
        self._native.gate_close()
