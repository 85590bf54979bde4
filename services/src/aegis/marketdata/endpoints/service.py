"""The market data service: one feed set, its pipeline, what is subscribed of it, and what it can be asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog
from pydantic import BaseModel

from aegis.contracts.marketdata import SERVICE, FeedChanged
from aegis.contracts.subscriptions import DESK, PAGE, Scope, UniverseChanged
from aegis.marketdata.adapters.bus import UniverseStore, WishStore
from aegis.marketdata.domain.calendar import CALENDAR
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.domain.sessions import to_shanghai
from aegis.marketdata.domain.universe import Universe, UniverseChange, compare
from aegis.marketdata.endpoints.feed_calls import FeedCalls
from aegis.marketdata.endpoints.subscription_calls import SubscriptionCalls
from aegis.marketdata.metrics import MeasuredFeed, feed_figures, tick_figures
from aegis.marketdata.pipeline import Pipeline, PipelineStats
from aegis.marketdata.ports import Feed, FeedRefused, FeedState, FlowControl
from aegis.marketdata.settings import MarketDataSettings
from aegis.marketdata.subscriber import Subscriber
from aegis.profiles import CtpProfile
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, Unavailable
from aegis_sdk.events import Events
from aegis_sdk.metrics import Metric
from aegis_sdk.transport import Transport

__all__ = ["MarketData", "Parts"]

_log = structlog.get_logger("aegis.marketdata")

_DRAIN_S: Final = 5.0
_START_S: Final = 10.0
"""For so long a start waits for its feed. Behind a front that is closed it goes on, with the universe known last."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the service is made of, once there is a connection."""

    feed: Feed
    flow: FlowControl
    desk: tuple[Scope, ...]  # what the desk itself wants
    wishes: WishStore
    universes: UniverseStore
    events: Events
    next_epoch: Callable[[], Awaitable[int]]
    make_pipeline: Callable[[Origin, Callable[[FeedState, str], None]], Pipeline]


