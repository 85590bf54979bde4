"""A TCP line to a server that a test can cut, with or without its ends being told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Final, Literal

Way = Literal["forth", "back"]  # towards the server, and from it
_HOST: Final = "127.0.0.1"


class Line:
    """Threads of its own carry what comes. Use as a context manager."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._deaf: frozenset[Way] = frozenset()
        self._is_cut = False
        self._listener = socket.create_server((_HOST, 0))
        self.port: Final[int] = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # else its thread waits on
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End all connections, and each new one."""
        with self._lock:
            self._is_cut = True
        self._end_all()

    def lose(self, *ways: Way) -> None:
        """What is sent there is lost from now on; connections seem to stand, new ones too."""
        with self._lock:
            self._deaf = frozenset(ways)

    def heal(self) -> None:
        """Connections that have lost something end; new ones are as they should be."""
        with self._lock:
            self._is_cut, was_deaf, self._deaf = False, bool(self._deaf), frozenset()
        if was_deaf:
            self._end_all()

    def _end_all(self) -> None:
        with self._lock:
            ended, self._sockets = self._sockets, set()
        for one in ended:
            _end(one)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((_HOST, self._target))
            except OSError:
                near.close()
                continue
            with self._lock:
                is_cut = self._is_cut
                self._sockets |= {near, far}
            if is_cut:
                self._end_all()
                continue
            threading.Thread(target=self._carry, args=(near, far, "forth"), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, "back"), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, way: Way) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                with self._lock:
                    is_lost = way in self._deaf
                if not is_lost:
                    target.sendall(data)
        with self._lock:
            self._sockets -= {source, target}
        for one in (source, target):
            _end(one)


def _end(one: socket.socket) -> None:
    """Closing alone would leave a thread that reads from it waiting."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
