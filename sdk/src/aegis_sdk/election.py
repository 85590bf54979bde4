"""Who holds which key: the decisions of one instance, without a clock, a connection or a task.

`step(election, event, now)` takes what was heard and says what to do. Only the ledger decides: a claim is a guarded
write, and the lease record that it stores is the truth for everybody. So what is decided here can be late or wrong
about who lives, and costs a switch at worst, never two holders of one epoch.

    STANDBY -> CLAIMING -> RECOVERING -> ACTIVE <-> SUSPENDED
       ^                       |            |           |
       |                       +--------- RELEASING ----+
       +--- Demote: a later lease, or the ledger refused us: from any of them

A key is free when it has no lease or its latest one ended the epoch, and when its holder is lost: gone, replaced by a
new start of itself, no longer naming the key, or unable for long to write to a ledger that takes our own writes. Then
the standbys claim it in the order of their ranking, each a moment after the one before. `election_turns` says when,
`election_peers` who is lost, `election_leases` what a lease means for us; all of it lives in `election_state`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aegis_sdk.election_events import (
    Action,
    Alarm,
    BeatHeard,
    Claim,
    Claimed,
    ClaimRefused,
    ClaimUnknown,
    Connected,
    Contradicted,
    Demote,
    Deposed,
    Disconnected,
    Event,
    Joined,
    LeaseRead,
    LeasesCaughtUp,
    Left,
    Proved,
    ProvedByStandby,
    Recovered,
    RecoveryFailed,
    Released,
    Retired,
    Role,
    StoodStill,
    Suspended,
    Ticked,
    Wanted,
    Withdraw,
)
from aegis_sdk.election_leases import claimed, contradict, drop, give_back, read, release
from aegis_sdk.election_peers import hear, join, leave, probe, prove_by_standby
from aegis_sdk.election_state import Election, Key
from aegis_sdk.election_turns import claim_at, plan, plan_all, silent_s, successor

__all__ = ["Election", "step", "successor_of"]

_CLAIM_AGAIN_S: Final = 0.1
_LOOKS: Final = 100
_FIRST_BACK_OFF_S: Final = 0.5
_LONGEST_BACK_OFF_S: Final = 10.0
_HOLDING: Final = frozenset({Role.RECOVERING, Role.ACTIVE, Role.SUSPENDED})
_NOTHING: Final[tuple[Action, ...]] = ()


def step(election: Election, event: Event, now: float) -> Sequence[Action]:
    """Take one event; `now` is seconds of any clock that does not go back.

    What it costs grows with the keys that the event concerns, not with all; of those that are due it looks at some,
    and `due_at` stays in the past for the rest.
    """
    actions = list(_take(election, event, now))
    for _ in range(_LOOKS):
        key = election.due(now)
        if key is None:
            break
        actions += _look(election, key, now)
    return actions


def _take(election: Election, event: Event, now: float) -> Sequence[Action]:
    match event:
        case Ticked():
            pass
        case StoodStill():
            election.stood_still_at = now
        case LeaseRead():
            return read(election, event, now)
        case BeatHeard():
            return _hear(election, event, now)
        case Joined():
            join(election, event, now)
        case Left():
            leave(election, event, now)
        case ProvedByStandby():
            prove_by_standby(election, event, now)
        case Connected() | Disconnected() | LeasesCaughtUp():
            _look_around(election, event, now)
        case Contradicted(name, problem):
            key = election.key(name)
            return _NOTHING if key.stopped else contradict(election, key, problem)
        case Wanted(keys):
            return _want(election, keys, now)
        case Retired(retired):
            return _retire(election, retired, now)
        case Claimed() | ClaimRefused() | ClaimUnknown():
            return _end_claim(election, event, now)
        case _:
            return _take_ours(election, event, now)
    return _NOTHING


def _take_ours(
    election: Election,
    event: Recovered | RecoveryFailed | Deposed | Suspended | Proved | Withdraw | Released,
    now: float,
) -> Sequence[Action]:
    """What concerns an epoch of ours; if it has ended meanwhile, nothing."""
    key = election.key(event.key)
    if not key.epoch or (not isinstance(event, Withdraw) and event.epoch != key.epoch):
        return _NOTHING
    match event:
        case Recovered():
            _recover(key)
        case RecoveryFailed():
            return _fail(election, key, now)
        case Deposed() | Released():
            drop(election, key)
            plan(election, key, now)
            return (Demote(*event),) if isinstance(event, Deposed) else _NOTHING
        case Suspended() | Proved():
            _suspend(key, isinstance(event, Suspended))
        case Withdraw(_, to):
            return _withdraw(election, key, to, now)
    return _NOTHING


def successor_of(election: Election, key: str, wanted: str, now: float) -> str:
    """To whom Withdraw hands a key over: `wanted`, or the best where that is empty; empty if it takes no keys."""
    to = wanted or successor(election, election.key(key), now)
    able = to != election.instance and any(candidate.instance == to for candidate in election.candidates)
    return to if able else ""


# Looking at a key when it is due


def _look(election: Election, key: Key, now: float) -> list[Action]:
    actions = list(give_back(key, now))
    if key.probe_at <= now:
        actions.append(probe(election, key, now))
    if claim_at(election, key, now) <= now:
        key.role = Role.CLAIMING
        gap_ms = round(silent_s(election, key, now) * 1000)
        actions.append(Claim(key.name, key.sequence, gap_ms, election.proof_ms))
    plan(election, key, now)
    return actions


def _end_claim(election: Election, event: Claimed | ClaimRefused | ClaimUnknown, now: float) -> Sequence[Action]:
    key = election.key(event.key)
    if key.role is Role.CLAIMING:
        key.role = Role.STANDBY
        key.retry_at = now + _CLAIM_AGAIN_S
    actions = claimed(election, event, now) if isinstance(event, Claimed) and not key.stopped else _NOTHING
    plan(election, key, now)
    return actions


# The holder's life


def _recover(key: Key) -> None:
    key.failures = 0
    if key.role is Role.RECOVERING:
        key.role = Role.SUSPENDED if key.unproved else Role.ACTIVE


def _suspend(key: Key, unproved: bool) -> None:
    key.unproved = unproved
    if key.role in (Role.ACTIVE, Role.SUSPENDED):
        key.role = Role.SUSPENDED if unproved else Role.ACTIVE


def _fail(election: Election, key: Key, now: float) -> Sequence[Action]:
    key.failures += 1
    back_off_s = min(_FIRST_BACK_OFF_S * 2 ** (key.failures - 1), _LONGEST_BACK_OFF_S)
    key.back_off_until = now + back_off_s
    problem = f"recovery failed {key.failures} times in a row; this instance leaves it to others for {back_off_s:g} s"
    released = release(election, key, "", now) if key.role in _HOLDING else _NOTHING
    return [*released, Alarm(key.name, problem)]


def _withdraw(election: Election, key: Key, to: str, now: float) -> Sequence[Action]:
    to = successor_of(election, key.name, to, now)
    return release(election, key, to, now) if to and key.role in _HOLDING else _NOTHING


# What concerns all keys


def _look_around(election: Election, event: Connected | Disconnected | LeasesCaughtUp, now: float) -> None:
    match event:
        case Connected():
            election.connected, election.settled_at = True, now + election.timers.settle_s
        case Disconnected():
            election.connected = False
        case LeasesCaughtUp():
            election.caught_up = True
    plan_all(election, election.free, now)


def _want(election: Election, names: frozenset[str], now: float) -> Sequence[Action]:
    actions: list[Action] = []
    for name in names:
        election.key(name).wanted = True
        plan(election, election.key(name), now)
    for key in election.keys.values():
        if key.wanted and key.name not in names:
            key.wanted = False
            actions += release(election, key, "", now) if key.role in _HOLDING else _NOTHING
            plan(election, key, now)
    return actions


def _retire(election: Election, retired: bool, now: float) -> Sequence[Action]:
    actions: list[Action] = []
    election.retired = retired
    election.count_candidates()
    for name in tuple(election.held) if retired else ():
        key = election.keys[name]
        actions += release(election, key, successor(election, key, now), now) if key.role in _HOLDING else _NOTHING
    plan_all(election, election.free, now)
    return actions


def _hear(election: Election, event: BeatHeard, now: float) -> Sequence[Action]:
    actions: list[Action] = []
    for key in hear(election, event, now):
        problem = f"epoch {key.sequence} is claimed by {event.instance}, and by the ledger is another's"
        actions += contradict(election, key, problem)
    return actions
