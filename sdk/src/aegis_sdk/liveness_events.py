"""What a liveness table is told, and what it asks to be done."""

from __future__ import annotations

from typing import NamedTuple

from aegis_sdk.instances import Changed, Heartbeat, InstanceRecord, Joined, Left

Name = tuple[str, str]
"""Service and instance."""


# Told


class Connected(NamedTuple):
    pass


class Disconnected(NamedTuple):
    pass


class CaughtUp(NamedTuple):
    """All records that there were at the start have been read."""


class Ticked(NamedTuple):
    """To be given every `Patience.tick_s`."""


class Echoed(NamedTuple):
    """What SendEcho sent is back."""

    position: float
    sent_at: float


class Heard(NamedTuple):
    name: Name
    beat: Heartbeat


class Recorded(NamedTuple):
    """A record was put; `fetched` if it was asked for, and so may be older than what the watch has brought."""

    record: InstanceRecord
    revision: int
    fetched: bool = False


class Forgotten(NamedTuple):
    """A record was deleted. That says nothing about life."""

    name: Name


class Suspected(NamedTuple):
    """A hint: somebody found that nobody serves what the instance should."""

    name: Name


class Answered(NamedTuple):
    name: Name


class Refused(NamedTuple):
    """The server says that nobody serves the probe's subject; `confirms` is the probe's."""

    name: Name
    confirms: int = 0


class Unanswered(NamedTuple):
    name: Name
    confirms: int = 0


Event = (
    Connected
    | Disconnected
    | CaughtUp
    | Ticked
    | Echoed
    | Heard
    | Recorded
    | Forgotten
    | Suspected
    | Answered
    | Refused
    | Unanswered
)

# Asked


class SendEcho(NamedTuple):
    position: float
    sent_at: float


class Probe(NamedTuple):
    """Ask the instance itself, after a delay; Answered, Refused or Unanswered follows within `Patience.answer_s`.

    `confirms` is the number of the refusal that this one is to confirm, 0 where there was none.
    """

    name: Name
    delay_s: float = 0.0
    confirms: int = 0


class Fetch(NamedTuple):
    """Read the record; Recorded follows if there is one."""

    name: Name


class Beat(NamedTuple):
    """Hand on a heartbeat of the incarnation that is known; never one that a later one overtook, nor a farewell."""

    name: Name
    beat: Heartbeat


Action = SendEcho | Probe | Fetch | Beat | Joined | Left | Changed
