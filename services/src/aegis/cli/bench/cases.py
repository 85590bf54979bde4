"""The cases of `aegis bench failover`."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["OF_A_CLUSTER", "FailoverCase"]


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
