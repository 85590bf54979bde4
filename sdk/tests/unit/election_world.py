"""A world of simulated time around several elections: their ledger, the network between them, and what befalls them.

A node does what a host would: it beats, listens, claims, recovers, proves its epochs and gives them back.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from aegis_sdk.election import Election, step
from aegis_sdk.election_events import (
    Adopt,
    Alarm,
    BeatHeard,
    Claim,
    Claimed,
    ClaimRefused,
    ClaimUnknown,
    Connected,
    Demote,
    Deposed,
    Disconnected,
    Event,
    Joined,
    LeaseRead,
    LeasesCaughtUp,
    Left,
    ProbeLedger,
    Proved,
    ProvedByStandby,
    Recovered,
    RecoveryFailed,
    Release,
    Released,
    Retired,
    Role,
    Stop,
    Suspended,
    Ticked,
    Wanted,
    Withdraw,
)
from aegis_sdk.ledger.records import Lease, LeaseState
from aegis_sdk.placement import Placement

from .election_nodes import KILLED_S, PROVE_S, TICK_S, WIRE_S, WRITE_S, Fate, Holding, Node, T

WIRES_S = 0.03  # a tick, a write and what travels


@dataclass
class World:
    keys: Iterable[str] = ("k",)
    placement: Placement = field(default_factory=Placement)
    random: Random = field(default_factory=lambda: Random(1))
    now: float = 1000.0
    ledger_works: bool = True
    sequence: int = 0
    leases: dict[str, list[tuple[int, Lease]]] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    fates: deque[Fate] = field(default_factory=deque)  # of the next claims; then all are stored
    late_s: float = 2.0
    holders: dict[tuple[str, int], Node] = field(default_factory=dict)
    used: list[tuple[str, Holding]] = field(default_factory=list)
    _queue: list[tuple[float, int, Node | None, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _names: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    # Time

    def after(self, delay: float, act: Callable[[], None], node: Node | None = None) -> None:
        heapq.heappush(self._queue, (self.now + delay, next(self._order), node, act))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            at, order, node, act = heapq.heappop(self._queue)
            self.now = max(at, self.now)
            if node is not None and node.alive and self.now < node.frozen_until:
                heapq.heappush(self._queue, (node.frozen_until, order, node, act))  # waits in its socket, in order
            elif node is None or node.alive:
                act()
        self.now = end

    def run_until(self, condition: Callable[[], bool], within: float) -> float:
        """Returns how long it took."""
        began = self.now
        while not condition():
            assert self.now < began + within, "it did not happen"
            self.run(0.005)
        return self.now - began

    # Nodes

    def node(self, instance: str, *, weight: int = 100, run: float = 0.0, zone: str = "") -> Node:
        """Start an instance; one that runs under the name has been killed before."""
        incarnation = f"i{next(self._names)}"
        election = Election(
            service="s",
            instance=instance,
            incarnation=incarnation,
            timers=T,
            placement=lambda _: self.placement,
            zone=zone,
            weight=weight,
            now=self.now,
        )
        node = Node(self, instance, incarnation, weight, election)
        self.nodes.append(node)
        self.after(0.01, lambda: self._catch_up(node), node)
        self.after(0.02, lambda: self.tell(node, LeasesCaughtUp()), node)
        self.tell(node, Wanted(frozenset(self.keys)))
        self.after(0.0, lambda: self._tick(node), node)
        self.after(0.001, lambda: self._beat(node), node)
        self.after(PROVE_S, lambda: self._prove(node), node)
        self.run(run)
        return node

    def start(self, *instances: str) -> list[Node]:
        """Start these and let them settle and share the keys."""
        nodes = [self.node(instance) for instance in instances]
        self.run(2 * T.settle_s + 1.0)
        return nodes

    def kill(self, node: Node) -> None:
        node.alive = False
        for other in self.nodes:
            self.after(KILLED_S, lambda other=other: self._miss(other, node), other)

    def freeze(self, node: Node, seconds: float) -> None:
        """Its process is stopped; when it goes on, its gate suspends what it holds before all else."""
        node.frozen_until = self.now + seconds
        first = -next(self._order)
        heapq.heappush(self._queue, (node.frozen_until, first, node, lambda: self._break_gate(node, seconds)))

    def disconnect(self, node: Node) -> None:
        node.connected = False
        self.tell(node, Disconnected())

    def connect(self, node: Node) -> None:
        node.connected = True
        for name, (incarnation, _) in node.heard.items():
            node.heard[name] = incarnation, self.now  # it listens anew
        self.tell(node, Connected())
        self._catch_up(node)
        self.tell(node, LeasesCaughtUp())

    def retire(self, node: Node, retired: bool = True) -> None:
        node.able = not retired
        for other in self.nodes:
            if other is not node:
                self.after(WIRE_S, lambda other=other: self._show(other, node), other)
        self.tell(node, Retired(retired))

    def withdraw(self, node: Node, key: str = "k", successor: str = "") -> None:
        self.tell(node, Withdraw(key, successor))

    # What a node does

    def tell(self, node: Node, event: Event) -> None:
        if not node.alive:
            return
        for action in step(node.election, event, self.now):
            match action:
                case Claim():
                    node.claims.append((self.now, action))
                    self._claim(node, action, self.fates.popleft() if self.fates else Fate.STORED)
                case Adopt():
                    self._adopt(node, action)
                case Release():
                    self._drain(node, action)
                case Demote(key, epoch):
                    if key in node.holdings:  # not dropped by its release yet
                        assert node.holdings[key].epoch == epoch
                        self._drop(node, key)
                case ProbeLedger():
                    node.probes.append((self.now, action))
                    self._probe(node, action)
                case Alarm():
                    node.alarms.append(action)
                case Stop(key):
                    node.stops.append(key)

    def _tick(self, node: Node) -> None:
        if node.connected:
            for name, (incarnation, at) in tuple(node.heard.items()):
                if self.now - at > T.silence_s:
                    del node.heard[name]
                    self.tell(node, Left(name, incarnation))
        self.tell(node, Ticked())
        self.after(TICK_S, lambda: self._tick(node), node)

    def _beat(self, node: Node) -> None:
        if node.listed != node.election.held and node.lists:
            node.listed = dict(node.election.held)
        suspended = frozenset(key for key, holding in node.holdings.items() if holding.suspended_at is not None)
        beat = BeatHeard(node.instance, node.incarnation, node.listed if node.lists else {}, suspended)
        for other in self.nodes:
            if other is not node and other.alive and node.connected and other.connected:
                self.after(WIRE_S, lambda other=other: self._hear(other, node, beat), other)
        self.after(T.heartbeat_s, lambda: self._beat(node), node)

    def _hear(self, node: Node, other: Node, beat: BeatHeard) -> None:
        if not node.connected:
            return
        known = node.heard.get(other.instance)
        if known is not None and known[0] != other.incarnation:
            if any(n.incarnation == known[0] and n.alive for n in self.nodes):
                return
            self.tell(node, Left(other.instance, known[0]))
        node.heard[other.instance] = other.incarnation, self.now
        if known is None or known[0] != other.incarnation:
            self._show(node, other)
        self.tell(node, beat)

    def _show(self, node: Node, other: Node) -> None:
        if node.connected and other.instance in node.heard:
            self.tell(node, Joined(other.instance, other.incarnation, "", other.weight, other.able))

    def _miss(self, node: Node, other: Node) -> None:
        if node.connected and node.heard.get(other.instance, ("", 0))[0] == other.incarnation:
            del node.heard[other.instance]
            self.tell(node, Left(other.instance, other.incarnation))

    # Claims

    def _claim(self, node: Node, claim: Claim, fate: Fate) -> None:
        attempt = f"{node.incarnation}-{next(self._names)}"
        lease = Lease(LeaseState.ACTIVE, node.instance, node.incarnation, attempt, "", claim.proof_ms, claim.gap_ms)

        def land() -> None:
            reached = node.writes() or fate is Fate.LATE
            sequence = self._store(claim.key, lease, claim.expected) if reached and self.ledger_works else -1
            if fate is Fate.STORED and sequence >= 0:
                self.after(WIRE_S, lambda: self._answer(node, claim.key, sequence, attempt), node)
            elif fate is not Fate.LATE:
                self.after(T.write_s, lambda: self.tell(node, ClaimUnknown(claim.key)), node)

        if fate is Fate.LATE:
            self.after(T.write_s, lambda: self.tell(node, ClaimUnknown(claim.key)), node)
            self.after(self.late_s, land)
        elif fate is Fate.DROPPED:
            self.after(T.write_s, lambda: self.tell(node, ClaimUnknown(claim.key)), node)
        else:
            self.after(WRITE_S, land)

    def _answer(self, node: Node, key: str, sequence: int, attempt: str) -> None:
        self.tell(node, Claimed(key, sequence, attempt, self.now) if sequence else ClaimRefused(key))

    def _adopt(self, node: Node, adopt: Adopt) -> None:
        key, epoch, answer_from = adopt
        assert node.election.epoch(key) == epoch
        assert self.holders.setdefault((key, epoch), node) is node, "two hold one epoch"
        lease = dict(self.leases[key])[epoch]
        assert (lease.holder, lease.incarnation, lease.state) == (node.instance, node.incarnation, LeaseState.ACTIVE)
        assert all(before.epoch < epoch for at, before in node.adopted if before.key == key), "epochs rise"
        node.adopted.append((self.now, adopt))
        holding = node.holdings[key] = Holding(epoch, answer_from)
        self.used.append((key, holding))
        self.after(max(node.recover_s, answer_from - self.now), lambda: self._recovered(node, key, holding), node)

    def _recovered(self, node: Node, key: str, holding: Holding) -> None:
        if node.holdings.get(key) is not holding:
            return
        if not node.recovers:
            self.tell(node, RecoveryFailed(key, holding.epoch))
            return
        assert self.now >= holding.answer_from
        holding.ready = True
        self.tell(node, Recovered(key, holding.epoch))

    def _break_gate(self, node: Node, gap: float) -> None:
        if gap > T.gate_s:
            for key, holding in tuple(node.holdings.items()):
                self._suspend(node, key, holding)

    def _suspend(self, node: Node, key: str, holding: Holding) -> None:
        holding.suspended_at = self.now
        self.tell(node, Suspended(key, holding.epoch))

    def _prove(self, node: Node) -> None:
        for key, holding in tuple(node.holdings.items()):
            if node.writes():
                self._send_proof(node, key, holding)
            elif holding.ready and holding.suspended_at is None:
                self._suspend(node, key, holding)
        self.after(PROVE_S, lambda: self._prove(node), node)

    def _send_proof(self, node: Node, key: str, holding: Holding) -> None:
        sent_at = self.now

        def arrive() -> None:
            taken = self.epoch(key) == holding.epoch
            self.after(WIRE_S, lambda: self._proven(node, key, holding, sent_at, taken), node)

        self.after(WRITE_S, arrive)

    def _proven(self, node: Node, key: str, holding: Holding, sent_at: float, taken: bool) -> None:
        if node.holdings.get(key) is not holding:
            return
        if not taken:
            self.tell(node, Deposed(key, holding.epoch))
            return
        if holding.suspended_at is not None:
            if sent_at < holding.suspended_at:
                return
            holding.suspended_at = None
            self.tell(node, Proved(key, holding.epoch))
        if holding.ready:
            holding.effective.append((self.now, max(self.now, sent_at + T.proof_s)))

    def _drain(self, node: Node, release: Release) -> None:
        holding = node.holdings.get(release.key)
        if holding is not None:
            holding.ready = False
            holding.effective = [(begin, min(end, self.now)) for begin, end in holding.effective]
        self.after(0.005, lambda: self._release(node, release), node)

    def _release(self, node: Node, release: Release) -> None:
        key, epoch, successor, _ = release
        if not node.writes():
            self.after(0.05, lambda: self._release(node, release), node)
            return
        state = LeaseState.HANDOVER if successor else LeaseState.VACANT
        lease = Lease(state, node.instance, node.incarnation, successor=successor)
        self._store(key, lease, epoch)  # refused: it has ended already
        if node.holdings.get(key) is not None and node.holdings[key].epoch == epoch:
            self._drop(node, key)
        self.after(WIRE_S, lambda: self.tell(node, Released(key, epoch)), node)

    def _drop(self, node: Node, key: str) -> None:
        holding = node.holdings.pop(key)
        holding.effective = [(begin, min(end, self.now)) for begin, end in holding.effective]

    def _probe(self, node: Node, probe: ProbeLedger) -> None:
        if node.writes() and self.epoch(probe.key) == probe.epoch:
            self.after(WRITE_S, lambda: self.tell(node, ProvedByStandby(probe.key, probe.epoch)), node)

    # The ledger

    def _store(self, key: str, lease: Lease, expected: int) -> int:
        """The sequence of the record, 0 if the guard refused it."""
        if self.latest(key)[0] != expected:
            return 0
        return self.put(key, lease)

    def put(self, key: str, lease: Lease) -> int:
        self.sequence += self.random.randint(1, 3)
        sequence = self.sequence
        self.leases.setdefault(key, []).append((sequence, lease))
        self.sequence += 1  # its begin
        for node in self.nodes:
            self.after(WIRE_S, lambda node=node: self._read(node, key, lease, sequence), node)
        return sequence

    def _read(self, node: Node, key: str, lease: Lease, sequence: int) -> None:
        if node.connected:
            self.tell(node, LeaseRead(key, lease, sequence))

    def _catch_up(self, node: Node) -> None:
        for key in self.leases:
            sequence, lease = self.leases[key][-1]
            self.tell(node, LeaseRead(key, lease, sequence))

    def latest(self, key: str) -> tuple[int, Lease | None]:
        return self.leases[key][-1] if key in self.leases else (0, None)

    def epoch(self, key: str) -> int:
        sequence, lease = self.latest(key)
        return sequence if lease is not None and lease.state is LeaseState.ACTIVE else 0

    # What came of it

    def holders_of(self, key: str = "k") -> list[Node]:
        """Those that serve it, by their own word."""
        return [node for node in self.nodes if node.runs and node.role(key) is Role.ACTIVE]

    def holder(self, key: str = "k") -> Node | None:
        """The one that serves it, if it is also the ledger's."""
        holders = self.holders_of(key)
        return holders[0] if len(holders) == 1 and holders[0].election.epoch(key) == self.epoch(key) else None

    def epochs(self, key: str = "k") -> list[int]:
        return [sequence for sequence, lease in self.leases.get(key, []) if lease.state is LeaseState.ACTIVE]

    def check(self) -> None:
        """Nobody was effective under an epoch after somebody was under a later one."""
        begun: dict[str, float] = {}
        for key, holding in sorted(self.used, key=lambda use: -use[1].epoch):
            for _, end in holding.effective:
                assert end <= begun.get(key, end), f"{key}: epoch {holding.epoch} overlaps a later one"
            if holding.effective:
                begun[key] = min(begun.get(key, holding.effective[0][0]), holding.effective[0][0])
