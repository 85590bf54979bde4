"""The instances of an election's world: what a host would keep for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from aegis_sdk.election import Election
from aegis_sdk.election_events import (
    Adopt,
    Alarm,
    Claim,
    ProbeLedger,
    Role,
)
from aegis_sdk.timers import AGGRESSIVE, Timers

if TYPE_CHECKING:
    from .election_world import World

T: Timers = AGGRESSIVE
TICK_S = 0.01
WIRE_S = 0.0005
WRITE_S = 0.001
PROVE_S = T.proof_s / 2
KILLED_S = T.ask_after_s + T.confirm_s  # after which a killed process is known to be gone


class Fate(Enum):
    """What becomes of a claim."""

    STORED = 1
    ANSWER_LOST = 2
    DROPPED = 3
    LATE = 4  # stored long after its claimer has given it up


@dataclass(eq=False)
class Holding:
    """An epoch in use."""

    epoch: int
    answer_from: float
    ready: bool = False
    suspended_at: float | None = None
    effective: list[tuple[float, float]] = field(default_factory=list)  # from, until


@dataclass(eq=False)
class Node:
    """One incarnation of an instance, with what a host would keep."""

    world: World
    instance: str
    incarnation: str
    weight: int
    election: Election
    alive: bool = True
    connected: bool = True
    reaches_ledger: bool = True
    able: bool = True
    frozen_until: float = 0.0
    recover_s: float = 0.005
    recovers: bool = True
    lists: bool = True  # whether its heartbeats name what it holds
    holdings: dict[str, Holding] = field(default_factory=dict)
    heard: dict[str, tuple[str, float]] = field(default_factory=dict)  # incarnation, when
    listed: Mapping[str, int] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    claims: list[tuple[float, Claim]] = field(default_factory=list)
    probes: list[tuple[float, ProbeLedger]] = field(default_factory=list)
    adopted: list[tuple[float, Adopt]] = field(default_factory=list)

    @property
    def runs(self) -> bool:
        return self.alive and self.world.now >= self.frozen_until

    def role(self, key: str = "k") -> Role:
        return self.election.role(key)

    def writes(self) -> bool:
        return self.alive and self.connected and self.reaches_ledger and self.world.ledger_works

    def __repr__(self) -> str:
        return f"{self.instance}/{self.incarnation}"
