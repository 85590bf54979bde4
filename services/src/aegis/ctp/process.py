"""What the process of a CTP session does whatever it is for: begin by its parent's word, and end for certain."""

from __future__ import annotations

import signal
import socket
from typing import Any, Final, TypeVar

import msgspec

from aegis.ctp.frames import Reassembly

__all__ = ["connected", "end_within", "first"]

_CHUNK: Final = 1 << 16

Start = TypeVar("Start")


def connected(descriptor: str) -> socket.socket:
    """To the parent, which alone stops us, in order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    return socket.socket(fileno=int(descriptor))


def first(connection: socket.socket, decoder: msgspec.msgpack.Decoder[Any], kind: type[Start]) -> Start:
    """The parent's first word. Raises SystemExit where it has ended instead."""
    incoming = Reassembly()
    while data := connection.recv(_CHUNK):
        for body in incoming.take(data):
            frame = decoder.decode(body)
            assert isinstance(frame, kind)
            return frame
    raise SystemExit(0)


def end_within(seconds: float) -> None:
    """By the kernel, also while CTP holds Python's lock."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
