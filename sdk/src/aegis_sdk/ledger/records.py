"""What the ledger stores: leases on one subject of a key, journal entries on another. JSON, pure data.

A journal entry is one message: its epoch, its number within the epoch, and records that were committed together. The
begin of an epoch is stored next to its lease, whose sequence is the epoch; so its own sequence is the epoch plus one.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = [
    "Begin",
    "Entry",
    "Intent",
    "Lease",
    "LeaseState",
    "Part",
    "Record",
    "Result",
    "Verdict",
]


class LeaseState(StrEnum):
    ACTIVE = "ACTIVE"  # its sequence is an epoch
    HANDOVER = "HANDOVER"  # ends an epoch in favour of a successor
    VACANT = "VACANT"  # ends an epoch


class Lease(msgspec.Struct, frozen=True, omit_defaults=True):
    """The latest record on a key's lease subject says who holds it. Written when that changes, never to renew."""

    state: LeaseState
    holder: str  # instance; of an ended epoch: who held it
    incarnation: str
    attempt: str = ""  # of the claim; a claim whose answer was lost is known by it
    successor: str = ""  # instance; with HANDOVER
    gap_ms: int = 0  # with ACTIVE: for how long the holder before had been silent; 0 where it gave the key back


class Begin(msgspec.Struct, frozen=True, tag="begin", tag_field="kind"):
    """An epoch begins; stored in one batch with its lease, right behind it."""

    holder: str
    incarnation: str
    attempt: str


class Intent(msgspec.Struct, frozen=True, tag="intent", tag_field="kind"):
    """Something outside is about to be done for a call. `data` is the service's JSON."""

    idempotency_key: str
    method: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class Verdict(StrEnum):
    OK = "ok"
    REJECTED = "rejected"  # `reply` is the error's JSON body
    NOT_EXECUTED = "not_executed"  # an intent that went no further, for certain


class Result(msgspec.Struct, frozen=True, tag="result", tag_field="kind"):
    """What became of a call. `data` is the service's change of state as JSON, `reply` what the caller was answered."""

    idempotency_key: str
    verdict: Verdict
    data: msgspec.Raw = msgspec.Raw(b"null")
    reply: msgspec.Raw = msgspec.Raw(b"null")


class Part(msgspec.Struct, frozen=True, tag="snapshot", tag_field="kind"):
    """One of `parts` pieces of a snapshot, from 0; they follow each other in entries of their own. Base64 in JSON."""

    part: int
    parts: int
    data: bytes


Record = Begin | Intent | Result | Part


class Entry(msgspec.Struct, frozen=True):
    """One journal message. `n` grows within an epoch, from 1; that of a begin is 0, and its epoch is 0 too."""

    epoch: int
    n: int
    records: tuple[Record, ...]
