"""The leases of all services, for those who only look."""

from __future__ import annotations

import pytest

from aegis_sdk import subjects
from aegis_sdk.errors import ConfigurationError
from aegis_sdk.ledger import KeyName, Leases, Ledger
from aegis_sdk.ledger.records import LeaseState
from aegis_sdk.transport import Transport
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

from .ledgers import TIMEOUT_S, VACANT, claim, claimed
from .network import DEADLINE_S


async def test_leases_of_all_services_are_those_that_are_stored(transport: Transport, name: str) -> None:
    others = await Ledger.open(transport, f"{name}-other")
    ours = await Ledger.open(transport, name)
    theirs = await claimed(others, "k1")
    first, second = await claimed(ours, "k1"), await claimed(ours, "k2", holder="a-2")
    await ours.epoch("k1", first).end(VACANT, TIMEOUT_S)
    async with Leases.open(transport) as leases:
        assert leases.shards == tuple(range(ours.shards))
        found = {each: stored for each, stored in leases.latest.items() if each.service.startswith(name)}
    assert set(found) == {(name, "k1"), (name, "k2"), (f"{name}-other", "k1")}
    held = found[KeyName(name, "k2")]
    assert (held.lease.holder, held.sequence, held.is_active) == ("a-2", second, True)
    assert found[KeyName(f"{name}-other", "k1")].sequence == theirs
    given = found[KeyName(name, "k1")]
    assert (given.lease.state, given.is_active) == (LeaseState.VACANT, False)
    assert given.timestamp_ns >= held.timestamp_ns > 10**18


async def test_leases_of_one_service_follow_its_new_ones_alone(
    transport: Transport, other: Transport, name: str
) -> None:
    ledger = await Ledger.open(other, name)
    epoch = await claimed(ledger)
    async with Leases.open(transport, name) as leases:
        await claimed(await Ledger.open(other, f"{name}-other"))
        assert (await claim(ledger, {"k": epoch}, holder="a-2"))["k"] != epoch
        await leases.wait_for(lambda now: now.latest[KeyName(name, "k")].lease.holder == "a-2", DEADLINE_S)
        assert set(leases.latest) == {(name, "k")}
        with pytest.raises(TimeoutError):
            await leases.wait_for(lambda now: len(now.latest) > 1, 0.05)


async def test_a_lease_that_cannot_be_read_hides_no_other(transport: Transport, name: str) -> None:
    ledger = await Ledger.open(transport, name)
    await claimed(ledger, "k1")
    await transport.append(subjects.ledger(ledger.shard("k2"), name, "k2", "lease"), b"nonsense")
    async with Leases.open(transport, name) as leases:
        assert set(leases.latest) == {(name, "k1")}


async def test_where_there_is_no_ledger_none_is_made() -> None:
    transport = MemoryTransport(MemoryBroker())
    for _ in range(2):
        async with Leases.open(transport) as leases:
            assert (leases.shards, leases.latest) == ((), {})


async def test_a_ledger_that_is_made_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_sdk.ledger.leases._LOOK_S", 0.01)
    transport = MemoryTransport(MemoryBroker())
    async with Leases.open(transport) as leases:
        assert leases.shards == ()
        epoch = await claimed(await Ledger.open(transport, "late"))
        await leases.wait_for(lambda now: KeyName("late", "k") in now.latest, DEADLINE_S)
        assert leases.latest[KeyName("late", "k")].sequence == epoch


async def test_a_service_is_named_by_a_token(transport: Transport) -> None:
    with pytest.raises(ConfigurationError, match="service"):
        async with Leases.open(transport, "a b"):
            pass
