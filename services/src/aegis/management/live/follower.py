"""One who follows topics: over a WebSocket or as server-sent events."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.management.access.roles import Role
from aegis.management.live.hub import Hub
from aegis.management.live.messages import MOST_TOPICS
from aegis.management.live.sources import Source
from aegis.management.live.topic import Topic
from aegis.management.problems import Problem

__all__ = ["Follower", "permitted"]


class Follower:
    """All that is kept for one: a sequence for each of at most 200 topics. Use it as a context manager."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._followed: dict[str, tuple[Topic, int | None]] = {}

    def __enter__(self) -> Follower:
        if not self._hub.enter():
            raise Problem("overloaded", "too many follow already")
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._followed):
            self.unsubscribe(name)
        self._hub.exit()

    def subscribe(self, name: str, role: Role, origin: str = "", sequence: int | None = None) -> None:
        """Follow a topic from the beginning, or from a sequence of this origin on. Raises Problem."""
        source = permitted(self._hub, name, role)
        if name in self._followed:
            return
        topic = self._hub.follow(name, source) if len(self._followed) < MOST_TOPICS else None
        if topic is None:
            raise Problem("overloaded", f"at most {MOST_TOPICS} topics")
        self._followed[name] = topic, sequence if origin == topic.origin else None

    def unsubscribe(self, name: str) -> None:
        if self._followed.pop(name, None) is not None:
            self._hub.leave(name)

    def news(self) -> Iterator[bytes]:
        """What has changed since this was asked last, topic by topic; what comes meanwhile is for the next time."""
        for name in list(self._followed):
            if name not in self._followed:
                continue
            topic, sequence = self._followed[name]
            messages = topic.since(sequence)
            if sequence is None or messages:
                self._followed[name] = topic, topic.sequence
            yield from messages

    @property
    def places(self) -> dict[str, tuple[str, int]]:
        """Origin and sequence of each topic, to go on from after a cut."""
        followed = self._followed.items()
        return {name: (topic.origin, sequence) for name, (topic, sequence) in followed if sequence is not None}


def permitted(hub: Hub, name: str, role: Role) -> Source:
    """The source of a topic that this role may follow. Raises Problem."""
    source = hub.find(name)
    if source is None:
        raise Problem("not_found", f"there is no topic {name[:100]}")
    if not role.includes(source.role):
        raise Problem("role_needed", f"{name} needs the role {source.role}", needed=source.role)
    return source
