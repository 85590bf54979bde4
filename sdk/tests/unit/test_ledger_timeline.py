"""The epochs of a key, told from its leases."""

from __future__ import annotations

from aegis_sdk.ledger import Ledger, StoredLease
from aegis_sdk.ledger.records import Lease, LeaseState
from aegis_sdk.ledger.timeline import EpochSpan, Way, spans, timeline
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


def stored(state: LeaseState, holder: str, sequence: int, at_ms: int, gap_ms: int = 0) -> StoredLease:
    return StoredLease("accounts", "K", Lease(state, holder, "i", gap_ms=gap_ms), sequence, at_ms * 1_000_000)


def test_epochs_say_why_they_began_and_ended() -> None:
    told = spans(
        [
            stored(LeaseState.ACTIVE, "a", 1, 0),
            stored(LeaseState.HANDOVER, "a", 5, 1_000),
            stored(LeaseState.ACTIVE, "b", 7, 1_012),
            stored(LeaseState.ACTIVE, "a", 9, 3_000, gap_ms=640),
            stored(LeaseState.VACANT, "a", 12, 4_000),
            stored(LeaseState.ACTIVE, "b", 15, 9_000),
        ]
    )
    assert told == [
        EpochSpan(1, "a", "i", 0, Way.FIRST, None, 1_000_000_000, Way.HANDOVER),
        EpochSpan(7, "b", "i", 1_012_000_000, Way.HANDOVER, 12.0, 3_000_000_000, Way.TAKEOVER),
        EpochSpan(9, "a", "i", 3_000_000_000, Way.TAKEOVER, 640.0, 4_000_000_000, Way.VACANCY),
        EpochSpan(15, "b", "i", 9_000_000_000, Way.VACANCY, 5_000.0, None, None),
    ]


def test_an_end_without_its_beginning_begins_nothing() -> None:
    assert spans([]) == []
    told = spans([stored(LeaseState.VACANT, "a", 3, 0), stored(LeaseState.ACTIVE, "b", 4, 100)])
    assert [(span.epoch, span.began, span.gap_ms) for span in told] == [(4, Way.VACANCY, 100.0)]


async def test_a_key_that_nobody_held_has_no_epochs() -> None:
    transport = MemoryTransport(MemoryBroker())
    ledger = await Ledger.open(transport, "accounts")
    assert await timeline(transport, "accounts", "K", ledger.shards) == []
