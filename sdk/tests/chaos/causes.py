"""For how long a fault excuses what comes of it: a switch, or a caller who waits. From the timers, by fault. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aegis_sdk.timers import Timers

from .history import STOPS, Fault, History

BUSY_S: Final = 1.0
"""By so much later may come on a busy machine what is due."""
RANKS: Final = 3
DRAIN_S: Final = 3.0  # `drain_timeout_s` of the instances
HARMLESS: Final = ("node_killed", "node_restarted", "wall_clock")
"""Faults after which no healthy instance may lose a key."""
OF_NODES: Final = ("node_killed", "node_restarted", "node_paused", "isolated", "disk_full")
"""While such a fault lasts nobody may be able to claim; it ends when all replicas are current again."""


def causes(history: History, timers: Timers) -> list[tuple[Fault, float]]:
    """The faults that may cost a holder its key, and until when each may."""
    limits = _limits(timers)
    outages = [fault for fault in history.faults if fault.what in OF_NODES]
    found: list[tuple[Fault, float]] = []
    for fault in history.faults:
        seconds = fault.ended - fault.began
        if fault.what in HARMLESS or (fault.what in STOPS and seconds <= timers.gate_s):
            continue
        limit_s = limits[fault.what] + (seconds if fault.what == "packets_lost" else 0.0)
        until = fault.ended + limit_s
        for outage in outages:
            if outage.began <= until:
                until = max(until, outage.ended + limit_s)
        found.append((fault, until))
    return found


def _limits(timers: Timers) -> Mapping[str, float]:
    """For how long after its end a fault may still be the cause of a switch."""
    taken_over = timers.silence_s + RANKS * timers.rank_s + timers.write_s + BUSY_S
    given_back = timers.handover_s + taken_over
    unproved = timers.write_s + timers.suspended_s + taken_over
    return {
        "SIGSTOP": taken_over,
        "blocked": taken_over,
        "preempted": taken_over,
        "SIGKILL": timers.settle_s + taken_over,  # who is there may have just come
        "hang": timers.settle_s + given_back,
        "hand_over": DRAIN_S + given_back,
        "cut": timers.write_s + taken_over,
        "packets_lost": timers.write_s + taken_over,  # and for as long again, for TCP doubles its pauses
        "node_paused": unproved,
        "isolated": unproved,
        "disk_full": unproved,
    }
