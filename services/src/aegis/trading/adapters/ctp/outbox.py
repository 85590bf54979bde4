"""What a trading session's process has to say: all of it, in its order, without ever blocking CTP's thread."""

from __future__ import annotations

import os
import socket
import time
from queue import Full, Queue
from threading import Thread
from typing import Final

import msgspec

from aegis.ctp.frames import encoded

__all__ = ["Outbox"]

_MOST: Final = 200_000
"""Frames that may wait, some 100 MB: the whole day of a busy account, replayed while nobody listens."""
_LOOK_S: Final = 0.005


class Outbox:
    """Ends the process when nobody listens any more, or when too much waits: what is lost here no one would miss.

    The session that follows hears all of it again.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(True)
        self._socket = connection
        self._waiting: Queue[bytes] = Queue(_MOST)
        Thread(target=self._keep_sending, name="outbox", daemon=True).start()

    def say(self, frame: msgspec.Struct) -> None:
        try:
            self._waiting.put_nowait(encoded(frame))
        except Full:
            os._exit(1)

    def drain(self, timeout: float) -> None:
        """Return when all was sent, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(_LOOK_S)

    def _keep_sending(self) -> None:
        while True:
            body = self._waiting.get()
            try:
                self._socket.sendall(body)
            except OSError:  # our parent has ended
                os._exit(0)
            self._waiting.task_done()
