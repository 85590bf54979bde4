"""What the ledger stores: leases on one subject of a key, journal entries on another. JSON, pure data.

A journal entry is one message: its epoch, its number within the epoch, and records that were committed together. The
begin of an epoch is stored next to its lease, whose sequence is the epoch; so its own sequence is the epoch plus one.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from aegis_sdk.errors import CodecError

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
    "decode_entry",
    "decode_lease",
    "encode_begin",
    "encode_entry",
    "encode_lease",
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
    proof_ms: int = 0  # with ACTIVE: how long a proof of this epoch holds; who takes it over waits that out
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
    """What became of a call. `data` is the service's change of state as JSON, `reply` what the caller was answered.

    Without an idempotency key it is a change that no call has asked for.
    """

    idempotency_key: str
    verdict: Verdict
    data: msgspec.Raw = msgspec.Raw(b"null")
    reply: msgspec.Raw = msgspec.Raw(b"null")


class Part(msgspec.Struct, frozen=True, tag="snapshot", tag_field="kind"):
    """One of `parts` pieces of a snapshot, from 0, in their order and in entries of their own. Base64 in JSON."""

    part: int
    parts: int
    data: bytes


Record = Begin | Intent | Result | Part


class Entry(msgspec.Struct, frozen=True):
    """One journal message. `n` grows within an epoch, from 1; that of a begin is 0, and its epoch is 0 too."""

    epoch: int
    n: int
    records: tuple[Record, ...]


_encoder: Final = msgspec.json.Encoder()
_entry_decoder: Final = msgspec.json.Decoder(Entry)
_lease_decoder: Final = msgspec.json.Decoder(Lease)


def encode_entry(epoch: int, n: int, records: Iterable[Record]) -> bytes:
    """Records that are committed together, as the message that a journal stores."""
    return _encoder.encode(Entry(epoch, n, tuple(records)))


def encode_begin(begin: Begin) -> bytes:
    """The message that is stored behind the lease which begins an epoch."""
    return encode_entry(0, 0, (begin,))


def decode_entry(payload: bytes) -> Entry:
    """A journal message. Raises CodecError for what is none: above all for a begin that claims an epoch or a number."""
    try:
        entry = _entry_decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise CodecError(f"not a journal entry: {error}") from error
    begins = any(type(record) is Begin for record in entry.records)
    if begins and (entry.epoch, entry.n, len(entry.records)) == (0, 0, 1):
        return entry
    if begins or not entry.records or entry.epoch < 1 or entry.n < 1:
        raise CodecError(f"not a journal entry: {len(entry.records)} records as n {entry.n} of epoch {entry.epoch}")
    return entry


def encode_lease(lease: Lease) -> bytes:
    return _encoder.encode(lease)


def decode_lease(payload: bytes) -> Lease:
    """A lease message. Raises CodecError for what is none."""
    try:
        return _lease_decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise CodecError(f"not a lease: {error}") from error
