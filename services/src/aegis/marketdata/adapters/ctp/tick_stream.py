"""The socket to which a session's gate writes its ticks, as the service reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aegis.marketdata.adapters.ctp.gate import TICK_BYTES

__all__ = ["TickStream"]


class TickStream(asyncio.Protocol):
    """`came` is called with a whole number of ticks, `ended` once there are no more. Made in the event loop."""

    def __init__(self, came: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._came = came
        self._ended = ended
        self._begun = b""  # of a tick
        self.over = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        data = self._begun + data
        whole = len(data) - len(data) % TICK_BYTES
        self._begun = data[whole:]
        if whole:
            self._came(data[:whole])

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set()
        self._ended()
