"""One who follows topics: over a WebSocket or as server-sent events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel

from aegis.management.access.roles import Role
from aegis.management.live.hub import Hub
from aegis.management.live.messages import MOST_TOPICS, Refused, TopicState
from aegis.management.live.sources import Source
from aegis.management.live.topic import State, Topic
from aegis.management.problems import Problem

__all__ = ["Follower", "News", "permitted"]


class News(NamedTuple):
    """A message; with it a topic `is_whole` as of its sequence, from which one may go on after a cut."""

    message: bytes
    is_whole: bool


class Follower:
    """All that is kept for one of a user's: sequence and state of each of at most 200 topics. A context manager."""

    def __init__(self, hub: Hub, user: str) -> None:
        self._hub = hub
        self._user = user
        self._followed: dict[str, tuple[Topic, int | None]] = {}
        self._states: dict[str, State] = {}  # as they were told last

    def __enter__(self) -> Follower:
        if not self._hub.enter(self._user):
            raise Problem("overloaded", "many_followers", headers={"Retry-After": "4"})
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._followed):
            self.unsubscribe(name)
        self._hub.exit(self._user)

    def subscribe(self, name: str, role: Role, origin: str = "", sequence: int | None = None) -> None:
        """Follow a topic from the beginning, or from a sequence of this origin on. Raises Problem."""
        source = permitted(self._hub, name, role)
        if name in self._followed:
            return
        has_room = len(self._followed) < MOST_TOPICS
        topic = self._hub.follow(name, source, self._user) if has_room else None
        if topic is None:
            raise Problem("overloaded", "many_topics", most=MOST_TOPICS)
        self._followed[name] = topic, sequence if origin == topic.origin else None

    def unsubscribe(self, name: str) -> None:
        if self._followed.pop(name, None) is not None:
            self._states.pop(name, None)
            self._hub.leave(name, self._user)

    def news(self) -> Iterator[News]:
        """What has changed since this was asked last, topic by topic; what comes meanwhile is for the next time."""
        for name in list(self._followed):
            if (before := self._followed.get(name)) is None:
                continue
            topic, sequence = before
            reached, messages = topic.sequence, topic.since(sequence)
            for part, message in enumerate(messages, 1):
                is_last = part == len(messages)
                if is_last and self._followed.get(name) is before:  # not left while the parts were sent
                    self._followed[name] = topic, reached
                yield News(message, is_last)
            if name in self._followed and topic.state is not self._states.get(name):
                yield News(self._state_of(topic), False)

    def _state_of(self, topic: Topic) -> bytes:
        """Whether what has been sent is true. What turns out not to be there is followed no more."""
        state = self._states[topic.name] = topic.state
        told: BaseModel
        if state.state == "unknown":
            assert state.problem is not None
            self.unsubscribe(topic.name)
            told = Refused(topic=topic.name, problem=state.problem)
        else:
            told = TopicState(topic=topic.name, state=state.state, since=state.since, problem=state.problem)
        return told.model_dump_json().encode()

    @property
    def places(self) -> dict[str, tuple[str, int]]:
        """Origin and sequence of each topic, to go on from after a cut."""
        followed = self._followed.items()
        return {name: (topic.origin, sequence) for name, (topic, sequence) in followed if sequence is not None}


def permitted(hub: Hub, name: str, role: Role) -> Source:
    """The source of a topic that this role may follow. Raises Problem."""
    source = hub.find(name)
    if source is None:
        raise Problem("not_found", "no_topic", topic=name[:100])
    if not role.includes(source.role):
        raise Problem("role_needed", "needs_role", needed=source.role, yours=role)
    return source
