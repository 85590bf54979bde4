"""Who holds which key, as far as a caller knows: the epochs that were announced, found by asking, or answered.

It is only a hint: a holder that has lost its epoch listens for it no more, or refuses. A wrong route costs a message.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from aegis_sdk import codec, subjects
from aegis_sdk.errors import ConfigurationError, ConnectionUnavailable
from aegis_sdk.messages import ERROR_CODE, STATUS, Message
from aegis_sdk.transport import Transport

if TYPE_CHECKING:
    from aegis_sdk.active_call import Call

__all__ = ["ASK_S", "MAX_ROUTES", "Route", "Routes"]

_log = structlog.get_logger("aegis.active_calls")

ASK_S: Final = 0.1
MAX_ROUTES: Final = 65_536

_LONGEST_ASK_S: Final = 0.8  # where the holder says that it is there: it is merely slow
_ASK_ONCE_S: Final = 0.02  # many calls miss the same holder at the same moment

_held = msgspec.json.Decoder(tuple[str, int, str])
_announced = msgspec.json.Decoder(list[tuple[str, int, str]])
"""Key, epoch, instance."""


@dataclass(slots=True, eq=False)
class Route:
    """Where a key's calls go, and who waits for it to change. Times are of the event loop's clock."""

    service: str
    key: str
    epoch: int = 0  # the highest seen; 0: none
    missed: int = 0  # the epoch that nobody listens for; 0: its holder may be there
    calls: set[Call] = field(default_factory=set["Call"], repr=False)
    question: str = ""  # token of the latest
    asked_at: float = float("-inf")
    asked_missed: int = -1
    pause_s: float = ASK_S  # between two questions


class Routes:
    """The routes of the `max_routes` keys that were called last; others are asked for anew.

    `on_newer` is called when an epoch of a key is announced, or a newer one is known, `on_there` when the holder of the
    known one says that it is there. Subscriptions are made for a service when a key of it is first called, and last as
    long as the connection.
    """

    def __init__(
        self,
        transport: Transport,
        on_newer: Callable[[Route], None],
        on_there: Callable[[Route], None],
        max_routes: int = MAX_ROUTES,
    ) -> None:
        self._transport = transport
        self._on_newer = on_newer
        self._on_there = on_there
        self._max_routes = max_routes
        self._loop = asyncio.get_running_loop()
        self._routes: OrderedDict[tuple[str, str], Route] = OrderedDict()
        self._questions: dict[str, Route] = {}
        self._tokens = itertools.count(1)
        self._inbox = subjects.inbox(secrets.token_hex(12)) + "."
        self._listening: set[str] = set()

    def known(self, service: str, key: str) -> Route | None:
        """The route of a key that was called before."""
        return self._routes.get((service, key))

    async def open(self, service: str, key: str) -> Route:
        """The route of a key; one caller at a time. Raises ConnectionUnavailable where the connection is closed."""
        if subjects.token(key, "key") == subjects.ANY:
            raise ConfigurationError("key", f"{subjects.ANY!r} is no key")
        await self._listen(service)
        name = (service, key)
        if name not in self._routes:
            if len(self._routes) >= self._max_routes:
                self._forget_one()
            self._routes[name] = Route(service, key)
        return self._routes[name]

    async def _listen(self, service: str) -> None:
        if not self._listening:
            await self._transport.subscribe(self._inbox + subjects.ANY, self._on_told)
        if service not in self._listening:
            await self._transport.subscribe(subjects.epochs_begun(service), partial(self._on_announcement, service))
            self._listening.add(service)

    def _forget_one(self) -> None:
        """Forget the route that was used longest ago, of those that no call waits for."""
        for name, route in self._routes.items():
            if not route.calls:
                del self._routes[name]
                return

    def begin(self, route: Route) -> None:
        """A route that no call waited for is used again."""
        route.pause_s = ASK_S
        self._routes.move_to_end((route.service, route.key))

    def end(self, route: Route) -> None:
        """No call waits for the route any more: its question need not be answered."""
        self._questions.pop(route.question, None)

    def learn(self, route: Route, epoch: int) -> None:
        """Take a newer epoch."""
        route.epoch, route.missed, route.pause_s = epoch, 0, ASK_S
        self._on_newer(route)

    # Asking

    def ask(self, route: Route) -> None:
        """Ask who holds the key, unless the same was asked just now."""
        now = self._loop.time()
        if route.asked_missed == route.missed and now - route.asked_at < _ASK_ONCE_S:
            return
        self._questions.pop(route.question, None)
        token = format(next(self._tokens), "x")
        question = codec.encode_json({"key": route.key, "missed": route.missed})
        try:
            self._transport.publish(subjects.epoch_asked(route.service), question, reply=self._inbox + token)
        except ConnectionUnavailable:
            return  # asked again when it is back
        route.question, route.asked_at, route.asked_missed = token, now, route.missed
        self._questions[token] = route

    def ask_again(self, route: Route) -> None:
        """Ask if it is time to; to be called every ASK_S for a key that a call waits for."""
        if self._loop.time() - route.asked_at >= route.pause_s - ASK_S / 2:
            self.ask(route)

    def _on_told(self, message: Message) -> None:
        """Take an answer. There may be several: who has lost a key need not know it yet."""
        route = self._questions.get(message.subject[len(self._inbox) :])
        if route is None or STATUS in message.headers or ERROR_CODE in message.headers:
            return
        try:
            key, epoch, _ = _held.decode(message.payload)
        except msgspec.MsgspecError as error:
            _log.warning("malformed_answer", service=route.service, key=route.key, reason=str(error))
            return
        if key != route.key:
            return
        if epoch > route.epoch:
            self.learn(route, epoch)
        elif epoch == route.epoch:
            route.missed, route.pause_s = 0, min(2 * route.pause_s, _LONGEST_ASK_S)
            self._on_there(route)

    def _on_announcement(self, service: str, message: Message) -> None:
        try:
            announced = _announced.decode(message.payload)
        except msgspec.MsgspecError as error:
            _log.warning("malformed_announcement", service=service, reason=str(error))
            return
        for key, epoch, _ in announced:
            route = self._routes.get((service, key))
            if route is not None and epoch > route.epoch:
                self.learn(route, epoch)
            elif route is not None and epoch == route.epoch:  # nobody listened yet, or its answers may have been lost
                route.missed = 0
                self._on_newer(route)
