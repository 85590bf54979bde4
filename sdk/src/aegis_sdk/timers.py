"""The timers of single-active services: three named presets, and what is wrong with a combination.

They hang together: docs/single-active.md says how to size them; `Timers` refuses what contradicts itself, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from aegis_sdk.errors import ConfigurationError

__all__ = ["AGGRESSIVE", "BALANCED", "CONSERVATIVE", "PRESETS", "Timers"]

WORST_LOOP_GAP_S: Final = 0.116
"""The longest gap of a healthy event loop that was measured: 8 busy processes on 2 cores."""


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
        raise NotImplementedError
