"""Stores the latest tick of each instrument once it rests: the stream discards it. Runs where the feed is active."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from aegis.contracts.market import Tick
from aegis.resting_ticks import RestingTicks, part_of
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError

__all__ = ["RestingKeeper"]

_log = structlog.get_logger("aegis.marketdata")

_YIELD_EVERY: Final = 200
_KEPT_NS: Final = 30 * 86_400 * 10**9
"""Longer than any holiday; what has expired is gone then."""


class RestingKeeper:
    """Looks at the latest ticks of a feed set once in `look_s` seconds; one rests that is `rest_s` old.

    So an instrument is written at each break, and not while it ticks. `latest` are by subject.
    """

    def __init__(
        self,
        store: RestingTicks,
        feed: str,
        latest: Callable[[], Mapping[str, Tick]],
        *,
        look_s: float = 30.0,
        rest_s: float = 300.0,
    ) -> None:
        self._store = store
        self._feed = feed
        self._latest = latest
        self._look_s = look_s
        self._rest_ns = int(rest_s * 1e9)
        self._parts: dict[str, dict[str, Tick]] = {}  # as they are stored, by subject
        self._revisions: dict[str, int] = {}

    async def run(self) -> None:
        """Work until cancelled. What cannot be stored, or was stored by another, is tried again with the next look."""
        known, failed = False, False
        while True:
            try:
                if not known:
                    await self._learn()
                    known = True
                await self._look()
                failed = False
            except (AegisError, TimeoutError) as error:
                if not failed:
                    _log.warning("resting_not_stored", reason=str(error), hint="it is tried again")
                known, failed = False, True
            await asyncio.sleep(self._look_s)

    async def _learn(self) -> None:
        self._parts, self._revisions = {}, {}
        for part in await self._store.parts(self._feed):
            self._parts[part.key] = {subjects.tick(tick.exchange, tick.symbol): tick for tick in part.ticks}
            self._revisions[part.key] = part.revision
            await asyncio.sleep(0)

    async def _look(self) -> None:
        now_ns, resting = time.time_ns(), defaultdict[str, dict[str, Tick]](dict)
        for number, (subject, tick) in enumerate(list(self._latest().items())):
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
            if tick.ts_received_ns <= now_ns - self._rest_ns:
                key = part_of(self._feed, subject)
                known = self._parts.get(key, {}).get(subject)
                if known is None or (known.epoch, known.sequence) < (tick.epoch, tick.sequence):
                    resting[key][subject] = tick
        for key, news in resting.items():
            part = {**self._parts.get(key, {}), **news}
            part = {subject: tick for subject, tick in part.items() if tick.ts_received_ns > now_ns - _KEPT_NS}
            self._revisions[key] = await self._store.put(key, part.values(), self._revisions.get(key, 0))
            self._parts[key] = part