class MarketData(FeedCalls, SubscriptionCalls):
    """Brings the ticks of one feed set to NATS."""

    name = SERVICE
    description = "Ticks of futures from a feed to the stream TICKS."

    def __init__(
        self, settings: MarketDataSettings, build: Callable[[Transport], Parts], profile: CtpProfile | None = None
    ) -> None:
        self.settings = settings
        self._profile = profile
        self._build = build
        self._taken = AsyncExitStack()
        self.feed_state = FeedState.CLOSED
        self.feed_reason = ""
        self._opened = 0  # how often the feed became ready
        self._stats: Callable[[], PipelineStats] | None = None  # none before there is a pipeline
        self._news: asyncio.Queue[tuple[str, BaseModel]] = asyncio.Queue(maxsize=1000)
        self._universes: asyncio.Queue[Universe] = asyncio.Queue(maxsize=1)
        self._tasks: list[asyncio.Task[None]] = []

    async def on_start(self) -> None:
        """Open the feed and subscribe to what is wanted. Raises AegisError where the feed cannot be opened at all."""
        if complaint := CALENDAR.complaint(to_shanghai(time.time_ns())[0]):
            _log.warning("calendar_ends", problem=complaint)
        self._parts = parts = self._build(self.transport)
        await parts.events.ensure()
        self.origin = Origin(
            env=parts.feed.env,
            feed=self.settings.feed,
            source=parts.feed.source,
            session="",
            epoch=await parts.next_epoch(),
        )
        self.pipeline = parts.make_pipeline(self.origin, self._feed_changed)
        self._pumping = asyncio.create_task(self.pipeline.run(), name="pipeline")
        self._taken.push_async_callback(self._drain)
        self._taken.push_async_callback(parts.feed.close)
        self._taken.push_async_callback(self._end_tasks)
        await self._learn_wishes(parts)
        opening = self._begin("feed", self._open(parts.feed))
        settled = self._begin("settled", self.subscriber.settled())
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                await asyncio.shield(opening)
                await asyncio.sleep(0)  # its last change of state is on its way
                if self.feed_state is not FeedState.FAILED:
                    await asyncio.shield(settled)

    async def _open(self, feed: Feed) -> None:
        """Open the feed. One that is refused stays FAILED: to end, and be started again, would try the login again."""
        try:
            await feed.open(self.pipeline.bridge)
        except FeedRefused as error:
            _log.error("feed_refused", source=feed.source, reason=str(error), todo="mend its cause, and start again")

    async def _learn_wishes(self, parts: Parts) -> None:
        """Know all wishes before the feed is asked for anything: a replay begins with its first subscription."""
        self.wishes = parts.wishes
        await parts.wishes.ensure()
        await parts.wishes.put(DESK, parts.desk)
        self.subscriber = Subscriber(
            parts.feed,
            parts.flow,
            parts.wishes.table,
            self.pipeline.latest,
            universe=await parts.universes.load(parts.feed.source),
            on_universe=self._universe_changed,
        )
        self._stats = self.pipeline.stats
        known = asyncio.Event()

        def wishes_changed() -> None:
            known.set()
            self.subscriber.wishes_changed()

        self._begin("wishes", parts.wishes.follow(wishes_changed))
        self._begin("subscriber", self.subscriber.run())
        try:
            async with asyncio.timeout(_START_S):
                await known.wait()
        except TimeoutError:
            raise Unavailable(f"what is wanted cannot be read within {_START_S:g} s") from None

    def _begin(self, name: str, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        return task

    async def run(self) -> None:
        """Tell of the feed's changes; end with the first of its parts that fails."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._tell_news())
                group.create_task(self._store_universes())
                for task in (self._pumping, *self._tasks):
                    group.create_task(_outcome(task))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def on_stop(self) -> None:
        await self._taken.aclose()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _drain(self) -> None:
        """Store what the feed has offered."""
        self.pipeline.stop(_DRAIN_S)
        await self._pumping

    def configuration(self) -> Mapping[str, Any]:
        shown = self.settings.model_dump(mode="json")
        return shown if self._profile is None else {**shown, "ctp": self._profile.model_dump(mode="json")}

    def metrics(self) -> Iterable[Metric]:
        if self._stats is not None:
            listed, totals = len(self.subscriber.universe), self.subscriber.totals()
            yield from feed_figures(self.feed_state, self._opened, listed, totals)
            yield from tick_figures(self._stats())
            if isinstance(self._parts.feed, MeasuredFeed):
                yield from self._parts.feed.metrics()

    def _feed_changed(self, state: FeedState, reason: str) -> None:
        self._opened += state is FeedState.READY
        self.feed_state, self.feed_reason = state, reason
        log = _log.error if state is FeedState.FAILED else _log.info
        log("feed_changed", state=state, reason=reason)
        feed = self._parts.feed
        if state is FeedState.READY and feed.session != self.origin.session:
            self.origin = replace(self.origin, source=feed.source, session=feed.session)
            self.pipeline.begin(self.origin)
        self.subscriber.feed_changed(state)
        changed = FeedChanged(
            feed=self.settings.feed,
            source=feed.source,
            session=feed.session,
            epoch=self.origin.epoch,
            state=state,
            reason=reason,
        )
        self._tell("changed", changed)

    def _universe_changed(self, before: Universe, after: Universe) -> None:
        if self._universes.full():
            self._universes.get_nowait()
        self._universes.put_nowait(after)
        change = compare(before, after)
        counts = {"new": len(change.new), "expired": len(change.expired), "missing": len(change.missing)}
        _log.info("universe_known", instruments=len(after), **counts)
        if change:
            self._tell("universe", self._told(change, len(after)))

    def _told(self, change: UniverseChange, instruments: int) -> UniverseChanged:
        return UniverseChanged(
            feed=self.settings.feed,
            source=self.origin.source,
            session=self.origin.session,
            instruments=instruments,
            new=len(change.new),
            expired=len(change.expired),
            missing=len(change.missing),
            named_new=list(change.new[:PAGE]),
            named_expired=list(change.expired[:PAGE]),
            named_missing=list(change.missing[:PAGE]),
        )

    def _tell(self, name: str, body: BaseModel) -> None:
        if not self._news.full():
            self._news.put_nowait((name, body))

    async def _tell_news(self) -> None:
        while True:
            name, body = await self._news.get()
            try:
                await self._parts.events.publish(subjects.event("market", self.settings.feed, name), body)
            except AegisError as error:
                _log.warning("event_not_stored", event=name, reason=str(error))

    async def _store_universes(self) -> None:
        """Store each universe for the next start; what cannot be stored comes again with the next session."""
        while True:
            universe = await self._universes.get()
            try:
                await self._parts.universes.save(self.origin.source, universe)
            except AegisError as error:
                _log.warning("universe_not_stored", reason=str(error))


async def _outcome(task: asyncio.Task[None]) -> None:
    """Wait for a task without ending it, and raise what it raised."""
    await asyncio.shield(task)
