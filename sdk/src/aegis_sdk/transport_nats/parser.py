"""A drop-in for nats-py's protocol parser that hands messages straight to their handlers.

nats-py matches each line against six patterns, copies each message through an asyncio queue and wakes a task for it;
that is two thirds of what receiving a message costs. This parser walks a whole read at once and calls the handler of
the subscription in place. What is not a message (INFO, PING, -ERR, ...) goes to nats-py's own parser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog
from nats.errors import ProtocolError

from aegis_sdk.messages import NO_HEADERS, Message
from aegis_sdk.transport_nats.frames import parse_headers

_log = structlog.get_logger("aegis.nats")

_M, _H = ord("M"), ord("H")
_MAX_LINE_BYTES = 65_536


class ControlParser(Protocol):
    """nats-py's parser, for everything but messages."""

    def reset(self) -> None: ...

    async def parse(self, data: bytes = b"") -> None: ...


class DirectParser:
    """Calls `routes[sid]` for each message; `control` gets the other lines."""

    def __init__(self, control: ControlParser) -> None:
        self._control = control
        self._rest = b""
        self.routes: dict[int, Callable[[Message], None]] = {}

    def reset(self) -> None:
        self._rest = b""
        self._control.reset()

    async def parse(self, data: bytes = b"") -> None:
        """Take the next bytes of the connection; what is not complete waits for the next call.

        Raises ProtocolError for what is not the NATS protocol; nats-py then ends the connection.
        """
        buffer = self._rest + data if self._rest else data
        self._rest = b""
        position = 0
        while True:
            end_of_line = buffer.find(b"\r\n", position)
            if end_of_line < 0:
                if len(buffer) - position > _MAX_LINE_BYTES:
                    raise ProtocolError
                break
            if buffer[position] in (_M, _H):
                after = self._message(buffer, position, end_of_line)
                if not after:
                    break
                position = after
            else:
                line = buffer[position : end_of_line + 2]
                position = end_of_line + 2
                await self._control.parse(line)
        self._rest = buffer[position:]

    def _message(self, buffer: bytes, position: int, end_of_line: int) -> int:
        """Deliver the MSG or HMSG that starts at `position`; where the next frame starts, 0 if it is incomplete."""
        fields = buffer[position:end_of_line].split()
        start = end_of_line + 2
        try:
            sid, end = int(fields[2]), start + int(fields[-1])
            header_end = start + int(fields[-2]) if buffer[position] == _H else start
        except (ValueError, IndexError) as error:
            raise ProtocolError from error
        if end + 2 > len(buffer):
            return 0
        route = self.routes.get(sid)
        if route is None:
            return end + 2
        headers = parse_headers(buffer[start:header_end]) if header_end > start else NO_HEADERS
        reply = fields[3].decode() if len(fields) == (6 if header_end > start else 5) else ""
        try:
            route(Message(fields[1].decode(), buffer[header_end:end], headers, reply))
        except Exception:
            _log.exception("handler_failed", subject=fields[1].decode())
        return end + 2
