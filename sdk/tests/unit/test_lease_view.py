"""How a key is, by its lease and by what its holder says of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from aegis_sdk.election_events import Claim
from aegis_sdk.errors import Unavailable
from aegis_sdk.instances import InstanceRecord, InstanceStatus, Vitals, digest
from aegis_sdk.lease_view import KeyState, LeaseView, Said, state_of
from aegis_sdk.ledger import Ledger, StoredLease
from aegis_sdk.ledger.records import Lease, LeaseState
from aegis_sdk.registry import Registration
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

HELD = Lease(LeaseState.ACTIVE, "a-1", "now")


def stored(lease: Lease) -> StoredLease:
    return StoredLease("accounts", "K", lease, 7, 0)


def said(served: Mapping[str, int] | None, *suspended: str, incarnation: str = "now") -> Said:
    return Said(incarnation, served, frozenset(suspended))


@pytest.mark.parametrize(
    ("says", "state"),
    [
        (said({"K": 7}), KeyState.ACTIVE),
        (said(None), KeyState.ACTIVE),  # not known yet: it has the benefit of the doubt
        (said({"K": 7}, "K"), KeyState.SUSPENDED),
        (said({"K": 7}, "L"), KeyState.ACTIVE),
        (said({}), KeyState.RECOVERING),
        (said({"K": 5}), KeyState.RECOVERING),
        (said({}, "K"), KeyState.RECOVERING),
        (said({"K": 7}, incarnation="before"), KeyState.LOST),
        (None, KeyState.LOST),
    ],
)
def test_the_state_of_a_held_key_is_what_its_living_holder_says(says: Said | None, state: KeyState) -> None:
    assert state_of(stored(HELD), says) is state


@pytest.mark.parametrize("state", [LeaseState.HANDOVER, LeaseState.VACANT])
def test_an_epoch_that_has_ended_needs_no_holder(state: LeaseState) -> None:
    assert state_of(stored(Lease(state, "a-1", "now")), None) == state


# Over a transport, all in one loop

Speaking = dict[str, Vitals]


def vitals(pairs: Mapping[str, int], *suspended: str) -> Vitals:
    return Vitals(len(pairs), digest(pairs), pairs, suspended)


@pytest.fixture
async def broker(leaping: asyncio.AbstractEventLoop) -> MemoryBroker:
    return MemoryBroker()


@asynccontextmanager
async def holding(broker: MemoryBroker, *keys: str) -> AsyncIterator[tuple[Speaking, dict[str, int]]]:
    """An instance a-1 that holds these keys, and says what the test makes it say; and their epochs."""
    transport = MemoryTransport(broker)
    record = InstanceRecord(service="accounts", instance="a-1")
    speaking: Speaking = {"vitals": Vitals()}
    registration = Registration(transport, record, 0.02, vitals=lambda: speaking["vitals"])
    async with AsyncExitStack() as stack:
        await registration.start()
        stack.push_async_callback(registration.stop)
        ledger = await Ledger.open(transport, "accounts")
        claims = [Claim(key, 0, 120, 75) for key in keys]
        epochs: Mapping[str, Any] = await ledger.claim(
            claims, holder="a-1", incarnation=record.incarnation, attempt="t", timeout=1.0
        )
        speaking["vitals"] = vitals(epochs)
        registration.change(status=InstanceStatus.ACTIVE, keys=dict(epochs))
        yield speaking, dict(epochs)


async def until(view: LeaseView, *states: str) -> None:
    await view.directory.wait_for(lambda _: [row["state"] for row in view.rows()] == list(states), 5.0)


async def test_rows_tell_of_each_key(broker: MemoryBroker) -> None:
    async with holding(broker, "K2", "K1") as (_, epochs), LeaseView.open(MemoryTransport(broker)) as view:
        await until(view, "ACTIVE", "ACTIVE")
        [first, second] = view.rows()
        assert (first["key"], second["key"]) == ("K1", "K2")
        assert first.pop("since").endswith("+00:00")
        assert first == {
            "service": "accounts",
            "key": "K1",
            "holder": "a-1",
            "epoch": epochs["K1"],
            "state": "ACTIVE",
            "gap_ms": 120,
            "last_holder": None,
            "successor": None,
            "sequence": epochs["K1"],
        }


async def test_a_holder_says_that_a_key_is_suspended(broker: MemoryBroker) -> None:
    async with holding(broker, "K1", "K2") as (speaking, epochs), LeaseView.open(MemoryTransport(broker)) as view:
        speaking["vitals"] = vitals(epochs, "K2")
        await until(view, "ACTIVE", "SUSPENDED")
        speaking["vitals"] = vitals({"K1": epochs["K1"]})
        await until(view, "ACTIVE", "RECOVERING")


async def test_who_looks_late_knows_what_is_served_by_the_registry(broker: MemoryBroker) -> None:
    """A heartbeat says its pairs every five seconds; nobody waits for that."""
    async with holding(broker, "K1"), LeaseView.open(MemoryTransport(broker)) as first:
        await until(first, "ACTIVE")
        async with asyncio.timeout(1.4), LeaseView.open(MemoryTransport(broker)) as view:
            assert [row["state"] for row in view.rows()] == ["ACTIVE"]


async def test_a_key_is_lost_when_its_holder_leaves(broker: MemoryBroker) -> None:
    async with holding(broker, "K1"):
        pass
    async with LeaseView.open(MemoryTransport(broker), "accounts") as view:
        assert [(row["state"], row["holder"]) for row in view.rows()] == [("LOST", "a-1")]
        assert view.takers("accounts", "") == []


async def test_a_ledger_that_cannot_be_read_is_said_to_be_away(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(MemoryTransport):
        async def last_sequence(self, stream: str) -> int:
            raise Unavailable("no JetStream")

    monkeypatch.setattr("aegis_sdk.lease_view._READ_S", 0.05)
    with pytest.raises(Unavailable, match="JetStream is away"):
        async with LeaseView.open(Away(broker)):
            pass
