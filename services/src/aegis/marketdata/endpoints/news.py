"""Events of the service, told in their order. Of what cannot be stored the latest of each name is tried until it is."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from pydantic import BaseModel

from aegis.contracts.subscriptions import PAGE, UniverseChanged
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.domain.universe import UniverseChange
from aegis_sdk.errors import AegisError

__all__ = ["News", "universe_changed"]

_log = structlog.get_logger("aegis.marketdata")

_MOST: Final = 1_000


class News:
    """`publish` stores an event by its name, or raises AegisError: then all is tried again after `retry_s`.

    `untold` counts those that another of their name replaced meanwhile.
    """

    def __init__(self, publish: Callable[[str, BaseModel], Awaitable[None]], retry_s: float = 1.0) -> None:
        self._publish = publish
        self._retry_s = retry_s
        self._waiting: deque[tuple[str, BaseModel]] = deque()
        self._come = asyncio.Event()
        self.untold = 0

    def tell(self, name: str, body: BaseModel) -> None:
        self._waiting.append((name, body))
        if len(self._waiting) > _MOST:
            self._keep_latest()
        self._come.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._come.wait()
            self._come.clear()
            while self._waiting:
                name, body = self._waiting.popleft()
                try:
                    await self._publish(name, body)
                except AegisError as error:
                    _log.warning("event_not_stored", name=name, reason=str(error), retry_s=self._retry_s)
                    self._waiting.appendleft((name, body))
                    await asyncio.sleep(self._retry_s)
                    self._keep_latest()

    def _keep_latest(self) -> None:
        latest = dict(self._waiting)
        self.untold += len(self._waiting) - len(latest)
        self._waiting = deque(latest.items())


def universe_changed(origin: Origin, change: UniverseChange, instruments: int) -> UniverseChanged:
    """The event of a session or a trading day that lists other instruments; it names at most a page of each kind."""
    return UniverseChanged(
        feed=origin.feed,
        source=origin.source,
        session=origin.session,
        instruments=instruments,
        new=len(change.new),
        expired=len(change.expired),
        missing=len(change.missing),
        named_new=list(change.new[:PAGE]),
        named_expired=list(change.expired[:PAGE]),
        named_missing=list(change.missing[:PAGE]),
    )
