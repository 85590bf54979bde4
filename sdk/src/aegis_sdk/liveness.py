"""Who is alive: the decisions of a directory, without a clock, a connection or a task.

`step(table, event, now)` changes the table and says what to do. Silence is measured on a *listening clock*, which goes
only while we could have heard: it stands still while our connection is away and for a second after it came back, and
a gap in our own ticks counts as one short tick. How far we have heard, echoes tell: each tick sends one to ourselves
through the server, and what returns proves that everything before it has been heard. So whatever makes us deaf or late
delays suspicion by as long, and never causes it.

                      heartbeat
    UNCONFIRMED ------------------> PRESENT <---------- heartbeat -----------+
    (a record was read) \\              | refused twice, silent too long,     |
                         \\             v or its last heartbeat (then dropped) |
                          +--------> DEPARTED --------------------------------+ --> dropped after a minute

Suspicion (two heartbeats missing) asks the instance itself. "Nobody serves this" twice, 100 ms apart: its process is
gone. No answer: it is stopped or hangs, and leaves 0.9 s later. A heartbeat at any time ends suspicion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from aegis_sdk.instances import Changed, Heartbeat, Instance, InstanceRecord, InstanceStatus, Joined, Left, Reason
from aegis_sdk.liveness_events import (
    Action,
    Answered,
    CaughtUp,
    Connected,
    Disconnected,
    Echoed,
    Event,
    Fetch,
    Forgotten,
    Heard,
    Name,
    Probe,
    Recorded,
    Refused,
    SendEcho,
    Ticked,
    Unanswered,
)

__all__ = ["PROBE_TIMEOUT_S", "TICK_S", "Table", "step"]

TICK_S: Final = 0.05
PROBE_TIMEOUT_S: Final = 0.9

_LONGEST_TICK_S: Final = 0.1
_SETTLE_S: Final = 1.0
_MARGIN_S: Final = 0.1
_LEAST_SUSPICION_S: Final = 0.4  # above the worst gap of a healthy event loop on a starved machine
_UNCONFIRMED_S: Final = 1.0
_PROBE_PATIENCE_S: Final = 0.4  # silence is final only after a probe had this long to be answered
_REFUSALS: Final = 2
_REFUSED_AGAIN_S: Final = 0.1
_WATCH_LAG_S: Final = 0.2  # a record may be on its way while the first heartbeat is here
_FETCH_AGAIN_S: Final = 1.0
_RETAIN_S: Final = 60.0

_NOTHING: Final[tuple[Action, ...]] = ()


class _Phase(Enum):
    UNCONFIRMED = 1
    PRESENT = 2
    DEPARTED = 3


@dataclass(slots=True)
class _Entry:
    """What is known under one name. Times ending in `_at` are on the listening clock."""

    record: InstanceRecord | None
    heard_at: float
    heard: float  # the same in real time
    revision: int = 0
    phase: _Phase = _Phase.UNCONFIRMED
    status: InstanceStatus = InstanceStatus.STARTING
    sequence: int = 0
    probing: bool = False
    probed_at: float | None = None  # since it was last heard
    refusals: int = 0
    stranger: Heartbeat | None = None  # of an incarnation that is not the record's
    stranger_at: float = 0.0
    fetch_at: float = 0.0

    def instance(self, now: float) -> Instance:
        assert self.record is not None
        return Instance(self.record, self.status, now - self.heard, self.phase is _Phase.PRESENT)

    @property
    def suspicious_s(self) -> float:
        assert self.record is not None
        return max(2 * self.record.heartbeat_s + _MARGIN_S, _LEAST_SUSPICION_S)

    @property
    def final_s(self) -> float:
        return _UNCONFIRMED_S if self.phase is _Phase.UNCONFIRMED else self.suspicious_s + PROBE_TIMEOUT_S


@dataclass
class Table:
    """The state of `step`. `now` is that of its making."""

    now: float
    connected: bool = True
    caught_up: bool = False
    position: float = 0.0  # of the listening clock
    heard_to: float = 0.0  # up to here everything has been heard
    certain_at: float = field(init=False)  # the same in real time
    settled_at: float = field(init=False)
    entries: dict[Name, _Entry] = field(init=False, default_factory=dict[Name, _Entry])

    def __post_init__(self) -> None:
        self.certain_at = self.settled_at = self.now

    def age_s(self, now: float) -> float:
        """Seconds since it was last certain that everything said had been heard."""
        return now - self.certain_at

    def instances(self, now: float, service: str | None, unconfirmed: bool) -> Iterable[Instance]:
        for name, entry in self.entries.items():
            shown = entry.phase is _Phase.PRESENT or (unconfirmed and entry.phase is _Phase.UNCONFIRMED)
            if shown and entry.record is not None and (service is None or name[0] == service):
                yield entry.instance(now)


def step(table: Table, event: Event, now: float) -> Sequence[Action]:
    """Take one event. `now` is seconds of any clock that does not go back."""
    match event:
        case Heard(name, beat):
            return _hear(table, name, beat, now)
        case Ticked():
            return _tick(table, now)
        case Echoed():
            return _echo(table, event, now)
        case Recorded():
            return _record(table, event, now)
        case Forgotten(name):
            _forget(table, name)
        case Answered(name):
            return _answered(table, name, now)
        case Refused(name):
            return _refused(table, name, now)
        case Unanswered(name):
            _end_probe(table, name)
        case Connected():
            table.connected, table.settled_at = True, now + _SETTLE_S
        case Disconnected():
            table.connected = False
        case CaughtUp():
            table.caught_up = True
    return _NOTHING


# The listening clock


def _listening(table: Table, now: float) -> bool:
    return table.connected and now >= table.settled_at


def _tick(table: Table, now: float) -> Sequence[Action]:
    gap, table.now = now - table.now, now
    if _listening(table, now):
        table.position += min(gap, _LONGEST_TICK_S)
    return (SendEcho(table.position, now),) if table.connected else _NOTHING


def _echo(table: Table, echo: Echoed, now: float) -> Sequence[Action]:
    if not _listening(table, now):
        return _NOTHING
    table.heard_to = max(table.heard_to, echo.position)
    table.certain_at = max(table.certain_at, echo.sent_at)
    actions: list[Action] = []
    for name, entry in tuple(table.entries.items()):
        if entry.stranger is not None:
            actions += _look_into_stranger(table, name, entry)
        if table.heard_to - entry.heard_at > _LEAST_SUSPICION_S:
            actions += _look_into_silence(table, name, entry, now)
    return actions


# Heartbeats and records


def _hear(table: Table, name: Name, beat: Heartbeat, now: float) -> Sequence[Action]:
    entry = table.entries.get(name)
    if entry is None:
        entry = table.entries[name] = _Entry(None, table.position, now)
    if entry.record is None or entry.record.incarnation != beat.incarnation:
        _hear_stranger(table, entry, beat)
        return _NOTHING
    _listen_to(table, entry, now)
    if beat.sequence <= entry.sequence:  # overtaken by a later one
        return _enter(entry, now)
    entry.sequence = beat.sequence
    if beat.status is InstanceStatus.GONE:
        drained = entry.status is InstanceStatus.DRAINING
        del table.entries[name]
        return _leave(entry, Reason.DRAINED if drained else Reason.STOPPED, now)
    if beat.status is entry.status:
        return _enter(entry, now)
    before, entry.status = entry.instance(now), beat.status
    return (Changed(entry.instance(now), before),) if entry.phase is _Phase.PRESENT else _enter(entry, now)


def _listen_to(table: Table, entry: _Entry, now: float) -> None:
    entry.heard_at, entry.heard = table.position, now
    entry.probed_at, entry.refusals = None, 0


def _enter(entry: _Entry, now: float) -> Sequence[Action]:
    if entry.phase is _Phase.PRESENT:
        return _NOTHING
    entry.phase = _Phase.PRESENT
    return (Joined(entry.instance(now)),)


def _leave(entry: _Entry, reason: Reason, now: float) -> Sequence[Action]:
    """Take it out; nobody is told of one that never was in."""
    was_present, instance = entry.phase is _Phase.PRESENT, entry.instance(now)
    entry.phase = _Phase.DEPARTED
    return (Left(instance, reason),) if was_present else _NOTHING


def _hear_stranger(table: Table, entry: _Entry, beat: Heartbeat) -> None:
    if beat.status is InstanceStatus.GONE:
        entry.stranger = None
        return
    if entry.stranger is None:
        entry.fetch_at = table.position + _WATCH_LAG_S
    entry.stranger, entry.stranger_at = beat, table.position


def _look_into_stranger(table: Table, name: Name, entry: _Entry) -> Sequence[Action]:
    """The record tells who is right; one that is not heard any more need not be known."""
    if table.heard_to - entry.stranger_at > _FETCH_AGAIN_S:
        entry.stranger = None
    elif table.caught_up and table.heard_to >= entry.fetch_at:
        entry.fetch_at = table.heard_to + _FETCH_AGAIN_S
        return (Fetch(name),)
    return _NOTHING


def _record(table: Table, event: Recorded, now: float) -> Sequence[Action]:
    record = event.record
    name = (record.service, record.instance)
    entry = table.entries.get(name)
    if entry is None:
        entry = table.entries[name] = _Entry(None, table.position, now)
    if event.fetched and entry.record is not None and event.revision <= entry.revision:
        return _NOTHING
    known, entry.revision = entry.record, event.revision
    if known is None or known.incarnation != record.incarnation:
        return _begin(table, name, entry, record, now)
    before, entry.record = entry.instance(now), record
    told = entry.phase is not _Phase.PRESENT or known.model_copy(update={"status": record.status}) == record
    return _NOTHING if told else (Changed(entry.instance(now), before),)


def _begin(table: Table, name: Name, entry: _Entry, record: InstanceRecord, now: float) -> Sequence[Action]:
    """An incarnation that was not known: it is in when its heartbeat is heard, which may have overtaken the record."""
    actions = _NOTHING if entry.record is None else _leave(entry, Reason.REPLACED, now)
    entry.record, entry.status, entry.sequence = record, record.status, 0
    entry.phase = _Phase.UNCONFIRMED
    _listen_to(table, entry, now)
    stranger, entry.stranger = entry.stranger, None
    if stranger is not None and stranger.incarnation == record.incarnation:
        return (*actions, *_hear(table, name, stranger, now))
    return actions


def _forget(table: Table, name: Name) -> None:
    entry = table.entries.get(name)
    if entry is not None and entry.phase is not _Phase.PRESENT and entry.stranger is None:
        del table.entries[name]


# Silence


def _look_into_silence(table: Table, name: Name, entry: _Entry, now: float) -> Sequence[Action]:
    silence = table.heard_to - entry.heard_at
    if entry.record is None or entry.phase is _Phase.DEPARTED:
        if entry.stranger is None and (entry.record is None or silence > _RETAIN_S):
            del table.entries[name]
        return _NOTHING
    if silence < entry.suspicious_s:
        return _NOTHING
    patience = None if entry.probed_at is None else table.heard_to - entry.probed_at
    if patience is not None and patience >= _PROBE_PATIENCE_S and silence >= entry.final_s:
        return _leave(entry, Reason.SILENT, now)
    if entry.probing or (patience is not None and patience < _PROBE_PATIENCE_S):
        return _NOTHING
    entry.probing, entry.probed_at = True, table.position
    return (Probe(name, 0.0),)


def _end_probe(table: Table, name: Name) -> _Entry | None:
    entry = table.entries.get(name)
    if entry is not None:
        entry.probing = False
    return entry


def _answered(table: Table, name: Name, now: float) -> Sequence[Action]:
    entry = _end_probe(table, name)
    if entry is None or entry.record is None or entry.phase is _Phase.DEPARTED:
        return _NOTHING
    _listen_to(table, entry, now)
    return _enter(entry, now)


def _refused(table: Table, name: Name, now: float) -> Sequence[Action]:
    entry = _end_probe(table, name)
    if entry is None or entry.record is None or entry.phase is _Phase.DEPARTED or not _listening(table, now):
        return _NOTHING
    # One that starts does not serve yet. One that was heard since is not suspected any more.
    if entry.status is InstanceStatus.STARTING or table.heard_to - entry.heard_at < entry.suspicious_s:
        return _NOTHING
    entry.refusals += 1
    if entry.refusals >= _REFUSALS:
        return _leave(entry, Reason.KILLED, now)
    entry.probing = True
    return (Probe(name, _REFUSED_AGAIN_S),)
