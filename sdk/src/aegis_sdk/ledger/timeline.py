"""The epochs of a key, one after the other: who held it, from when to when, and why that changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple

from aegis_sdk import subjects
from aegis_sdk.errors import CodecError
from aegis_sdk.ledger.leases import StoredLease
from aegis_sdk.ledger.records import LeaseState
from aegis_sdk.ledger.streams import shard_of, stream_of
from aegis_sdk.transport import Transport

__all__ = ["EpochSpan", "Way", "spans", "timeline"]


class Way(StrEnum):
    """How an epoch began, and how it ended."""

    FIRST = "first"  # nobody had ever held the key
    HANDOVER = "handover"  # given to a successor
    VACANCY = "vacancy"  # given back
    TAKEOVER = "takeover"  # the holder was silent, and deposed


class EpochSpan(NamedTuple):
    """One epoch. Times are UTC nanoseconds; of the epoch that lasts `ended_ns` and `ended` are None.

    `gap_ms` is for how long nobody held the key before: from the end of the epoch before, or from the last sign of its
    holder. None where that is not known any more.
    """

    epoch: int
    holder: str
    incarnation: str
    began_ns: int
    began: Way
    gap_ms: float | None
    ended_ns: int | None
    ended: Way | None


def spans(leases: Iterable[StoredLease]) -> list[EpochSpan]:
    """The epochs that these leases of one key tell of, oldest first."""
    found: list[EpochSpan] = []
    before: StoredLease | None = None
    for stored in leases:
        if found and found[-1].ended is None:
            found[-1] = found[-1]._replace(ended_ns=stored.timestamp_ns, ended=_end(stored))
        if stored.is_active:
            lease = stored.lease
            found.append(
                EpochSpan(
                    stored.sequence,
                    lease.holder,
                    lease.incarnation,
                    stored.timestamp_ns,
                    _begin(before),
                    _gap_ms(stored, before),
                    None,
                    None,
                )
            )
        before = stored
    return found


def _end(next_lease: StoredLease) -> Way:
    match next_lease.lease.state:
        case LeaseState.HANDOVER:
            return Way.HANDOVER
        case LeaseState.VACANT:
            return Way.VACANCY
        case LeaseState.ACTIVE:
            return Way.TAKEOVER


def _begin(before: StoredLease | None) -> Way:
    return Way.FIRST if before is None else _end(before)


def _gap_ms(stored: StoredLease, before: StoredLease | None) -> float | None:
    if before is None:
        return None
    if before.is_active:
        return float(stored.lease.gap_ms)
    return round((stored.timestamp_ns - before.timestamp_ns) / 1e6, 3)


async def timeline(transport: Transport, service: str, key: str, shards: int, most: int = 200) -> list[EpochSpan]:
    """The last `most` epochs of a key, oldest first; of its oldest, how it began may not be known: `first` then.

    Raises what the streams of the transport raise.
    """
    shard = shard_of(key, shards)
    leases: deque[StoredLease] = deque(maxlen=2 * most)  # an epoch has at most two
    async with transport.read(stream_of(shard), subjects.ledger(shard, service, key, "lease")) as messages:
        async for message in messages:
            if message is None:
                break
            with suppress(CodecError):  # `Leases` tells of it
                leases.append(StoredLease.of(message))
    return spans(leases)[-most:]
