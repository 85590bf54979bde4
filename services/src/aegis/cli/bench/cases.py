"""The cases of `aegis bench failover` and `aegis bench ctp`, and what else can be chosen by name."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["OF_A_CLUSTER", "Baseline", "CtpCase", "FailoverCase", "Source"]


class FailoverCase(StrEnum):
    SIGKILL = "sigkill"
    SIGSTOP = "sigstop"
    HANDOVER = "handover"
    MANY_KEYS = "many_keys"
    LEADER_KILLED = "leader_killed"
    ROLLING_RESTART = "rolling_restart"
    BUSY = "busy"


OF_A_CLUSTER: Final = frozenset({FailoverCase.LEADER_KILLED, FailoverCase.ROLLING_RESTART, FailoverCase.BUSY})
"""What these harm is a cluster of three, or the machine on which it runs."""


class CtpCase(StrEnum):
    SUSTAINED = "sustained"
    PACED = "5k"
    OVERLOAD = "overload"
    BURST = "burst20"
    CYCLES = "cycles"


class Baseline(StrEnum):
    """What stands beside the sustained case."""

    STOCK = "stock"  # vnpy's gateway and EventEngine, a coroutine for each tick, JSON
    THREADSAFE = "threadsafe"  # our converter and codec, and a coroutine for each tick


class Source(StrEnum):
    """Where a universe is subscribed."""

    SIMULATED = "simulated"
    CTP = "ctp"
