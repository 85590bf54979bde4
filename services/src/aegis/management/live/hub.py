"""The topics that somebody follows, and the beat at which followers look."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

import structlog

from aegis.management.live.sources import Source, Sources
from aegis.management.live.topic import Topic
from aegis.management.problems import Problem, ProblemBody, problem_of
from aegis_sdk.errors import AegisError

__all__ = ["BEAT_S", "Hub"]

_log = structlog.get_logger("aegis.live")

BEAT_S: Final = 0.1
_LINGER_S: Final = 30.0
"""So long a topic that nobody follows any more is kept up, for who comes back after a cut."""
_AGAIN_S: Final = 1.0
_MOST_TOPICS: Final = 2_000
_MOST_FOLLOWERS: Final = 500


class _Open:
    """A topic with what fills it."""

    def __init__(self, topic: Topic, filling: asyncio.Task[None]) -> None:
        self.topic = topic
        self.filling = filling
        self.followers = 0
        self.idle_since = 0.0


class Hub:
    """One of a process. `run` it; followers `enter`, `follow` topics, wait for the `beat`, and `leave` them."""

    def __init__(self, sources: Sources) -> None:
        self.followers = 0
        self._sources = sources
        self._open: dict[str, _Open] = {}
        self._beat = asyncio.Event()

    async def run(self) -> None:
        """Beat ten times a second; close topics that nobody follows."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(BEAT_S)
                beat, self._beat = self._beat, asyncio.Event()
                beat.set()
                self._close_idle(loop.time() - _LINGER_S)
        finally:
            self._close_idle(float("inf"), at_all=True)

    async def beat(self) -> None:
        await self._beat.wait()

    def enter(self) -> bool:
        """Whether there is room for one follower more; who has entered has to `exit`."""
        if self.followers >= _MOST_FOLLOWERS:
            return False
        self.followers += 1
        return True

    def exit(self) -> None:
        self.followers -= 1

    def find(self, name: str) -> Source | None:
        return self._sources.find(name)

    def follow(self, name: str, source: Source) -> Topic | None:
        """The topic, which is filled from now on until all have left it; None where there are too many."""
        opened = self._open.get(name)
        if opened is None:
            if len(self._open) >= _MOST_TOPICS:
                return None
            topic = Topic(name, secrets.token_hex(4), source.shown)
            opened = _Open(topic, asyncio.create_task(_filled(topic, source), name=f"live {name}"))
            self._open[name] = opened
        opened.followers += 1
        return opened.topic

    def leave(self, name: str) -> None:
        opened = self._open[name]
        opened.followers -= 1
        opened.idle_since = asyncio.get_running_loop().time()
        if not opened.followers and opened.topic.state.state == "unknown":
            self._close(name)  # who asks for it once more is told how it is then

    @property
    def topics(self) -> int:
        return len(self._open)

    def _close_idle(self, since: float, *, at_all: bool = False) -> None:
        for name, opened in list(self._open.items()):
            if at_all or (not opened.followers and opened.idle_since < since):
                self._close(name)

    def _close(self, name: str) -> None:
        self._open.pop(name).filling.cancel()


async def _filled(topic: Topic, source: Source) -> None:
    """Fill, and begin again after an error; what was known stays until then, and who follows is told."""
    told: ProblemBody | None = None
    while True:
        try:
            await source.fill(topic)
        except (Problem, AegisError, TimeoutError) as error:
            topic.fail(error if isinstance(error, Problem) else problem_of(error))
            if topic.state.problem != told:
                told = topic.state.problem
                _log.warning("topic_not_filled", topic=topic.name, reason=str(error))
        except Exception:
            topic.fail(Problem("internal", "log_says"))
            _log.exception("topic_failed", topic=topic.name)
        await asyncio.sleep(_AGAIN_S)
