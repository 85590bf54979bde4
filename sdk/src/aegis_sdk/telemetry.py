"""Logs as key-value events: to standard error, and as the process's log tail to `log.<service>.<instance>`."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final, TextIO

import msgspec
import structlog

from aegis_sdk import subjects
from aegis_sdk.errors import AegisError
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["LogTail", "configure_logging"]

_KEPT: Final = 500
_tails: set[LogTail] = set()


def configure_logging(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Log events of `level` and above to `stream`, by default standard error: for people if it is a terminal, else as
    one JSON object a line.
    """
    out: TextIO = sys.stderr if stream is None else stream
    people = out.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(default=str)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info if not people else _as_it_is,
            _to_tails,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )


def _as_it_is(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return event


def _to_tails(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for tail in _tails:
        tail.take(event)
    return event


class LogTail:
    """Publishes the log events of this process. Those of a time without connection follow, the newest 500 of them."""

    def __init__(self, transport: Transport, service: str, instance: str) -> None:
        self._transport = transport
        self._subject = subjects.log(service, instance)
        self._waiting: deque[bytes] = deque(maxlen=_KEPT)
        self._loop = asyncio.get_running_loop()
        self._end_listening = transport.on_state(self._on_state)
        _tails.add(self)

    def take(self, event: MutableMapping[str, Any]) -> None:
        """One log event, from any thread."""
        self._waiting.append(msgspec.json.encode(dict(event), enc_hook=str))
        with suppress(RuntimeError):  # the loop has ended: nothing is sent any more
            self._loop.call_soon_threadsafe(self._send)

    def _send(self) -> None:
        while self._waiting and self._transport.state is ConnectionState.CONNECTED:
            line = self._waiting.popleft()
            try:
                self._transport.publish(self._subject, line)
            except AegisError:
                return  # a log line about a log line that could not be sent would never end

    def _on_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTED:
            self._send()

    def close(self) -> None:
        _tails.discard(self)
        self._end_listening()
