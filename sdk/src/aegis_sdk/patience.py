"""How long a directory waits before it believes what it suspects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from aegis_sdk.timers import Timers

__all__ = ["Patience"]


@dataclass(frozen=True, kw_only=True)
class Patience:
    """All in seconds, but for `missed`. The defaults are for tables that people and load balancers look at."""

    tick_s: float = 0.05  # so often it looks; a gap of its own ticks counts as two at most
    settle_s: float = 1.0  # after a reconnection it suspects nobody
    suspicious_s: float = 0.4  # of silence, at least; above the worst gap of a healthy loop on a starved machine
    missed: int = 2  # heartbeats, and `margin_s` more, are as long as that where they are slow
    margin_s: float = 0.1
    confirm_s: float = 0.1  # between two refusals
    answer_s: float = 0.9  # a probe is given up then
    again_s: float = 0.9  # between two probes without an answer: the first may have been sent to a process that died
    probed_s: float = 0.4  # silence is final only after a probe had this long to be answered
    silence_s: float = 1.3  # is final, of one that is suspected after `suspicious_s`; of others it is as much later

    @classmethod
    def of(cls, timers: Timers) -> Self:
        """That of a single-active service: a heartbeat that is late is asked for at once."""
        late_s, doubt_s = timers.ask_after_s - timers.heartbeat_s, timers.silence_s - timers.ask_after_s
        return cls(
            tick_s=min(0.4 * timers.heartbeat_s, cls.tick_s),
            settle_s=timers.settle_s,
            suspicious_s=timers.ask_after_s,
            missed=1,
            margin_s=min(late_s, cls.margin_s),
            confirm_s=timers.confirm_s,
            answer_s=min(timers.confirm_s, doubt_s),
            again_s=timers.confirm_s / 4,
            probed_s=doubt_s / 2,
            silence_s=timers.silence_s,
        )
