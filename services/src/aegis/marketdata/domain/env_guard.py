"""Whether a feed is of the same env as its feed set: one of a simulation never takes the place of a live one."""

from __future__ import annotations

from aegis.contracts.market import Env, Tick
from aegis.contracts.reasons import Reason

__all__ = ["EnvGuard"]


class EnvGuard:
    """A feed set is of the env of its latest epoch, by the ticks that the stream and live subscribers have of it."""

    def __init__(self, feed: str, env: Env) -> None:
        self._feed = feed
        self._env: Env = env
        self._epoch = 0
        self.refusal: Reason | None = None  # why this feed may not publish

    def look(self, tick: Tick) -> bool:
        """Whether a tick of the feed set, published by whomever, changes `refusal`."""
        if tick.epoch <= self._epoch:
            return False
        self._epoch, before = tick.epoch, self.refusal
        self.refusal = None if tick.env == self._env else self._refused(tick.env)
        return self.refusal != before

    def _refused(self, theirs: Env) -> Reason:
        return Reason.of("other_env", feed=self._feed, theirs=theirs, ours=self._env)
