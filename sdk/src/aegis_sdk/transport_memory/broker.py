"""The server of the memory transport: who is connected, who gets what, and the streams."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from aegis_sdk import subjects
from aegis_sdk.messages import Message

_MAX_ROUTES = 4096


class Interest(Protocol):
    """One subscription of one connection."""

    @property
    def subject(self) -> str: ...

    @property
    def queue(self) -> str: ...

    def arrive(self, message: Message) -> None:
        """Take a message; it is handled in the next turn of the loop."""
        ...


class Connection(Protocol):
    """What the broker sees of a MemoryTransport."""

    @property
    def interests(self) -> Sequence[Interest]: ...

    def refresh_state(self, *, reachable: bool) -> None: ...


class _Route(NamedTuple):
    """Who gets a subject: each of `each`, and one of each group."""

    each: list[Interest]
    groups: list[list[Interest]]


class MemoryBroker:
    """The server that connections of one event loop share. Tests use `stop`, `start`, `disconnect`, `reconnect`."""

    def __init__(self) -> None:
        self._running = True
        self._connections: dict[Connection, bool] = {}  # to whether it is reachable
        self._routes: dict[str, _Route] = {}
        self._turns = itertools.count()

    # Outages

    def stop(self) -> None:
        """Disconnect everybody; core messages on their way are lost, streams are kept."""
        self._running = False
        self._refresh_states()

    def start(self) -> None:
        """End what `stop` began: connections are live again, except those that `disconnect` has cut."""
        self._running = True
        self._refresh_states()

    def disconnect(self, connection: Connection) -> None:
        """Cut one connection, until `reconnect`."""
        self._connections[connection] = False
        self._refresh_states()

    def reconnect(self, connection: Connection) -> None:
        """End what `disconnect` began."""
        self._connections[connection] = True
        self._refresh_states()

    def _refresh_states(self) -> None:
        self._routes.clear()
        for connection, reachable in tuple(self._connections.items()):
            connection.refresh_state(reachable=self._running and reachable)

    # For connections

    def attach(self, connection: Connection) -> None:
        self._connections[connection] = True
        self._refresh_states()

    def detach(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        self._routes.clear()

    def interests_changed(self) -> None:
        self._routes.clear()

    def send(self, message: Message) -> bool:
        """Hand a message to all who get it; whether there is anybody."""
        route = self._route(message.subject)
        turn = next(self._turns)
        for interest in route.each:
            interest.arrive(message)
        for members in route.groups:
            members[turn % len(members)].arrive(message)
        return bool(route.each or route.groups)

    def _route(self, subject: str) -> _Route:
        route = self._routes.get(subject)
        if route is None:
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            route = self._routes[subject] = self._find_route(subject)
        return route

    def _find_route(self, subject: str) -> _Route:
        each: list[Interest] = []
        groups: dict[tuple[str, str], list[Interest]] = {}
        for connection, reachable in self._connections.items():
            for interest in connection.interests if reachable and self._running else ():
                if not subjects.matches(interest.subject, subject):
                    continue
                if interest.queue:
                    groups.setdefault((interest.subject, interest.queue), []).append(interest)
                else:
                    each.append(interest)
        return _Route(each, list(groups.values()))
