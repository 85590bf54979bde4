"""Free ports on 127.0.0.1, and a clear word about those that are not."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from typing import Final

from aegis_sdk.errors import ServerError

HOST: Final = "127.0.0.1"
_RANGE: Final = range(20_000, 32_000)
"""Below the ports that Linux and macOS hand to outgoing connections, so that none of those takes one of ours."""
_ATTEMPTS: Final = 1_000


def require_free(ports: Iterable[int]) -> None:
    """Raise a ServerError that names the first port on which somebody listens."""
    for port in ports:
        with ExitStack() as held:
            if not _bind(port, held):
                raise ServerError(
                    f"port {port} of {HOST} is in use: stop the program that listens there "
                    f"(ss -ltnp 'sport = :{port}' shows it) or choose another port"
                )


def pick(count: int, avoid: Collection[int] = ()) -> list[int]:
    """Different ports that are free now. Whether they still are at the server's start, only that start tells."""
    found: list[int] = []
    with ExitStack() as held:
        for port in random.sample(_RANGE, _ATTEMPTS):
            if len(found) == count:
                return found
            if port not in avoid and _bind(port, held):
                found.append(port)
    raise ServerError(f"no {count} free ports between {_RANGE.start} and {_RANGE.stop}")


def _bind(port: int, held: ExitStack) -> bool:
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: TIME_WAIT is no obstacle
    try:
        listener.bind((HOST, port))
    except OSError:
        return False
    return True
