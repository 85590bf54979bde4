"""What the ledger says: whose a key is by its latest lease record, and what follows for us."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from aegis_sdk.election_events import Action, Adopt, Alarm, Claimed, Demote, LeaseRead, Release, Role, Stop
from aegis_sdk.election_state import Election, Key, Peer
from aegis_sdk.election_turns import plan, recent_switches, successor, switch_delay_s
from aegis_sdk.ledger.records import Lease, LeaseState

__all__ = ["claimed", "contradict", "drop", "give_back", "read", "release"]

_NOTHING: Final[tuple[Action, ...]] = ()


def read(election: Election, event: LeaseRead, now: float) -> Sequence[Action]:
    key = election.key(event.key)
    if key.stopped:
        return _NOTHING
    known = key.seen.get(event.sequence)
    if known is not None:
        return _NOTHING if _same(known, event.lease) else contradict(election, key, _two_records(event, known))
    if event.sequence < key.sequence:
        problem = f"lease record {event.sequence} of {event.lease.holder} was read after record {key.sequence}"
        return contradict(election, key, problem)
    return _take(election, key, event.lease, event.sequence, now, now)


def claimed(election: Election, event: Claimed, now: float) -> Sequence[Action]:
    key = election.key(event.key)
    lease = Lease(LeaseState.ACTIVE, election.instance, election.incarnation, event.attempt, "", election.proof_ms)
    known = key.seen.get(event.epoch)
    if known is not None:
        return _NOTHING if _same(known, lease) else contradict(election, key, _two_holders(event.epoch, known.holder))
    if event.epoch < key.sequence:  # claimed from us before we knew that we had it
        return _NOTHING
    return _take(election, key, lease, event.epoch, event.acked_at, now)


def _same(one: Lease, other: Lease) -> bool:
    """Whether two copies of a record are of one; a claim of our own is known before all of its record is."""
    return (one.state, one.holder, one.incarnation, one.attempt) == (
        other.state,
        other.holder,
        other.incarnation,
        other.attempt,
    )


def _two_records(event: LeaseRead, known: Lease) -> str:
    return f"lease record {event.sequence} was of {known.holder} ({known.attempt}) and is of {event.lease.holder}"


def _two_holders(epoch: int, holder: str) -> str:
    return f"epoch {epoch} is ours and of {holder}"


def _take(election: Election, key: Key, lease: Lease, sequence: int, since: float, now: float) -> Sequence[Action]:
    was_active = key.holder is not None
    key.proofs_end = _proofs_end(election, key, lease, since)
    actions = _end_ours(election, key, lease)
    _enter(election, key, lease, sequence, now)
    if was_active and key.holder is not None:
        actions += _count_switch(key, now)
    if key.holder == election.name:
        key.answer_from = max(since, key.proofs_end)
        actions += _hold(election, key, now)
    plan(election, key, now)
    return actions


def _proofs_end(election: Election, key: Key, lease: Lease, since: float) -> float:
    """From when on no proof of an epoch before `lease` holds; each may be trusted for as long as its own lease says."""
    if lease.state is not LeaseState.ACTIVE:  # who ends its epoch itself has left it, and awaited those before it
        return -inf
    if key.lease is None or key.lease.state is not LeaseState.ACTIVE:
        return key.proofs_end
    return max(key.proofs_end, since + (key.lease.proof_ms or election.proof_ms) / 1000)


def _end_ours(election: Election, key: Key, lease: Lease) -> list[Action]:
    """A later record ends our epoch; unless it is the one by which we do so ourselves, we have been deposed."""
    if not key.epoch:
        return []
    gave_back = key.role is Role.RELEASING and (lease.holder, lease.incarnation) == election.name
    epoch = key.epoch
    drop(election, key)
    return [] if gave_back and lease.state is not LeaseState.ACTIVE else [Demote(key.name, epoch)]


def _enter(election: Election, key: Key, lease: Lease, sequence: int, now: float) -> None:
    before = _holder(election, key)
    if before is not None:
        before.keys.discard(key.name)
        before.doubted.discard(key.name)
    election.suspended.discard(key.name)
    key.lease, key.sequence, key.read_at = lease, sequence, now
    key.remember(lease, sequence)
    key.trust_holder()
    key.retry_at = -inf
    holder = _holder(election, key)
    if holder is not None:
        holder.keys.add(key.name)
        holder.doubted.add(key.name)  # what it lists may be older than this


def _holder(election: Election, key: Key) -> Peer | None:
    """The other that holds the key by the ledger."""
    return None if key.holder is None or key.holder == election.name else election.peer(key.holder)


def _count_switch(key: Key, now: float) -> list[Action]:
    key.switches.append(now)
    switches = recent_switches(key, now)
    delay_s = switch_delay_s(switches)
    if not delay_s:
        return []
    return [Alarm(key.name, f"taken over {switches} times in a minute; the next claim waits {delay_s:g} s longer")]


def _hold(election: Election, key: Key, now: float) -> Sequence[Action]:
    """A lease of ours, whether its claim was given up or not, is used, or else given back."""
    key.epoch = election.held[key.name] = key.sequence
    key.unproved = False
    if key.wanted and not election.retired:
        key.role = Role.RECOVERING
        return [Adopt(key.name, key.epoch, key.answer_from)]
    return release(election, key, successor(election, key, now) if key.wanted else "", now)


def release(election: Election, key: Key, to: str, now: float) -> Sequence[Action]:
    """Give our epoch back, but not before the proof of the holder before has run out: the next one trusts in that."""
    served = key.role in (Role.ACTIVE, Role.SUSPENDED)
    key.role, key.release = Role.RELEASING, Release(key.name, key.epoch, to, drain=served)
    actions = give_back(key, now)
    plan(election, key, now)
    return actions


def give_back(key: Key, now: float) -> Sequence[Action]:
    if key.release is None or now < key.answer_from:
        return _NOTHING
    release, key.release = key.release, None
    return [release]


def drop(election: Election, key: Key) -> None:
    """We hold it no more."""
    key.role, key.epoch, key.release, key.unproved = Role.STANDBY, 0, None, False
    election.held.pop(key.name, None)


def contradict(election: Election, key: Key, problem: str) -> Sequence[Action]:
    """The ledger or a holder cannot be trusted for this key any more."""
    demoted = [Demote(key.name, key.epoch)] if key.epoch else []
    drop(election, key)
    key.stopped = True
    key.trust_holder()
    election.suspended.discard(key.name)
    plan(election, key, 0.0)
    return [*demoted, Stop(key.name), Alarm(key.name, problem)]
