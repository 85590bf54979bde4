"""Whether a feed is of the same env as its feed set: one of a simulation never takes the place of a live one."""

from __future__ import annotations

from aegis.contracts.market import Env, Tick

__all__ = ["EnvGuard"]


class EnvGuard:
    """A feed set is of the env of its latest epoch, by the ticks that the stream and live subscribers have of it."""

    def __init__(self, feed: str, env: Env) -> None:
        self._feed = feed
        self._env: Env = env
        self._epoch = 0
        self.refusal = ""  # why this feed may not publish; empty: it may

    def look(self, tick: Tick) -> bool:
        """Whether a tick of the feed set, published by whomever, changes `refusal`."""
        if tick.epoch <= self._epoch:
            return False
        self._epoch, before = tick.epoch, self.refusal
        self.refusal = "" if tick.env == self._env else self._words(tick.env)
        return self.refusal != before

    def _words(self, theirs: Env) -> str:
        return (
            f"the feed set {self._feed} is {theirs}, and this feed is {self._env}: it never publishes there. "
            "Run it on a desk of its own; or, where all of them shall change, stop them, purge TICKS and start again"
        )
