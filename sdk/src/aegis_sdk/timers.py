"""The timers of single-active services: three named presets, and what is wrong with a combination.

They hang together: docs/single-active.md says how to size them; `Timers` refuses what contradicts itself, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from aegis_sdk.errors import ConfigurationError

__all__ = ["AGGRESSIVE", "BALANCED", "CONSERVATIVE", "PRESETS", "Timers"]

# The longest that was measured, each with everything in health: 8 busy processes on 2 cores, ledger in 3 copies.
WORST_LOOP_GAP_S: Final = 0.116
WORST_RECONNECTION_S: Final = 0.094  # a client is away for so long when its server is killed
WORST_WRITE_S: Final = 0.003
WORST_CLAIM_S: Final = 0.015  # of 333 keys at once
LOOP_STEP_S: Final = 0.001  # what an event loop measures time by when it sleeps


@dataclass(frozen=True, kw_only=True)
class Timers:
    """All in seconds, above zero."""

    heartbeat_s: float  # between two heartbeats of an instance
    gate_s: float  # a gap of its own event loop after which an instance trusts nothing that it knew
    proof_s: float  # how long a proof of the epoch holds, from when it was sent; the protocol's V
    ask_after_s: float  # silence of an instance after which it is asked whether it lives
    confirm_s: float  # "nobody serves this", twice, so far apart: its process is gone
    silence_s: float  # silence of an instance that is connected, after which it is taken for stopped
    rank_s: float  # by so much later claims who is one place further down the ranking
    settle_s: float  # after its start and each reconnection an instance suspects nobody and claims nothing
    suspended_s: float  # a holder that cannot prove its epoch for so long, though its standby can, is replaced
    handover_s: float  # a key handed over that its successor has not claimed by then is free for all
    recover_s: float  # a new holder that is not ready by then gives the key back
    write_s: float  # without an answer for so long, a write to the ledger is sent again
    outcome_s: float  # a caller hears within this time that its call is not executed, or that nobody knows

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ConfigurationError(f"timers.{field.name}", "must be above zero")
        for name, problem in self._contradictions():
            raise ConfigurationError(f"timers.{name}", problem)

    def _contradictions(self) -> list[tuple[str, str]]:
        return [
            (name, f"{value:g} must be above {bound:g} ({what}), or {otherwise}")
            for name, bound, what, otherwise in self._bounds()
            if not (value := getattr(self, name)) > bound
        ]

    def _bounds(self) -> tuple[tuple[str, float, str, str], ...]:
        """What must be above which figure, what that is, and what happens otherwise."""
        return (
            (
                "heartbeat_s",
                LOOP_STEP_S,
                "the step in which an event loop sleeps",
                "heartbeats cannot keep their times",
            ),
            (
                "ask_after_s",
                self.heartbeat_s,
                "heartbeat_s",
                "every instance is asked between any two of its heartbeats",
            ),
            (
                "gate_s",
                self.heartbeat_s + WORST_LOOP_GAP_S,
                "heartbeat_s and the worst gap of a healthy event loop",
                "a healthy instance suspends itself",
            ),
            (
                "confirm_s",
                WORST_RECONNECTION_S,
                "how long a client is away whose server dies",
                "who reconnects is taken for dead",
            ),
            (
                "silence_s",
                self.gate_s + self.heartbeat_s,
                "gate_s and heartbeat_s",
                "an instance is replaced for a gap that it does not notice itself",
            ),
            (
                "silence_s",
                self.ask_after_s + self.confirm_s,
                "ask_after_s and confirm_s",
                "a killed process is not found before a stopped one",
            ),
            (
                "silence_s",
                self.rank_s,
                "rank_s",
                "a standby waits for the one before it for longer than it takes to find that one dead",
            ),
            (
                "silence_s",
                self.handover_s,
                "handover_s",
                "a key handed over to a successor that dies is without a holder for longer than that of a dead holder",
            ),
            (
                "settle_s",
                self.silence_s,
                "silence_s",
                "a holder that has been silent for as long as it may is robbed by one that has just started",
            ),
            (
                "proof_s",
                2 * WORST_WRITE_S,
                "two of the slowest healthy writes to the ledger",
                "no proof is young enough when it is acknowledged",
            ),
            (
                "write_s",
                2 * WORST_CLAIM_S,
                "twice the slowest healthy write to the ledger, a claim of many keys",
                "a holder suspends itself for an answer that is on its way",
            ),
            (
                "rank_s",
                WORST_CLAIM_S,
                "how long a claim of many keys takes",
                "all standbys claim at the same time",
            ),
            (
                "handover_s",
                WORST_CLAIM_S,
                "how long a claim of many keys takes",
                "no successor can be in time",
            ),
            (
                "recover_s",
                self.proof_s,
                "proof_s, which a new holder waits before it serves",
                "no recovery can succeed",
            ),
            (
                "suspended_s",
                self.write_s + self.gate_s,
                "write_s and gate_s",
                "a holder is replaced before it could send its write again",
            ),
            (
                "outcome_s",
                self.write_s,
                "write_s",
                "a caller is told that nobody knows before a lost write was sent again",
            ),
        )


AGGRESSIVE: Final = Timers(
    heartbeat_s=0.05,
    gate_s=0.2,
    proof_s=0.075,
    ask_after_s=0.08,
    confirm_s=0.1,
    silence_s=0.4,
    rank_s=0.05,
    settle_s=1.0,
    suspended_s=2.0,
    handover_s=0.1,
    recover_s=5.0,
    write_s=0.5,
    outcome_s=0.7,
)
"""A killed holder is replaced within half a second, a stopped one within a second. For hosts with cores to spare."""

BALANCED: Final = Timers(
    heartbeat_s=0.1,
    gate_s=0.4,
    proof_s=0.15,
    ask_after_s=0.25,
    confirm_s=0.15,
    silence_s=1.0,
    rank_s=0.1,
    settle_s=2.0,
    suspended_s=4.0,
    handover_s=0.25,
    recover_s=15.0,
    write_s=1.0,
    outcome_s=2.0,
)
"""For hosts that other programs keep busy, and networks of more than one room."""

CONSERVATIVE: Final = Timers(
    heartbeat_s=0.25,
    gate_s=1.0,
    proof_s=0.4,
    ask_after_s=0.6,
    confirm_s=0.25,
    silence_s=2.5,
    rank_s=0.2,
    settle_s=5.0,
    suspended_s=10.0,
    handover_s=0.5,
    recover_s=60.0,
    write_s=2.0,
    outcome_s=5.0,
)
"""For handlers that block the event loop at times, and recoveries that take long."""

PRESETS: Final[Mapping[str, Timers]] = {
    "aggressive": AGGRESSIVE,
    "balanced": BALANCED,
    "conservative": CONSERVATIVE,
}
