"""From when on a key is free, and when it is our turn to claim it. Both are asked again before each claim."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Final

from aegis_sdk.election_events import Role
from aegis_sdk.election_state import Election, Key, Name
from aegis_sdk.ledger.records import Lease, LeaseState
from aegis_sdk.placement import ranking

__all__ = ["claim_at", "plan", "plan_all", "recent_switches", "silent_s", "successor", "switch_delay_s"]

_CLAIM_S: Final = 0.001
"""What a claim may take for each of many keys: who ranks higher claims all of its own before others try."""
_SWITCHES_S: Final = 60.0
_SWITCHES_ALLOWED: Final = 5
_FIRST_DELAY_S: Final = 0.25
_LONGEST_DELAY_S: Final = 5.0


def plan(election: Election, key: Key, now: float) -> None:
    """Look at a key again when there may be something to do."""
    if not key.wanted or key.stopped or key.epoch or _free_from(election, key) == inf:
        election.free.discard(key.name)
    else:
        election.free.add(key.name)
    election.schedule(key, min(claim_at(election, key, now), key.probe_at, key.answer_from if key.release else inf))


def plan_all(election: Election, names: Iterable[str], now: float) -> None:
    for name in tuple(names):
        plan(election, election.keys[name], now)


def claim_at(election: Election, key: Key, now: float) -> float:
    """When to claim the key, as things stand; infinite: not at all."""
    able = election.connected and election.caught_up and not election.retired
    if not able or not key.wanted or key.stopped or key.role is not Role.STANDBY:
        return inf
    free = _free_from(election, key)
    if free == inf:
        return inf
    if key.lease is None or key.lease.successor != election.instance:
        free = _turn(election, key, max(free, election.settled_at), now)
    return max(free, key.retry_at, key.back_off_until)


def _free_from(election: Election, key: Key) -> float:
    lease = key.lease
    if lease is None:
        return -inf
    if lease.state is LeaseState.ACTIVE:
        return _lost_from(election, key, lease)
    handed_over = lease.successor and lease.successor != election.instance
    return key.read_at + election.timers.handover_s if handed_over else key.read_at


def _lost_from(election: Election, key: Key, lease: Lease) -> float:
    holder = Name(lease.holder, lease.incarnation)
    if holder == election.name:  # we hold it, or have lost it to a record that will be read
        return inf
    peer = election.peers[holder]
    if peer.present:
        return key.lost_at
    return key.read_at + election.timers.settle_s if peer.gone_at == inf else max(peer.gone_at, key.read_at)


def _turn(election: Election, key: Key, start: float, now: float) -> float:
    """Who ranks higher claims earlier, so that a claim is seldom lost to another."""
    start += switch_delay_s(recent_switches(key, now))
    rank = 0
    for instance in _order(election, key):
        if instance == election.instance:
            return start + rank * (election.timers.rank_s + len(election.free) * _CLAIM_S)
        settled_at = election.present[instance].joined_at + election.timers.settle_s
        if settled_at <= now:
            rank += 1
        elif now < election.settled_at + election.timers.settle_s:  # started with us: it gets what is its own
            start, rank = max(start, settled_at), rank + 1
    return inf


def _order(election: Election, key: Key) -> list[str]:
    """The ranking, but who held the key last comes last: it has just lost it or given it up."""
    before = _holder_before(election, key)
    others = [candidate for candidate in election.candidates if candidate.instance != before]
    ranked = ranking(election.service, key.name, others, election.placement(key.name))
    last = [
        candidate.instance for candidate in election.candidates if candidate.instance == before and candidate.weight
    ]
    return ranked + last


def _holder_before(election: Election, key: Key) -> str:
    """The instance of the latest lease, if it still runs."""
    if key.lease is None:
        return ""
    peer = election.present.get(key.lease.holder)
    running = election.name if key.lease.holder == election.instance else peer and peer.name
    return key.lease.holder if running == (key.lease.holder, key.lease.incarnation) else ""


def successor(election: Election, key: Key, now: float) -> str:
    """Whom to hand a key of ours over to: the best who can take it at once; empty if nobody else takes keys."""
    others = [candidate for candidate in election.candidates if candidate.instance != election.instance]
    ranked = ranking(election.service, key.name, others, election.placement(key.name))
    settled = (name for name in ranked if election.present[name].joined_at + election.timers.settle_s <= now)
    return next(settled, ranked[0] if ranked else "")


def silent_s(election: Election, key: Key, now: float) -> float:
    """For how long the holder has not been heard to hold the key; 0 where it gave it back."""
    if key.holder is None:
        return 0.0
    peer = election.peers[key.holder]
    since = min(peer.heard_at, key.omitted_at, key.suspended_at)
    return now - (since if since > -inf else key.read_at)


def recent_switches(key: Key, now: float) -> int:
    return sum(now - at < _SWITCHES_S for at in key.switches)


def switch_delay_s(switches: int) -> float:
    """How much later a key is claimed that was switched so often within a minute."""
    excess = switches - _SWITCHES_ALLOWED
    return min(_FIRST_DELAY_S * 2 ** (excess - 1), _LONGEST_DELAY_S) if excess > 0 else 0.0
