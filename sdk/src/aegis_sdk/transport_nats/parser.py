"""A drop-in for nats-py's protocol parser that hands messages straight to their handlers.

nats-py matches each line against six patterns, copies each message through an asyncio queue and wakes a task for it;
that is two thirds of what receiving a message costs. This parser walks a whole read at once and calls the handler of
the subscription in place. What is not a message (INFO, PING, -ERR, ...) goes to nats-py's own parser.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

import structlog
from nats.errors import ProtocolError

from aegis_sdk.messages import NO_HEADERS, Message
from aegis_sdk.transport import Handler
from aegis_sdk.transport_nats.frames import parse_headers

_log = structlog.get_logger("aegis.nats")

_M, _H = ord("M"), ord("H")
_MAX_LINE_BYTES: Final = 65_536

_with_headers = re.compile(rb"HMSG (\S+) (\d+) (?:(\S+) )??(\d+) (\d+)\r\n").match
_without = re.compile(rb"MSG (\S+) (\d+) (?:(\S+) )??(\d+)\r\n").match
"""Subject, subscription, perhaps a reply subject, perhaps the size of the headers, size of headers and payload."""


class ControlParser(Protocol):
    """nats-py's parser, for everything but messages."""

    def reset(self) -> None: ...

    async def parse(self, data: bytes = b"") -> None: ...


class DirectParser:
    """Calls the handler of its subscription for each message; `control` gets the other lines."""

    def __init__(self, control: ControlParser) -> None:
        self._control = control
        self._rest = b""
        self._handlers: dict[bytes, Handler] = {}

    def route(self, sid: int, handler: Handler) -> None:
        """Call `handler` for the messages of a subscription."""
        self._handlers[b"%d" % sid] = handler

    def forget(self, sid: int) -> None:
        """Pass over the messages of a subscription."""
        self._handlers.pop(b"%d" % sid, None)

    def reset(self) -> None:
        self._rest = b""
        self._control.reset()

    async def parse(self, data: bytes = b"") -> None:
        """Take the next bytes of the connection; what is not complete waits for the next call.

        Raises ProtocolError for what is not the NATS protocol; nats-py then ends the connection.
        """
        buffer = self._rest + data if self._rest else data
        self._rest = b""
        position = self._messages(buffer, 0)
        while (end_of_line := buffer.find(b"\r\n", position)) >= 0:
            if buffer[position] in (_M, _H):
                if not (_with_headers(buffer, position) or _without(buffer, position)):
                    raise ProtocolError
                break  # a message that is not complete
            await self._control.parse(buffer[position : end_of_line + 2])
            position = self._messages(buffer, end_of_line + 2)
        if end_of_line < 0 and len(buffer) - position > _MAX_LINE_BYTES:
            raise ProtocolError
        self._rest = buffer[position:]

    def _messages(self, buffer: bytes, position: int) -> int:
        """Deliver the complete messages from `position` on; where they end."""
        handlers, size = self._handlers, len(buffer)
        while position < size:
            if buffer[position] == _H:
                frame = _with_headers(buffer, position)
                if frame is None:
                    break
                subject, sid, reply, header_bytes, total = frame.groups()
                payload_at = frame.end() + int(header_bytes)
            else:
                frame = _without(buffer, position)
                if frame is None:
                    break
                subject, sid, reply, total = frame.groups()
                payload_at = frame.end()
            end = frame.end() + int(total)
            if end + 2 > size:
                break
            position = end + 2
            handler = handlers.get(sid)
            if handler is None:
                continue
            start = frame.end()
            headers = parse_headers(buffer[start:payload_at]) if payload_at > start else NO_HEADERS
            try:
                handler(Message(subject.decode(), buffer[payload_at:end], headers, reply.decode() if reply else ""))
            except Exception:
                _log.exception("handler_failed", subject=subject.decode())
        return position
