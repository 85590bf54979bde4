"""What an election knows: of keys, of the other instances, and when to look at which key again. Pure data."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Final, NamedTuple

from aegis_sdk.election_events import Release, Role
from aegis_sdk.ledger.records import Lease, LeaseState
from aegis_sdk.placement import Candidate, Placement
from aegis_sdk.timers import Timers

__all__ = ["Election", "Key", "Name", "Peer"]

_SEEN: Final = 8  # lease records of a key that are remembered, to know them when they are read again
_SWITCHES: Final = 16
_GONE_S: Final = 60.0  # an instance without keys is remembered for so long


class Name(NamedTuple):
    """One start of one instance."""

    instance: str
    incarnation: str


@dataclass(slots=True, eq=False)
class Key:
    """All about one key."""

    name: str
    wanted: bool = False
    stopped: bool = False  # the ledger contradicted itself
    due: float = inf  # when to look at it again

    # The ledger
    lease: Lease | None = None  # the latest record
    sequence: int = 0
    read_at: float = 0.0
    seen: dict[int, Lease] = field(default_factory=dict[int, Lease])
    proofs_end: float = -inf  # from then on nobody trusts a proof of an earlier epoch
    switches: deque[float] = field(default_factory=lambda: deque(maxlen=_SWITCHES))  # without a handover

    # The holder, while it is another that lives
    lost_at: float = inf  # it does not hold the key any more, or cannot use it
    omitted_at: float = inf  # since then it does not list the key
    suspended_at: float = inf
    probe_at: float = inf
    proved_from: float = inf  # since then the ledger takes our own proofs
    proved_at: float = -inf

    # Ourselves
    role: Role = Role.STANDBY
    epoch: int = 0  # that we hold
    answer_from: float = 0.0
    unproved: bool = False
    release: Release | None = None  # waits for `answer_from`
    retry_at: float = -inf
    failures: int = 0  # of recoveries, one after another
    back_off_until: float = -inf

    @property
    def holder(self) -> Name | None:
        """Who holds it by the ledger."""
        if self.lease is None or self.lease.state is not LeaseState.ACTIVE:
            return None
        return Name(self.lease.holder, self.lease.incarnation)

    def remember(self, lease: Lease, sequence: int) -> None:
        self.seen[sequence] = lease
        if len(self.seen) > _SEEN:
            del self.seen[next(iter(self.seen))]

    def trust_holder(self) -> None:
        """Forget all doubts about the holder."""
        self.lost_at = self.omitted_at = inf
        self.trust_proofs()

    def trust_proofs(self) -> None:
        self.suspended_at = self.probe_at = self.proved_from = inf
        self.proved_at = -inf


@dataclass(slots=True, eq=False)
class Peer:
    """One incarnation of another instance."""

    name: Name
    zone: str = ""
    weight: int = 0
    able: bool = False
    present: bool = False
    joined_at: float = inf
    gone_at: float = inf  # it was there, and is not any more
    heard_at: float = -inf
    keys: set[str] = field(default_factory=set[str])  # that it holds by the ledger
    doubted: set[str] = field(default_factory=set[str])  # of these: not listed when it was last heard, or not heard of
    held: Mapping[str, int] = field(default_factory=dict[str, int])  # by its own word
    suspended: frozenset[str] = frozenset()


@dataclass
class Election:
    """What one instance of a service knows; `election.step` changes it, all others may ask.

    It starts connected, settles from `now` on, and has read no lease yet.
    """

    service: str
    instance: str
    incarnation: str
    timers: Timers
    placement: Callable[[str], Placement]
    zone: str
    weight: int
    now: float
    connected: bool = field(init=False, default=True)
    caught_up: bool = field(init=False, default=False)
    retired: bool = field(init=False, default=False)
    settled_at: float = field(init=False)
    stood_still_at: float = field(init=False, default=-inf)  # what was heard before is compared with nothing after
    keys: dict[str, Key] = field(init=False, default_factory=dict[str, Key])
    peers: dict[Name, Peer] = field(init=False, default_factory=dict[Name, Peer])
    present: dict[str, Peer] = field(init=False, default_factory=dict[str, Peer])  # by instance
    candidates: list[Candidate] = field(init=False, default_factory=list[Candidate])
    held: dict[str, int] = field(init=False, default_factory=dict[str, int])
    free: set[str] = field(init=False, default_factory=set[str])  # wanted keys that nobody holds, now or soon
    suspended: set[str] = field(init=False, default_factory=set[str])  # keys that others hold and cannot prove
    queue: list[tuple[float, str]] = field(init=False, default_factory=list[tuple[float, str]])

    def __post_init__(self) -> None:
        self.settled_at = self.now + self.timers.settle_s
        self.count_candidates()

    # What others may ask

    def role(self, key: str) -> Role:
        known = self.keys.get(key)
        return Role.STANDBY if known is None else known.role

    def epoch(self, key: str) -> int:
        """The epoch of a key that we hold, in whichever role; else 0."""
        return self.held.get(key, 0)

    def holder(self, key: str) -> str | None:
        """Which instance holds a key by the ledger, as far as it was read, whether it lives or not."""
        known = self.keys.get(key)
        return known.holder.instance if known is not None and known.holder is not None else None

    def known_epoch(self, key: str) -> int:
        """The epoch of `holder`; 0 if there is none."""
        known = self.keys.get(key)
        return known.sequence if known is not None and known.holder is not None else 0

    @property
    def due_at(self) -> float:
        """When Ticked is to be given next; infinite while nothing is pending. Never too late, at times too early."""
        return self.queue[0][0] if self.queue else inf

    # For the modules of the election

    @property
    def proof_ms(self) -> int:
        """How long we trust a proof, as a lease says it."""
        return ceil(self.timers.proof_s * 1000)

    @property
    def name(self) -> Name:
        return Name(self.instance, self.incarnation)

    def key(self, name: str) -> Key:
        key = self.keys.get(name)
        if key is None:
            key = self.keys[name] = Key(name)
        return key

    def peer(self, name: Name) -> Peer:
        peer = self.peers.get(name)
        if peer is None:
            peer = self.peers[name] = Peer(name)
        return peer

    def count_candidates(self) -> None:
        ours = [] if self.retired else [Candidate(self.instance, self.zone, self.weight)]
        self.candidates = ours + [
            Candidate(instance, peer.zone, peer.weight) for instance, peer in self.present.items() if peer.able
        ]

    def forget_peers(self, now: float) -> None:
        """Drop those that are long gone and hold nothing."""
        for name, peer in tuple(self.peers.items()):
            long_gone = peer.gone_at == inf or now - peer.gone_at > _GONE_S
            if long_gone and not peer.present and not peer.keys:
                del self.peers[name]

    def schedule(self, key: Key, due: float) -> None:
        """Look at a key at `due` and not before; what was planned for it is void."""
        if due != key.due:
            key.due = due
            if due < inf:
                heapq.heappush(self.queue, (due, key.name))

    def due(self, now: float) -> Key | None:
        """Take the next key that is to be looked at now."""
        while self.queue and self.queue[0][0] <= now:
            at, name = heapq.heappop(self.queue)
            key = self.keys[name]
            if at == key.due:
                key.due = inf
                return key
        return None
