"""What callers, instances, the venue and the harness write down: one JSON line an event, all times of one host's clock.

Each process appends to a file of its own without a buffer, so that a line outlives the SIGKILL that follows it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from aegis_sdk.single_active import trace

DISTANT_PAST: Final = -1e12
TRACES: Final = {each.__name__: each for each in trace.Trace.__args__}


class Outcome(StrEnum):
    """How a call ended for its caller."""

    OK = "ok"
    REJECTED = "rejected"  # a definite error
    NOT_EXECUTED = "not_executed"
    UNKNOWN = "unknown"


class Written(msgspec.Struct, frozen=True, tag_field="event"):
    """One line."""


class Sent(Written, frozen=True, tag="sent"):
    """A caller begins a call. The same `idempotency_key` again: it asks once more what became of it."""

    caller: str
    call: str
    idempotency_key: str
    key: str
    method: str
    at: float
    timeout_s: float
    stale_ok: bool = False


class Ended(Written, frozen=True, tag="ended"):
    """The call ended. `value` is the balance that an OK answer told.

    For `kept_s` its caller could not run since it was sent: others had the processors.
    """

    caller: str
    call: str
    outcome: Outcome
    at: float
    epoch: int = 0
    sequence: int = 0
    stale: bool = False
    value: int | None = None
    code: str = ""
    kept_s: float = 0.0


class Traced(Written, frozen=True, tag="traced"):
    """A trace of a single-active host; `fields` are those of the named tuple `what`.

    For `kept_s` the process could not run since it last looked whether it is proved: others had the processors.
    """

    instance: str
    pid: int
    what: str
    fields: list[Any]
    kept_s: float = 0.0

    @classmethod
    def of(cls, instance: str, pid: int, told: trace.Trace, kept_s: float) -> Traced:
        """JSON has no infinity: a proof that there never was is one of the distant past."""
        fields = [DISTANT_PAST if each == float("-inf") else each for each in told]
        return cls(instance, pid, type(told).__name__, fields, kept_s)


class Calling(Written, frozen=True, tag="calling"):
    """A handler has its intent and its proof, and calls the venue next. `kept_s` as of a trace."""

    instance: str
    pid: int
    idempotency_key: str
    key: str
    epoch: int
    at: float
    kept_s: float = 0.0


class Commanded(Written, frozen=True, tag="commanded"):
    """A command reached the venue. `executed` is False for one that it refused as a repeat, or as voided."""

    instance: str
    pid: int
    idempotency_key: str
    key: str
    epoch: int
    executed: bool
    at: float


class Fault(Written, frozen=True, tag="fault"):
    """A fault; `whom` is an instance, a node or a link, `pid` the process that it befell, 0 where it is none."""

    what: str
    whom: str
    began: float
    ended: float
    pid: int = 0

    @property
    def at(self) -> float:
        return self.began


class Seen(msgspec.Struct, frozen=True):
    """A trace with the process that told it."""

    instance: str
    pid: int
    trace: trace.Trace
    kept_s: float = 0.0


Line = Sent | Ended | Traced | Calling | Commanded | Fault
Event = TypeVar("Event", bound=Written)
TraceKind = TypeVar("TraceKind", bound=trace.Trace)

STOPS: Final = ("SIGSTOP", "blocked", "preempted")
"""Faults in which a process stands still, and then goes on as if nothing had been."""


class Recorder:
    """Appends to one file of a history."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._encode = msgspec.json.Encoder().encode

    def write(self, line: Line) -> None:
        os.write(self._file, self._encode(line) + b"\n")

    def close(self) -> None:
        os.close(self._file)


@dataclass(frozen=True, kw_only=True)
class History:
    """All that was written down in one round, each part in order of time."""

    sent: list[Sent] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    calling: list[Calling] = field(default_factory=list)
    commanded: list[Commanded] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def traces(self, kind: type[TraceKind]) -> Iterator[tuple[Seen, TraceKind]]:
        """The traces of one kind."""
        return ((seen, seen.trace) for seen in self.seen if isinstance(seen.trace, kind))

    def became(self) -> Iterator[tuple[Seen, trace.Became]]:
        return self.traces(trace.Became)

    def stops(self, longer_than: float = 0.0) -> list[Fault]:
        return [fault for fault in self.faults if fault.what in STOPS and fault.ended - fault.began > longer_than]


def collect(lines: Iterable[Line]) -> History:
    """Sort what was written into a history."""
    history = History()
    for line in lines:
        match line:
            case Sent():
                history.sent.append(line)
            case Ended():
                history.ended.append(line)
            case Traced():
                told = msgspec.convert(line.fields, TRACES[line.what])
                history.seen.append(Seen(line.instance, line.pid, told, line.kept_s))
            case Calling():
                history.calling.append(line)
            case Commanded():
                history.commanded.append(line)
            case Fault():
                history.faults.append(line)
    for part in (history.sent, history.ended, history.calling, history.commanded, history.faults):
        part.sort(key=lambda each: each.at)
    history.seen.sort(key=lambda seen: seen.trace.at)
    return history


def load(directory: Path) -> History:
    """The history of all files in a directory. A last line that a SIGKILL cut short is left out."""
    decode = msgspec.json.Decoder(Line).decode
    texts = [path.read_bytes() for path in sorted(directory.glob("*.jsonl"))]
    return collect(decode(line) for text in texts for line in text.split(b"\n")[:-1])
