"""Whether a feed is of the same env as its feed set: one of a simulation never takes the place of a live one."""

from __future__ import annotations

from aegis.contracts.market import Env, Tick

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
        self.refusal = ""  # why this feed may not publish; empty: it may

    def look(self, tick: Tick, *, live: bool = False) -> bool:
        """Whether a tick of the feed set, published by whomever, changes `refusal`; `live`: just now."""
        if self._written or tick.epoch <= self._epoch:
            return False
        self._epoch, before = tick.epoch, self.refusal
        self.refusal = "" if tick.env == self._env else self._words(tick.env)
        self.is_claimed = self.is_claimed or (live and not self.refusal)
        return self.refusal != before

    def written(self, env: str) -> bool:
        """Whether that changes `refusal`: the feed set was taken for that env; empty: for none yet."""
        self._written, before = env, self.refusal
        if env:
            self.is_claimed = env == self._env
            self.refusal = "" if self.is_claimed else self._words(env)
        return self.refusal != before

    def _words(self, theirs: str) -> str:
        return (
            f"the feed set {self._feed} is {theirs}, and this feed is {self._env}: it never publishes there. Run it on "
            f"a desk of its own; or, where all of them shall change, stop them, purge TICKS, delete the key "
            f"{self._feed}.env of the bucket aegis_reference and start again"
        )
