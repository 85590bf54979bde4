"""The ring of a session without a gate: quotes that wait for the service, bounded, never blocking the wrapper's thread.

First in, first out, while that is quick enough. Once the oldest has waited for too long behind many others, or the
ring is full, it *conflates*: of each instrument only the newest is kept, in the place of the one that waited, and says
how many it stands for (`skipped`). It does so until the ring is empty. So in an overload the newest quote of an
instrument waits no longer than it takes to send one of each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from aegis.contracts.market import Quote

__all__ = ["Ring"]

_MS: Final = 1_000_000

_Place = tuple[str, str]


class Ring:
    """Of one thread at a time. `ts_received_ns` of the quotes is when they came."""

    def __init__(self, size: int, backlog: int, backlog_ms: int) -> None:
        self._size = size
        self._backlog = backlog
        self._backlog_ns = backlog_ms * _MS
        self._waiting: deque[Quote] = deque()
        self._newest: dict[_Place, Quote] | None = None  # while it conflates

    def __len__(self) -> int:
        return len(self._waiting if self._newest is None else self._newest)

    def append(self, quote: Quote) -> None:
        if self._newest is not None:
            self._conflate(quote)
            return
        waiting = self._waiting
        waiting.append(quote)
        if len(waiting) > self._backlog and self._is_late(quote):
            self._newest = {}
            for each in waiting:
                self._conflate(each)
            waiting.clear()

    def take(self, limit: int) -> list[Quote]:
        """At most `limit`, the oldest first."""
        if self._newest is None:
            popleft = self._waiting.popleft
            return [popleft() for _ in range(min(limit, len(self._waiting)))]
        newest = self._newest
        taken = [newest.pop(place) for place in [*_first(newest, limit)]]
        if not newest:
            self._newest = None
        return taken

    def _is_late(self, quote: Quote) -> bool:
        full = len(self._waiting) > self._size
        return full or quote.ts_received_ns - self._waiting[0].ts_received_ns > self._backlog_ns

    def _conflate(self, quote: Quote) -> None:
        assert self._newest is not None
        place = quote.exchange, quote.symbol
        before = self._newest.get(place)
        self._newest[place] = quote if before is None else replace(quote, skipped=quote.skipped + before.skipped + 1)


def _first(places: Iterable[_Place], limit: int) -> Iterable[_Place]:
    for _, place in zip(range(limit), places, strict=False):
        yield place
