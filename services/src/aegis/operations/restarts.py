"""When a process that ended is started again: a pure decision."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Crashes", "RestartPolicy"]


@dataclass(frozen=True, kw_only=True)
class RestartPolicy:
    """Pauses double from crash to crash; who crashes `limit` times in `within_s` is given up."""

    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0
    limit: int = 5
    within_s: float = 30.0

    def pause(self, crashes: Crashes) -> float | None:
        """Seconds until the next start; None to give up."""
        if len(crashes.recent) >= self.limit:
            return None
        return min(self.first_pause_s * 2 ** (crashes.streak - 1), self.longest_pause_s)


@dataclass(frozen=True, kw_only=True)
class Crashes:
    """What is remembered of a process that crashed. Times are seconds of one clock."""

    recent: tuple[float, ...] = ()
    streak: int = 0  # crashes in a row, none of which came after a run of `within_s`

    def another(self, policy: RestartPolicy, *, started: float, now: float) -> Crashes:
        recent = tuple(at for at in (*self.recent, now) if now - at < policy.within_s)
        steady = now - started >= policy.within_s
        return Crashes(recent=recent, streak=1 if steady else min(self.streak + 1, 32))
