"""What others say and how they come and go: which of their keys are lost."""

from __future__ import annotations

from math import inf
from typing import Final

from aegis_sdk.election_events import BeatHeard, Joined, Left, ProbeLedger, ProvedByStandby
from aegis_sdk.election_state import Election, Key, Name, Peer
from aegis_sdk.election_turns import plan, plan_all

__all__ = ["hear", "join", "leave", "probe", "prove_by_standby"]

_PROBES_PER_S: Final = 400  # of all keys together; what an instance may add to the load of a ledger in trouble
_PROBES: Final = 8  # in the time after which a suspended holder is replaced


def join(election: Election, event: Joined, now: float) -> None:
    name = Name(event.instance, event.incarnation)
    if event.instance == election.instance:
        return
    before, peer = election.present.get(event.instance), election.peer(name)
    peer.zone, peer.weight, peer.able = event.zone, event.weight, event.able
    lost: set[str] = set()
    if before is not peer:
        if before is not None:
            lost = _part(election, before, now)
        peer.present, peer.joined_at, peer.gone_at = True, now, inf
        peer.heard_at = max(peer.heard_at, now)
        election.present[event.instance] = peer
        peer.doubted |= peer.keys
    election.count_candidates()
    plan_all(election, lost | peer.keys | election.free, now)


def leave(election: Election, event: Left, now: float) -> None:
    lost = _part(election, election.peer(Name(event.instance, event.incarnation)), now)
    election.count_candidates()
    plan_all(election, lost | election.free, now)
    election.forget_peers(now)


def _part(election: Election, peer: Peer, now: float) -> set[str]:
    """Take it out. Returns its keys, which are to be looked at."""
    peer.present, peer.gone_at = False, min(peer.gone_at, now)
    if election.present.get(peer.name.instance) is peer:
        del election.present[peer.name.instance]
    for name in peer.keys:
        key = election.keys[name]
        key.trust_holder()  # should it come back, doubt begins anew
        election.suspended.discard(name)
    return peer.keys


def hear(election: Election, event: BeatHeard, now: float) -> list[Key]:
    """Compare what a holder says with the ledger. Returns keys whose epoch it says is its own, and is another's."""
    if event.instance == election.instance:
        return []
    peer = election.peer(Name(event.instance, event.incarnation))
    peer.heard_at = now
    same = event.held is peer.held and event.suspended is peer.suspended
    if same or (event.held == peer.held and event.suspended == peer.suspended):
        for name in tuple(peer.doubted):
            _compare(election, peer, election.keys[name], now)
        return []
    news = event.held.items() - peer.held.items()
    peer.held, peer.suspended = event.held, event.suspended
    for name in peer.keys:
        _compare(election, peer, election.keys[name], now)
    return [election.keys[name] for name, epoch in news if _is_anothers(election, peer, name, epoch)]


def _is_anothers(election: Election, peer: Peer, name: str, epoch: int) -> bool:
    key = election.keys.get(name)
    return key is not None and key.sequence == epoch and not key.stopped and key.holder != peer.name


def _compare(election: Election, peer: Peer, key: Key, now: float) -> None:
    if peer.held.get(key.name, 0) < key.sequence:
        peer.doubted.add(key.name)
        _count_omission(election, key, now)
    else:
        peer.doubted.discard(key.name)
        key.lost_at = key.omitted_at = inf
        _note_suspension(election, peer, key, now)
    plan(election, key, now)


def _count_omission(election: Election, key: Key, now: float) -> None:
    """A list may be older than the lease; so an omission counts from one that was heard to one that is heard."""
    if key.omitted_at == inf or key.omitted_at < max(election.settled_at, election.stood_still_at):
        key.omitted_at = now
    elif now - key.omitted_at >= election.timers.silence_s:
        key.lost_at = min(key.lost_at, now)


def _note_suspension(election: Election, peer: Peer, key: Key, now: float) -> None:
    if key.name not in peer.suspended:
        election.suspended.discard(key.name)
        key.trust_proofs()
    elif key.suspended_at == inf:
        election.suspended.add(key.name)
        key.suspended_at = key.probe_at = now


def probe(election: Election, key: Key, now: float) -> ProbeLedger:
    key.probe_at = now + _probe_again_s(election)
    return ProbeLedger(key.name, key.sequence)


def _probe_again_s(election: Election) -> float:
    return max(election.timers.suspended_s / _PROBES, len(election.suspended) / _PROBES_PER_S)


def prove_by_standby(election: Election, event: ProvedByStandby, now: float) -> None:
    """The holder's time runs while our own proofs are taken: an outage of the ledger in between begins it anew."""
    key = election.key(event.key)
    if event.epoch != key.sequence or key.suspended_at == inf:
        return
    patience = 2 * _probe_again_s(election) + election.timers.write_s
    if key.proved_from == inf or now - key.proved_at > patience or key.proved_from < election.settled_at:
        key.proved_from = now
    key.proved_at = now
    if now - key.proved_from >= election.timers.suspended_s:
        key.lost_at = min(key.lost_at, now)
        plan(election, key, now)
