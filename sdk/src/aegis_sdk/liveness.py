"""Who is alive: the decisions of a directory, without a clock, a connection or a task.

`step(table, event, now)` changes the table and says what to do. Silence is measured on a *listening clock*, which goes
only while we could have heard: it stands still while our connection is away and for a second after it came back, and
a gap in our own ticks counts as one short tick. How far we have heard, echoes tell: a tick sends one to ourselves
through the server, and what returns proves that everything before it has been heard. So whatever makes us deaf or late
delays suspicion by as long, and never causes it. Where an echo could decide nothing, as nobody has been silent for long
enough, it is left out, but for ten a second that keep certain that we hear.

                      heartbeat
    UNCONFIRMED ------------------> PRESENT <---------- heartbeat -----------+
    (a record was read) \\              | refused twice, silent too long,     |
                         \\             v or its last heartbeat (then dropped) |
                          +--------> DEPARTED --------------------------------+ --> dropped after a minute

Suspicion (two heartbeats missing, or a hint) asks the instance itself. "Nobody serves this" twice, 100 ms apart, with
no heartbeat between: its process is gone. A client that loses its server is back sooner, and then says so. No answer:
it is stopped or hangs, and leaves 0.9 s later. A heartbeat at any time ends suspicion. `Patience` has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aegis_sdk.instances import Changed, Heartbeat, InstanceRecord, InstanceStatus, Joined, Left, Reason
from aegis_sdk.liveness_events import (
    Action,
    Answered,
    Beat,
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
    Suspected,
    Ticked,
    Unanswered,
)
from aegis_sdk.liveness_table import Entry, Phase, Table
from aegis_sdk.patience import Patience

__all__ = ["Patience", "Table", "step"]

_WATCH_LAG_S: Final = 0.2  # a record may be on its way while the first heartbeat is here
_FETCH_AGAIN_S: Final = 1.0
_RETAIN_S: Final = 60.0
_CERTAIN_S: Final = 0.1
_NOTHING: Final[tuple[Action, ...]] = ()


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
        case Suspected(name):
            return _suspected(table, name, now)
        case Answered(name):
            return _answered(table, name, now)
        case Refused():
            return _refused(table, event, now)
        case Unanswered():
            _unanswered(table, event)
        case Connected():
            table.connected, table.settled_at = True, now + table.patience.settle_s
        case Disconnected():
            table.connected = False
        case CaughtUp():
            table.caught_up = True
    return _NOTHING


# The listening clock


def _tick(table: Table, now: float) -> Sequence[Action]:
    table.position, table.now = table.position_at(now), now
    return (SendEcho(table.position, now),) if table.connected and _needs_echo(table, now) else _NOTHING


def _needs_echo(table: Table, now: float) -> bool:
    """Whether one that is sent now may decide anything, or it is time to be certain again that we hear."""
    if table.age_s(now) > _CERTAIN_S - table.patience.tick_s / 2:  # this tick is the nearest
        return True
    return any(_may_be_judged(table, entry) for entry in table.entries.values())


def _may_be_judged(table: Table, entry: Entry) -> bool:
    """Whether an echo of this moment could find anything in it. Whoever departed is forgotten in time by any echo."""
    if entry.stranger is not None or entry.record is None:
        return True
    if entry.phase is Phase.DEPARTED:
        return False
    return entry.suspected_at is not None or table.position - entry.heard_at >= table.suspicious_s(entry)


def _echo(table: Table, echo: Echoed, now: float) -> Sequence[Action]:
    if not table.listening(now):
        return _NOTHING
    table.heard_to = max(table.heard_to, echo.position)
    table.certain_at = max(table.certain_at, echo.sent_at)
    actions: list[Action] = []
    for name, entry in tuple(table.entries.items()):
        if entry.stranger is not None:
            actions += _look_into_stranger(table, name, entry)
        if entry.suspected_at is not None or table.heard_to - entry.heard_at > table.patience.suspicious_s:
            actions += _look_into_silence(table, name, entry, now)
    return actions


# Heartbeats and records


def _hear(table: Table, name: Name, beat: Heartbeat, now: float) -> Sequence[Action]:
    entry = table.entries.get(name)
    if entry is None:
        entry = table.entries[name] = Entry(None, table.position_at(now), now)
    if entry.record is None or entry.record.incarnation != beat.incarnation:
        _hear_stranger(table, entry, beat, now)
        return _NOTHING
    _listen_to(table, entry, now)
    if beat.sequence <= entry.sequence:  # overtaken by a later one
        return _enter(entry, now)
    entry.sequence = beat.sequence
    if beat.status is InstanceStatus.GONE:
        drained = entry.status is InstanceStatus.DRAINING
        del table.entries[name]
        return _leave(entry, Reason.DRAINED if drained else Reason.STOPPED, now)
    return (*_take_status(entry, beat.status, now), Beat(name, beat))


def _take_status(entry: Entry, status: InstanceStatus, now: float) -> Sequence[Action]:
    if status is entry.status:
        return _enter(entry, now)
    before, entry.status = entry.instance(now), status
    return (Changed(entry.instance(now), before),) if entry.phase is Phase.PRESENT else _enter(entry, now)


def _listen_to(table: Table, entry: Entry, now: float) -> None:
    entry.heard_at, entry.heard = table.position_at(now), now
    entry.suspected_at, entry.refusal = None, 0


def _enter(entry: Entry, now: float) -> Sequence[Action]:
    if entry.phase is Phase.PRESENT:
        return _NOTHING
    entry.phase = Phase.PRESENT
    return (Joined(entry.instance(now)),)


def _leave(entry: Entry, reason: Reason, now: float) -> Sequence[Action]:
    """Take it out; nobody is told of one that never was in."""
    was_present, instance = entry.phase is Phase.PRESENT, entry.instance(now)
    entry.phase = Phase.DEPARTED
    return (Left(instance, reason),) if was_present else _NOTHING


def _hear_stranger(table: Table, entry: Entry, beat: Heartbeat, now: float) -> None:
    if beat.status is InstanceStatus.GONE:
        entry.stranger = None
        return
    position = table.position_at(now)
    if entry.stranger is None:
        entry.fetch_at = position + _WATCH_LAG_S
    entry.stranger, entry.stranger_at = beat, position


def _look_into_stranger(table: Table, name: Name, entry: Entry) -> Sequence[Action]:
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
        entry = table.entries[name] = Entry(None, table.position_at(now), now)
    if event.fetched and entry.record is not None and event.revision <= entry.revision:
        return _NOTHING
    known, entry.revision = entry.record, event.revision
    if known is None or known.incarnation != record.incarnation:
        return _begin(table, name, entry, record, now)
    before, entry.record = entry.instance(now), record
    told = entry.phase is not Phase.PRESENT or known.model_copy(update={"status": record.status}) == record
    return _NOTHING if told else (Changed(entry.instance(now), before),)


def _begin(table: Table, name: Name, entry: Entry, record: InstanceRecord, now: float) -> Sequence[Action]:
    """An incarnation that was not known: it is in when its heartbeat is heard, which may have overtaken the record."""
    actions = _NOTHING if entry.record is None else _leave(entry, Reason.REPLACED, now)
    entry.record, entry.status, entry.sequence = record, record.status, 0
    entry.phase = Phase.UNCONFIRMED
    _listen_to(table, entry, now)
    stranger, entry.stranger = entry.stranger, None
    if stranger is not None and stranger.incarnation == record.incarnation:
        return (*actions, *_hear(table, name, stranger, now))
    return actions


def _forget(table: Table, name: Name) -> None:
    entry = table.entries.get(name)
    if entry is not None and entry.phase is not Phase.PRESENT and entry.stranger is None:
        del table.entries[name]


# Silence


def _look_into_silence(table: Table, name: Name, entry: Entry, now: float) -> Sequence[Action]:
    silence = table.heard_to - entry.heard_at
    if entry.record is None or entry.phase is Phase.DEPARTED:
        if entry.stranger is None and (entry.record is None or silence > _RETAIN_S):
            del table.entries[name]
        return _NOTHING
    if entry.suspected_at is None:
        return _NOTHING if silence < table.suspicious_s(entry) else _ask(table, name, entry, now)
    if silence >= table.final_s(entry) and table.heard_to - entry.suspected_at >= table.patience.probed_s:
        return _leave(entry, Reason.SILENT, now)
    if entry.refusal or table.heard_to - entry.asked_at < table.patience.again_s:
        return _NOTHING
    return _ask(table, name, entry, now)


def _ask(table: Table, name: Name, entry: Entry, now: float) -> Sequence[Action]:
    entry.asked_at = table.position_at(now)
    if entry.suspected_at is None:
        entry.suspected_at = entry.asked_at
    return (Probe(name),)


def _suspected(table: Table, name: Name, now: float) -> Sequence[Action]:
    entry = _asked(table, name)
    if entry is None or entry.refusal or not table.listening(now):
        return _NOTHING
    just_asked = entry.suspected_at is not None and table.position_at(now) - entry.asked_at < table.patience.tick_s
    return _NOTHING if just_asked else _ask(table, name, entry, now)


def _asked(table: Table, name: Name) -> Entry | None:
    """Whom an answer, or the lack of one, is about; None where it does not matter any more."""
    entry = table.entries.get(name)
    return None if entry is None or entry.record is None or entry.phase is Phase.DEPARTED else entry


def _answered(table: Table, name: Name, now: float) -> Sequence[Action]:
    entry = _asked(table, name)
    if entry is None:
        return _NOTHING
    _listen_to(table, entry, now)
    return _enter(entry, now)


def _unanswered(table: Table, event: Unanswered) -> None:
    """Somebody was there to be asked: the refusal that was to be confirmed is void."""
    entry = _asked(table, event.name)
    if entry is not None and entry.refusal == event.confirms:
        entry.refusal = 0


def _refused(table: Table, event: Refused, now: float) -> Sequence[Action]:
    entry = _asked(table, event.name)
    if entry is None:
        return _NOTHING
    if not table.listening(now) or entry.status is InstanceStatus.STARTING:  # which does not serve yet
        entry.refusal = 0
        return _NOTHING
    if not entry.refusal:
        table.refusals += 1
        entry.refusal, entry.refused_at = table.refusals, table.position_at(now)
    elif entry.refusal != event.confirms:
        return _NOTHING
    doubt_s = _doubt_s(table, entry, now)
    return (Probe(event.name, doubt_s, entry.refusal),) if doubt_s > 0 else _leave(entry, Reason.KILLED, now)


def _doubt_s(table: Table, entry: Entry, now: float) -> float:
    """How long a refusal needs still to be confirmed; by then a heartbeat of one that lives has been due."""
    assert entry.record is not None
    position = table.position_at(now)
    due_at = entry.heard_at + entry.record.heartbeat_s + table.patience.margin_s
    return max(entry.refused_at + table.patience.confirm_s, due_at) - position
