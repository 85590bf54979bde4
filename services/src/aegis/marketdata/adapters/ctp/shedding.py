"""What a session without a gate does when it is slower than its market: keep up with the newest of each instrument.

vnpy's wrapper queues whatever the library calls back, without a bound, and nobody can look into that queue. But what
waits there is memory, and of one allocator (`MALLOC_ARENA_MAX=1`): its growth above the least of the last minute is the
backlog. It is large where it would take too long to be made up, and sooner where it rises without a pause: after a
pause of a busy machine it falls. While it is large, a tick of an instrument passes at most every `PAUSE_NS`; what comes
between is held back, the newest in place of the one before, and each says for how many it stands. That costs a fraction
of a conversion.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Mapping
from sys import getsizeof
from typing import Any, Final, NamedTuple

__all__ = ["Backlog", "Held", "Shed", "allocated_bytes"]

PAUSE_NS: Final = 100_000_000
_HIGH_BYTES: Final = 4 << 20  # some 6,500 ticks
_RISING_BYTES: Final = 3 << 19  # large already where it rises: for so long without a pause, and so fast
_RISE_S: Final = 0.1
_RISE_BYTES_S: Final = 4 << 20  # some 6,500 ticks a second
_LOW_BYTES: Final = 1 << 20
_WINDOW_S: Final = 60.0
_STEP_S: Final = 1.0


class Held(NamedTuple):
    """A record, when it came, and how many right before it were dropped."""

    data: Mapping[str, Any]
    received_ns: int
    skipped: int


class Shed:
    """Of one thread at a time; times are those of receipt."""

    def __init__(self, pause_ns: int = PAUSE_NS) -> None:
        self._pause_ns = pause_ns
        self._passed: dict[str, int] = {}
        self._held: dict[str, tuple[Mapping[str, Any], int, int]] = {}  # plain: this is done 100,000 times a second

    def __len__(self) -> int:
        return len(self._held)

    def take(self, symbol: str, data: Mapping[str, Any], now_ns: int, *, shedding: bool) -> Held | None:
        """The record, if it may pass now; what was held back for it is dropped."""
        before = self._held.get(symbol)
        skipped = 0 if before is None else before[2] + 1
        if shedding and now_ns - self._passed.get(symbol, 0) < self._pause_ns:
            self._held[symbol] = data, now_ns, skipped
            return None
        if before is not None:
            del self._held[symbol]
        self._passed[symbol] = now_ns
        return Held(data, now_ns, skipped)

    def due(self, now_ns: int) -> list[Held]:
        """Take out what has been held back for long enough: nothing newer has come."""
        symbols = [symbol for symbol in self._held if now_ns - self._passed.get(symbol, 0) >= self._pause_ns]
        self._passed.update(dict.fromkeys(symbols, now_ns))
        return [Held(*self._held.pop(symbol)) for symbol in symbols]

    def all(self, now_ns: int) -> list[Held]:
        """Take out all that is held back."""
        return self.due(now_ns + self._pause_ns)

    def held_bytes(self) -> int:
        """What the records that are held back have from the C library's allocator: the tables of their dicts."""
        return len(self._held) * getsizeof(next(iter(self._held.values()))[0]) if self._held else 0


class Backlog:
    """How much waits in front of us, by what is allocated. Pure; `now` is of a steady clock, in seconds."""

    def __init__(self) -> None:
        self._least: deque[tuple[float, int]] = deque()  # of each second of the last minute
        self._rising = 0.0, 0  # the time and the size at which it began to rise
        self.size = 0  # bytes
        self.is_large = False

    def look(self, now: float, allocated: int) -> bool:
        """Whether it is large, from high water, or its rise, to low water."""
        if self._least and now - self._least[-1][0] < _STEP_S:
            began, least = self._least.pop()
            self._least.append((began, min(least, allocated)))
        else:
            self._least.append((now, allocated))
        while now - self._least[0][0] > _WINDOW_S:
            self._least.popleft()
        size = allocated - min(least for _, least in self._least)
        rises = self._rises(now, size)
        if self.is_large:
            self.is_large = size > _LOW_BYTES
        else:
            self.is_large = size > _HIGH_BYTES or (size > _RISING_BYTES and rises)
        return self.is_large

    def _rises(self, now: float, size: int) -> bool:
        """Whether it has risen from look to look, for long enough and too fast to be chance."""
        if size <= self.size:
            self._rising = now, size
        self.size = size
        began, least = self._rising
        return now - began >= _RISE_S and size - least > _RISE_BYTES_S * (now - began)


class _Mallinfo2(ctypes.Structure):
    _fields_ = [(f"field_{number}", ctypes.c_size_t) for number in range(10)]


_IN_USE: Final = "field_7"  # uordblks, of mallinfo(3)


def allocated_bytes() -> Callable[[], int] | None:
    """What tells how much is allocated from the C library; None where it cannot (before glibc 2.33)."""
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return None
    mallinfo2.restype = _Mallinfo2
    return lambda: int(getattr(mallinfo2(), _IN_USE))
