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


class Reserved:
    """Ports that `pick` gives to nobody else, in whichever process, from the look at them until they are released.

    Each is held by a UDP socket of its number, beside which a server may listen, end and listen again.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def pick(self, count: int, avoid: Collection[int] = ()) -> list[int]:
        """Different ports that are free now. Programs that pick theirs in another way do not see that they are held."""
        found: list[int] = []
        with ExitStack() as looking:
            for port in random.sample(_RANGE, min(_ATTEMPTS, len(_RANGE))):
                if len(found) == count:
                    break
                if port not in avoid and _listens_nobody(port, looking) and self._hold(port):
                    found.append(port)
        if len(found) < count:
            raise ServerError(f"no {count} free ports between {_RANGE.start} and {_RANGE.stop}")
        return found

    def keep(self, ports: Iterable[int]) -> None:
        """Hold these too, as far as nobody else does."""
        for port in ports:
            self._hold(port)

    def release(self) -> None:
        for held in self._held.values():
            held.close()
        self._held.clear()

    def _hold(self, port: int) -> bool:
        if port in self._held:
            return False
        holder = socket.socket(type=socket.SOCK_DGRAM)
        try:
            holder.bind((HOST, port))
        except OSError:
            holder.close()
            return False
        self._held[port] = holder
        return True


def require_free(ports: Iterable[int]) -> None:
    """Raise a ServerError that names the first port on which somebody listens."""
    for port in ports:
        with ExitStack() as looking:
            if not _listens_nobody(port, looking):
                raise ServerError(
                    f"port {port} of {HOST} is in use: stop the program that listens there "
                    f"(ss -ltnp 'sport = :{port}' shows it) or choose another port"
                )


def pick(count: int, avoid: Collection[int] = ()) -> list[int]:
    """Different ports that are free now. Whether they still are at the server's start, only that start tells."""
    reserved = Reserved()
    try:
        return reserved.pick(count, avoid)
    finally:
        reserved.release()


def _listens_nobody(port: int, looking: ExitStack) -> bool:
    listener = looking.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: TIME_WAIT is no obstacle
    try:
        listener.bind((HOST, port))
    except OSError:
        return False
    return True
