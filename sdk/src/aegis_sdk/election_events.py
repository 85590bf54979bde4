"""What an election is told, and what it asks to be done. Pure data; times are seconds of one clock."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from aegis_sdk.ledger.records import Lease

__all__ = [
    "Action",
    "Adopt",
    "Alarm",
    "BeatHeard",
    "Claim",
    "ClaimRefused",
    "ClaimUnknown",
    "Claimed",
    "Connected",
    "Contradicted",
    "Demote",
    "Deposed",
    "Disconnected",
    "Event",
    "Joined",
    "LeaseRead",
    "LeasesCaughtUp",
    "Left",
    "ProbeLedger",
    "Proved",
    "ProvedByStandby",
    "Recovered",
    "RecoveryFailed",
    "Release",
    "Released",
    "Retired",
    "Role",
    "StoodStill",
    "Stop",
    "Suspended",
    "Ticked",
    "Wanted",
    "Withdraw",
]


class Role(StrEnum):
    """What an instance is for a key."""

    STANDBY = "STANDBY"
    CLAIMING = "CLAIMING"
    RECOVERING = "RECOVERING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"  # holds the key, and cannot prove it now
    RELEASING = "RELEASING"  # finishes what it has, then gives the key back


# Told


class Ticked(NamedTuple):
    """To be given at `Election.due_at`."""


class StoodStill(NamedTuple):
    """Our own loop stood still: what is heard next may be old."""


class Connected(NamedTuple):
    """The connection is there (again), and our own heartbeats come back."""


class Disconnected(NamedTuple):
    """The connection is gone, or our own heartbeats do not come back."""


class LeaseRead(NamedTuple):
    """A lease record of the ledger, in order of `sequence` for each key; given again, it does no harm."""

    key: str
    lease: Lease
    sequence: int


class LeasesCaughtUp(NamedTuple):
    """All leases that there were at the start, or came during an outage, have been read."""


class Joined(NamedTuple):
    """Another instance of the service lives. `able`: it takes keys (neither draining nor unhealthy).

    Given again when it changes, or when a new incarnation took the name.
    """

    instance: str
    incarnation: str
    zone: str
    weight: int
    able: bool


class Left(NamedTuple):
    """An instance is gone, or stopped, as far as anybody can tell."""

    instance: str
    incarnation: str


class BeatHeard(NamedTuple):
    """A heartbeat, and what the instance holds: key to epoch, and which of them it says are suspended.

    To be given for each heartbeat whose list is known, also by the digest of an earlier list: then with the same
    mapping and set as before, which costs nothing. Not given where the list of a digest is not known yet.
    """

    instance: str
    incarnation: str
    held: Mapping[str, int]
    suspended: frozenset[str]


class Claimed(NamedTuple):
    """Our claim is stored; `acked_at` is when we knew."""

    key: str
    epoch: int
    attempt: str
    acked_at: float


class ClaimRefused(NamedTuple):
    """Somebody else's lease was first; it will be read."""

    key: str


class ClaimUnknown(NamedTuple):
    """No answer to a claim, whatever the reason; the leases that are read tell."""

    key: str


class Recovered(NamedTuple):
    key: str
    epoch: int


class RecoveryFailed(NamedTuple):
    """The service could not take the key over in time, or raised an error."""

    key: str
    epoch: int


class Deposed(NamedTuple):
    """The ledger refused a write of this epoch for good."""

    key: str
    epoch: int


class Contradicted(NamedTuple):
    """The journal of the key contradicts itself, as its lease may; Stop follows."""

    key: str
    problem: str


class Suspended(NamedTuple):
    key: str
    epoch: int


class Proved(NamedTuple):
    """A guarded write sent after the suspension was acknowledged."""

    key: str
    epoch: int


class ProvedByStandby(NamedTuple):
    """The ledger took a guarded write of ours for a key that another holds: JetStream works, seen from here."""

    key: str
    epoch: int


class Withdraw(NamedTuple):
    """Somebody wants the key handed over, to `successor` or, where it is empty, to the best.

    Nothing happens where that one takes no keys; `election.successor_of` tells beforehand.
    """

    key: str
    successor: str


class Retired(NamedTuple):
    """Whether this instance gives its keys up and takes no other: when it drains, or is unhealthy."""

    retired: bool


class Released(NamedTuple):
    """The lease that ended our epoch is stored."""

    key: str
    epoch: int


class Wanted(NamedTuple):
    """Keys that the service serves, from now on these."""

    keys: frozenset[str]


Event = (
    Ticked
    | StoodStill
    | Connected
    | Disconnected
    | LeaseRead
    | LeasesCaughtUp
    | Joined
    | Left
    | BeatHeard
    | Claimed
    | ClaimRefused
    | ClaimUnknown
    | Recovered
    | RecoveryFailed
    | Deposed
    | Contradicted
    | Suspended
    | Proved
    | ProvedByStandby
    | Withdraw
    | Retired
    | Released
    | Wanted
)


# Asked


class Claim(NamedTuple):
    """Write a lease for ourselves that expects the key's latest lease at `expected` (0: none).

    All claims of one step may go into one batch. Claimed, ClaimRefused or ClaimUnknown follows for each.
    """

    key: str
    expected: int
    gap_ms: int
    proof_ms: int


class Adopt(NamedTuple):
    """We hold the epoch: recover, wait until `answer_from`, then serve. Recovered or RecoveryFailed follows."""

    key: str
    epoch: int
    answer_from: float


class Release(NamedTuple):
    """Drain, then end our epoch: by HANDOVER to `successor`, or by VACANT where it is empty. Released follows.

    `drain` is False where nothing is served under the epoch.
    """

    key: str
    epoch: int
    successor: str
    drain: bool


class Demote(NamedTuple):
    """We hold the key no more: stop at once."""

    key: str
    epoch: int


class ProbeLedger(NamedTuple):
    """Write an empty proof of another's epoch; ProvedByStandby follows if the ledger takes it."""

    key: str
    epoch: int


class Alarm(NamedTuple):
    """Something that must not be, or happens too often; people want to know."""

    key: str
    problem: str


class Stop(NamedTuple):
    """The ledger contradicts itself: never touch the key again in this process. If we hold it, Demote comes before."""

    key: str


Action = Claim | Adopt | Release | Demote | ProbeLedger | Alarm | Stop
