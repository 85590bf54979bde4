"""Whether a feed is of the same env as its feed set: one of a simulation never takes the place of a live one."""

from __future__ import annotations

from aegis.contracts.market import Env, Tick
from aegis.contracts.reasons import Reason

__all__ = ["EnvGuard"]


class EnvGuard:
    """A feed set is of the env for which it was taken first.

    Where nobody wrote that down, as before the first takeover, it is that of its latest epoch, by the ticks that the
    stream and live subscribers have of it.
    """

    def __init__(self, feed: str, env: Env) -> None:
        self._feed = feed
        self._env: Env = env
        self._epoch = 0
        self._written = ""
        self.is_claimed = False  # it is written down, or was by who publishes, that the feed set is of our env
        self.refusal: Reason | None = None  # why this feed may not publish

    def look(self, tick: Tick, *, live: bool = False) -> bool:
        """Whether a tick of the feed set, published by whomever, changes `refusal`; `live`: just now."""
        if self._written or tick.epoch <= self._epoch:
            return False
        self._epoch, before = tick.epoch, self.refusal
        self.refusal = None if tick.env == self._env else self._refused(tick.env)
        self.is_claimed = self.is_claimed or (live and self.refusal is None)
        return self.refusal != before

    def written(self, env: str) -> bool:
        """Whether that changes `refusal`: the feed set was taken for that env; empty: for none yet."""
        self._written, before = env, self.refusal
        if env:
            self.is_claimed = env == self._env
            self.refusal = None if self.is_claimed else self._refused(env)
        return self.refusal != before

    def _refused(self, theirs: str) -> Reason:
        return Reason.of("other_env", feed=self._feed, theirs=theirs, ours=self._env)
