"""The cases of `aegis bench failover`, `feed` and `ctp`, and what else can be chosen by name."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["OF_A_CLUSTER", "OF_A_FEED_CLUSTER", "Baseline", "CtpCase", "FailoverCase", "FeedCase", "Source"]


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


class FeedCase(StrEnum):
    SESSION_KILLED = "session_killed"
    PROCESS_KILLED = "process_killed"
    PROCESS_STOPPED = "process_stopped"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    STALLED = "stalled"
    HANDED_OVER = "handed_over"
    NODE_KILLED = "node_killed"
    TICKS_KILLED = "ticks_killed"
    SHARD_KILLED = "shard_killed"
    BOTH_KILLED = "both_killed"
    LEADER_KILLED = "leader_killed"
    FEED_TOO_KILLED = "feed_too_killed"


OF_A_FEED_CLUSTER: Final = frozenset(
    {
        FeedCase.NODE_KILLED,
        FeedCase.TICKS_KILLED,
        FeedCase.SHARD_KILLED,
        FeedCase.BOTH_KILLED,
        FeedCase.LEADER_KILLED,
        FeedCase.FEED_TOO_KILLED,
    }
)
"""What kills a node of three."""


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
