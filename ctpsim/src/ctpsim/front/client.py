"""One connection of a client's library to the front."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, cast

import structlog

from aegis_sdk.errors import CodecError
from ctpsim.frames import Kind, Reassembly, Request, Resume, Side, Topics, drop, topics

__all__ = ["QUEUE_BYTES", "Client"]

_log = structlog.get_logger("ctpsim")

QUEUE_BYTES: Final = 2 << 20
"""What waits for a client at most: some 3,500 ticks. What comes on top of it is counted and forgotten."""
_SEND_BUFFER: Final = 256 * 1024
_RESUMED_AT: Final = 64 * 1024
_NO_TOPICS: Final = Topics(Resume.UNASKED, "", 0)

OnRequest = Callable[["Client", Request], None]
OnClient = Callable[["Client"], None]


class Client(asyncio.Protocol):
    """Bytes in, bytes out. Who it is and what it may is known to the side that it came to."""

    def __init__(self, side: Side, front: int, on_made: OnClient, on_request: OnRequest, on_lost: OnClient) -> None:
        self.side: Side = side
        self.front = front  # by which it came
        self.session_id = 0
        self.user_id = ""
        self.topics = _NO_TOPICS
        self.sent: Counter[str] = Counter()
        self.unsent: Counter[str] = Counter()
        self._on_made = on_made
        self._on_request = on_request
        self._on_lost = on_lost
        self._incoming = Reassembly()
        self._transport: asyncio.Transport | None = None
        self._has_room = asyncio.Event()
        self._has_room.set()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    # From the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=QUEUE_BYTES, low=_RESUMED_AT)
        made = cast("socket.socket | None", transport.get_extra_info("socket"))
        if made is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._on_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._has_room.set()
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        try:
            for request in self._incoming.take(data):
                if request.kind == Kind.TOPICS:
                    self.topics = topics(request.data)
                else:
                    self._on_request(self, request)
        except CodecError as error:
            _log.warning("client_not_understood", problem=str(error))
            self.close()

    def pause_writing(self) -> None:
        self._has_room.clear()

    def resume_writing(self) -> None:
        self._has_room.set()

    # To the client

    def send(self, frame: bytes) -> None:
        """What it must have: answers and returns. These wait however long."""
        if self._transport is not None:
            self._transport.write(frame)

    def deliver(self, frames: bytes, symbols: Sequence[str]) -> None:
        """Ticks, of these symbols: all at once or none of them, where too much waits for it."""
        transport = self._transport
        if transport is None:
            return
        if transport.get_write_buffer_size() + len(frames) > QUEUE_BYTES:
            self.unsent.update(symbols)
            return
        transport.write(frames)
        self.sent.update(symbols)

    async def room(self) -> None:
        """Return when not much waits for it, or when it is gone."""
        await self._has_room.wait()

    def hang(self, on: bool) -> None:
        """Read nothing that it sends, or read on."""
        if self._transport is not None:
            (self._transport.pause_reading if on else self._transport.resume_reading)()

    def drop(self, reason: int) -> None:
        """End it so that its library reports this reason."""
        self.send(drop(reason))
        self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
