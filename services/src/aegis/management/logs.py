"""The log events of all processes, kept for an hour in the stream LOGS, which whoever shows them makes.

Each process has its own last 1,000: one that tells much takes nothing from the others.
"""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, JsonValue

from aegis.management.stored import pages_back
from aegis_sdk import codec, subjects
from aegis_sdk.errors import CodecError
from aegis_sdk.instances import masked
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import StreamConfig, Transport

__all__ = ["LOGS", "LogEntry", "LogLine", "Wanted", "entry_of", "latest", "logs_stream"]

LOGS: Final = "LOGS"
_MOST_BYTES: Final = 64 << 20
_MOST_OF_A_PROCESS: Final = 1_000
_MOST_LOOKED: Final = 10_000
_FIRST_PAGE: Final = timedelta(minutes=1)


class LogLine(BaseModel):
    """A log event; what else it says are fields of its own, secrets masked."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]  # pyright: ignore[reportIncompatibleVariableOverride]

    event: str = ""
    level: str = ""
    timestamp: str = ""


class LogEntry(BaseModel):
    """A log event with its place in the stream, and who told it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sequence": 812,
                    "service": "marketdata",
                    "instance": "marketdata-1",
                    "line": {
                        "event": "session_changed",
                        "level": "info",
                        "timestamp": "2026-11-28T01:00:00Z",
                        "state": "up",
                    },
                }
            ]
        }
    )

    sequence: int
    service: str
    instance: str
    line: LogLine


class Wanted(NamedTuple):
    """Which events; what is empty stands for any."""

    service: str = ""
    instance: str = ""
    level: str = ""
    text: str = ""

    def read(self, message: StoredMessage) -> LogEntry | None:
        """The event of a message, if it is one of these."""
        entry = entry_of(message)
        return entry if entry is not None and self._fits(entry) else None

    def _fits(self, entry: LogEntry) -> bool:
        return self.level in ("", entry.line.level) and self.text.lower() in _said(entry.line).lower()


def _said(line: LogLine) -> str:
    """As people see it: the event, and each field of its own as name=value; then what all have."""
    usual = {"level": line.level, "timestamp": line.timestamp}
    fields = ((line.model_extra or {}) | usual).items()
    texts = (f"{name}={one if isinstance(one, str) else codec.encode_json(one).decode()}" for name, one in fields)
    return " ".join((line.event, *texts))


def logs_stream(replicas: int) -> StreamConfig:
    return StreamConfig(
        name=LOGS,
        subjects=[subjects.log(subjects.ANY, subjects.ANY)],
        replicas=replicas,
        max_bytes=_MOST_BYTES,
        max_age_s=3_600,
        max_per_subject=_MOST_OF_A_PROCESS,
        persist_async=replicas == 1,
    )


def entry_of(message: StoredMessage) -> LogEntry | None:
    """None for what is no log event."""
    try:
        line = codec.decode_json(message.payload)
    except CodecError:
        return None
    if not isinstance(line, dict):
        return None
    _, service, instance = subjects.split(message.subject)
    named: dict[str, Any] = {**line}
    for name in LogLine.model_fields:
        named[name] = str(named.get(name, ""))
    shown = LogLine.model_validate(masked(named))
    return LogEntry(sequence=message.sequence, service=service, instance=instance, line=shown)


async def latest(transport: Transport, wanted: Wanted, now: datetime, limit: int) -> list[LogEntry]:
    """The last events that fit, the latest first; of 10,000 that are looked at."""
    subject = subjects.log(wanted.service or subjects.ANY, wanted.instance or subjects.ANY)
    found, looked = list[LogEntry](), 0
    pages = pages_back(transport, LOGS, subject, now, _FIRST_PAGE, _MOST_LOOKED, wanted.read)
    async with aclosing(pages):
        async for page in pages:
            looked += page.looked
            found += reversed(page.found)
            if len(found) >= limit or looked >= _MOST_LOOKED:
                break
    return found[:limit]
