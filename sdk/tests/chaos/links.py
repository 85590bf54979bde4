"""TCP connections that lead through us, so that each direction can be cut without the ends being told."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import Final, cast

from aegis_sdk.server.ports import HOST


class Flow(Enum):
    """What becomes of the bytes of one direction."""

    PASS = auto()
    HOLD = auto()  # they wait, as TCP does when packets are lost; delivered once the link is healed
    LATE = auto()  # they arrive, LATE_S after they should
    DROP = auto()  # they are gone, and with them, once the link is healed, their connection


LATE_S: Final = 0.7
"""Longer than a write to the ledger is waited for, shorter than a holder is suspended."""


class Link:
    """Forwards connections from one party to one port. `forth` is towards that port, `back` from it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.forth = Flow.PASS
        self.back = Flow.PASS
        self.target_port = 0
        self.port = 0
        self._listener: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()

    async def open(self, target_port: int = 0) -> None:
        self.target_port = target_port
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _Pair(self).near, HOST, 0)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self.reset()

    def cut(self, forth: Flow = Flow.HOLD, back: Flow = Flow.HOLD) -> None:
        """Cut it; `PASS` for one direction cuts the other alone. New connections fare the same."""
        self.forth, self.back = forth, back
        self._apply()

    def heal(self) -> None:
        self.forth = self.back = Flow.PASS
        for pair in tuple(self._pairs):
            if pair.lost_bytes:
                pair.abort()
        self._apply()

    def reset(self) -> None:
        """Break all connections; new ones are let through."""
        for pair in tuple(self._pairs):
            pair.abort()

    def _apply(self) -> None:
        for pair in self._pairs:
            pair.near.regulate()
            pair.far.regulate()


class _Pair:
    """One connection: its near half, accepted by us, and its far half, which leads to the target."""

    def __init__(self, link: Link) -> None:
        self.link: Final = link
        self.near = _Half(self, near=True)
        self.far = _Half(self, near=False)
        self.lost_bytes = False
        self._connecting: asyncio.Task[None] | None = None

    def accepted(self) -> None:
        self.link._pairs.add(self)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.far, HOST, self.link.target_port)
        except OSError:
            self.abort()
        else:
            self.near.regulate()

    def abort(self) -> None:
        self.link._pairs.discard(self)
        if self._connecting is not None:
            self._connecting.cancel()
        for half in (self.near, self.far):
            if half.transport is not None:
                half.transport.abort()


class _Half(asyncio.Protocol):
    """Reads from one end, and writes what it reads to the other half."""

    def __init__(self, pair: _Pair, near: bool) -> None:
        self._pair = pair
        self._near = near
        self._other_is_full = False
        self._late: deque[bytes] = deque()
        self.transport: asyncio.Transport | None = None

    @property
    def _flow(self) -> Flow:
        return self._pair.link.forth if self._near else self._pair.link.back

    @property
    def _other(self) -> _Half:
        return self._pair.far if self._near else self._pair.near

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._near:
            self._pair.accepted()
        self.regulate()

    def regulate(self) -> None:
        """Read while what is read may be handed on."""
        while self._late and self._flow is not Flow.LATE:
            self._pass_late()
        if self.transport is None or self.transport.is_closing():
            return
        if self._flow is Flow.HOLD or self._other_is_full or self._other.transport is None:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._flow is Flow.DROP:
            self._pair.lost_bytes = True
        elif self._flow is Flow.LATE:
            self._late.append(data)
            asyncio.get_running_loop().call_later(LATE_S, self._pass_late)
        elif self._other.transport is not None:
            self._other.transport.write(data)

    def _pass_late(self) -> None:
        if self._late and self._other.transport is not None:
            self._other.transport.write(self._late.popleft())

    def pause_writing(self) -> None:
        self._other._other_is_full = True
        self._other.regulate()

    def resume_writing(self) -> None:
        self._other._other_is_full = False
        self._other.regulate()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._flow is Flow.DROP:
            self._pair.lost_bytes = True  # that it closed is not told either
        elif self._other.transport is not None:
            self._pair.link._pairs.discard(self._pair)
            self._other.transport.close()
        else:
            self._pair.abort()
