"""What a directory knows: the state that the decisions of `liveness` read and change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from aegis_sdk.instances import Heartbeat, Instance, InstanceRecord, InstanceStatus
from aegis_sdk.liveness_events import Name
from aegis_sdk.patience import Patience

__all__ = ["Entry", "Phase", "Table"]

_UNCONFIRMED_S: Final = 1.0


class Phase(Enum):
    UNCONFIRMED = 1
    PRESENT = 2
    DEPARTED = 3


@dataclass(slots=True)
class Entry:
    """What is known under one name. Times ending in `_at` are on the listening clock."""

    record: InstanceRecord | None
    heard_at: float
    heard: float  # the same in real time
    revision: int = 0
    phase: Phase = Phase.UNCONFIRMED
    status: InstanceStatus = InstanceStatus.STARTING
    sequence: int = 0
    suspected_at: float | None = None  # when it was first asked since it was last heard
    asked_at: float = 0.0  # the last time
    refusal: int = 0  # the number of the one that is being confirmed
    refused_at: float = 0.0
    stranger: Heartbeat | None = None  # of an incarnation that is not the record's
    stranger_at: float = 0.0
    fetch_at: float = 0.0

    def instance(self, now: float) -> Instance:
        assert self.record is not None
        return Instance(self.record, self.status, now - self.heard, self.phase is Phase.PRESENT)


@dataclass
class Table:
    """The state of `step`. `now` is that of its making, then of the last tick."""

    now: float
    patience: Patience = field(default_factory=Patience)
    connected: bool = True
    caught_up: bool = False
    position: float = 0.0  # of the listening clock
    heard_to: float = 0.0  # up to here everything has been heard
    refusals: int = 0  # so many were begun to be confirmed; the last one's number
    certain_at: float = field(init=False)  # the same in real time
    settled_at: float = field(init=False)
    entries: dict[Name, Entry] = field(init=False, default_factory=dict[Name, Entry])

    def __post_init__(self) -> None:
        self.certain_at = self.settled_at = self.now

    def age_s(self, now: float) -> float:
        """Seconds since it was last certain that everything said had been heard."""
        return now - self.certain_at

    def listening(self, now: float) -> bool:
        return self.connected and now >= self.settled_at

    def position_at(self, now: float) -> float:
        """Of the listening clock: a gap in our own ticks counts as two of them."""
        if not self.listening(now):
            return self.position
        return self.position + min(now - self.now, 2 * self.patience.tick_s)

    def suspicious_s(self, entry: Entry) -> float:
        assert entry.record is not None
        patience = self.patience
        return max(patience.missed * entry.record.heartbeat_s + patience.margin_s, patience.suspicious_s)

    def final_s(self, entry: Entry) -> float:
        if entry.phase is Phase.UNCONFIRMED:
            return _UNCONFIRMED_S
        return self.suspicious_s(entry) + self.patience.silence_s - self.patience.suspicious_s

    def instances(self, now: float, service: str | None, unconfirmed: bool) -> Iterable[Instance]:
        for name, entry in self.entries.items():
            shown = entry.phase is Phase.PRESENT or (unconfirmed and entry.phase is Phase.UNCONFIRMED)
            if shown and entry.record is not None and (service is None or name[0] == service):
                yield entry.instance(now)
