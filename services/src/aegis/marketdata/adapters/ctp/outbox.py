"""What a session's process has to say, sent from whichever thread has it, without ever blocking CTP's.

Ticks of a gate go by a socket of their own. Quotes of the wrapper come one by one, and wait in the ring. The flushing
thread sends those that came within some tenths of a millisecond together: a market ticks in bursts, and each batch
costs as much as ten quotes, here and at the other end. A burst that fills a batch sends it at once. The socket takes
what fits; while it is full, quotes stay in the ring. All else is little, goes before them, and is never left out.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from threading import Lock, Thread
from typing import Final

from aegis.contracts.market import Quote
from aegis.ctp.frames import encoded
from aegis.marketdata.adapters.ctp.frames import FromSession, Quotes
from aegis.marketdata.adapters.ctp.ring import Ring

__all__ = ["Outbox"]

_BATCH: Final = 128
_PAUSE_S: Final = 0.0004
_FULL_S: Final = 0.5  # looks at the socket again after so long at the latest


class Outbox:
    """Ends the process when nobody listens any more: a session is of no use to anybody then."""

    def __init__(self, connection: socket.socket, ring: Ring) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._ring = ring
        self._lock = Lock()
        self._frames: deque[bytes] = deque()
        self._unsent = b""  # of a frame that was begun
        self._wake = Lock()  # free while there is something to flush
        self._wake.acquire()
        self._asleep = True
        Thread(target=self._keep_flushing, name="outbox", daemon=True).start()

    def __len__(self) -> int:
        """Quotes that wait."""
        return len(self._ring)

    def quote(self, quote: Quote) -> None:
        """From CTP's thread: never blocks."""
        with self._lock:
            self._ring.append(quote)
            if len(self._ring) >= _BATCH:
                self._flush()
            if self._asleep:
                self._rouse()

    def say(self, frame: FromSession) -> None:
        """From any thread: never blocks."""
        body = encoded(frame)
        with self._lock:
            self._frames.append(body)
            self._flush()
            if self._asleep and (self._frames or self._unsent):
                self._rouse()

    def drain(self, timeout: float) -> None:
        """Return when all was sent, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with self._lock:
                self._flush()
                if not (self._frames or self._unsent or len(self._ring)):
                    return
            self._await_room(_PAUSE_S)

    def _rouse(self) -> None:
        self._asleep = False
        self._wake.release()

    def _keep_flushing(self) -> None:
        while True:
            self._wake.acquire()
            time.sleep(_PAUSE_S)
            while self._is_full():
                self._await_room(_FULL_S)

    def _is_full(self) -> bool:
        """Send what there is. If all of it was taken, whoever has more must rouse the flushing thread."""
        with self._lock:
            self._flush()
            self._asleep = not self._unsent
            return not self._asleep

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
