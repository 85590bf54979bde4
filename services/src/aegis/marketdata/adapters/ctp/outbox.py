"""What a session's process has to say, sent from whichever thread has it, without ever blocking CTP's.

Quotes wait in the ring and go out in batches: at once when the last batch went a millisecond ago, else by the
flushing thread a millisecond later. The socket takes what fits; while it is full, quotes stay in the ring. All else is
little and is sent before them.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from threading import Event, Lock, Thread
from typing import Final

from aegis.contracts.market import Quote
from aegis.marketdata.adapters.ctp.frames import FromSession, Quotes, encoded
from aegis.marketdata.adapters.ctp.ring import Ring

__all__ = ["Outbox"]

_BATCH: Final = 128
_PAUSE_NS: Final = 1_000_000
_PAUSE_S: Final = _PAUSE_NS / 1e9
_FULL_S: Final = 0.5  # looks at the socket again after so long at the latest
_PENDING_FRAMES: Final = 100_000


class Outbox:
    """Ends the process when nobody listens any more: a session is of no use to anybody then."""

    def __init__(self, connection: socket.socket, ring: Ring) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._ring = ring
        self._lock = Lock()
        self._frames: deque[bytes] = deque()
        self._unsent = b""  # of a frame that was begun
        self._sent_ns = 0
        self._waiting = Event()
        Thread(target=self._keep_flushing, name="outbox", daemon=True).start()

    def quote(self, quote: Quote) -> None:
        """From CTP's thread: never blocks."""
        with self._lock:
            self._ring.append(quote)
            if quote.ts_received_ns - self._sent_ns >= _PAUSE_NS or len(self._ring) >= _BATCH:
                self._sent_ns = quote.ts_received_ns
                self._flush()
            has_more = bool(len(self._ring) or self._unsent)
        if has_more and not self._waiting.is_set():
            self._waiting.set()

    def say(self, frame: FromSession) -> None:
        """From any thread: never blocks."""
        body = encoded(frame)
        with self._lock:
            if len(self._frames) < _PENDING_FRAMES:
                self._frames.append(body)
            self._flush()
            has_more = bool(self._frames or self._unsent)
        if has_more:
            self._waiting.set()

    def drain(self, timeout: float) -> None:
        """Return when all was sent, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with self._lock:
                self._flush()
                if not (self._frames or self._unsent or len(self._ring)):
                    return
            self._await_room(_PAUSE_S)

    def _keep_flushing(self) -> None:
        while True:
            self._waiting.wait()
            time.sleep(_PAUSE_S)
            with self._lock:
                self._flush()
                full = bool(self._unsent)
                if not (full or self._frames or len(self._ring)):
                    self._waiting.clear()
            if full:
                self._await_room(_FULL_S)

    def _await_room(self, timeout: float) -> None:
        select.select([], [self._socket], [], timeout)

    def _flush(self) -> None:
        """Send what the socket takes."""
        while True:
            if not self._unsent:
                self._unsent = self._next()
                if not self._unsent:
                    return
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return
            except OSError:  # nobody listens: our parent has ended
                os._exit(0)
            self._unsent = self._unsent[sent:]

    def _next(self) -> bytes:
        if self._frames:
            return self._frames.popleft()
        quotes = self._ring.take(_BATCH)
        return encoded(Quotes(quotes)) if quotes else b""
