"""The market data service: one feed set, its pipeline, what is subscribed of it, and what it can be asked.

Its key is the feed set's name. Of several instances one publishes; the others are logged in and subscribed as well,
hold what their feeds bring until they see it published, and go on behind the last published tick when it is their turn.
An instance whose feed is not READY, or has not subscribed what is wanted, gives the key up.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog
from pydantic import BaseModel

from aegis.contracts.market import Tick, market_of
from aegis.contracts.marketdata import SERVICE, FeedChanged
from aegis.contracts.reasons import Reason, sentence_of
from aegis.contracts.subscriptions import DESK, PAGE, Scope, UniverseChanged
from aegis.exchanges.calendar import CALENDAR
from aegis.exchanges.sessions import to_shanghai
from aegis.marketdata.adapters.bus import OnTick, RollStore, TickFollower, UniverseStore, WishStore
from aegis.marketdata.bridge import StateHandler
from aegis.marketdata.domain.env_guard import EnvGuard
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.domain.universe import Universe, UniverseChange, compare
from aegis.marketdata.endpoints.feed_calls import FeedCalls
from aegis.marketdata.endpoints.news import News
from aegis.marketdata.endpoints.reference_calls import ReferenceCalls
from aegis.marketdata.endpoints.repair_calls import RepairCalls
from aegis.marketdata.endpoints.subscription_calls import SubscriptionCalls
from aegis.marketdata.metrics import MeasuredFeed, feed_figures, tick_figures, untold_events
from aegis.marketdata.pipeline import Pipeline, PipelineStats
from aegis.marketdata.ports import Feed, FeedRefused, FeedState, FlowControl
from aegis.marketdata.roll_keeper import RollKeeper
from aegis.marketdata.settings import TIMERS, MarketDataSettings
from aegis.marketdata.subscriber import Subscriber
from aegis.profiles import CtpProfile
from aegis_sdk import clock, subjects
from aegis_sdk.errors import AegisError, ConfigurationError, Unavailable
from aegis_sdk.events import Events
from aegis_sdk.messages import Message
from aegis_sdk.metrics import Metric
from aegis_sdk.placement import Placement
from aegis_sdk.single_active import SingleActive
from aegis_sdk.transport import Transport

__all__ = ["MarketData", "Parts"]

_log = structlog.get_logger("aegis.marketdata")

_DRAIN_S: Final = 5.0
_START_S: Final = 10.0
"""For so long a start waits for its feed. Behind a front that is closed it goes on, with the universe known last."""
_BEGIN_S: Final = 0.5
"""For so long a new holder waits for the stream to take its first marker; live subscribers wait with it."""
_SEAM_S: Final = 2.0
"""And for so long to have read all that was published before: otherwise some of it would be published twice."""
_FLUSH_S: Final = 0.5
_DEFERENCE_S: Final = 3.0
"""For so long after its start, while nobody publishes, an instance leaves the key to one that is preferred."""
_ABLE: Final = frozenset({FeedState.READY, FeedState.ENDED})


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the service is made of, once there is a connection."""

    feed: Feed
    flow: FlowControl
    desk: tuple[Scope, ...]  # what the desk itself wants
    wishes: WishStore
    universes: UniverseStore
    rolls: RollStore
    events: Events
    make_pipeline: Callable[[StateHandler], Pipeline]
    make_follower: Callable[[OnTick, int], TickFollower]


class MarketData(FeedCalls, ReferenceCalls, RepairCalls, SubscriptionCalls, SingleActive):
    """Brings the ticks of one feed set to NATS."""

    name = SERVICE
    description = "Ticks of futures from a feed to the stream TICKS."
    timers = TIMERS

    def __init__(
        self, settings: MarketDataSettings, build: Callable[[Transport], Parts], profile: CtpProfile | None = None
    ) -> None:
        self.settings = settings
        self._profile = profile
        self._build = build
        self._taken = AsyncExitStack()
        self.feed_state = FeedState.CLOSED
        self.feed_why: Sequence[Reason] = ()
        self._opened = 0  # how often the feed became ready
        self._stats: Callable[[], PipelineStats] | None = None  # none before there is a pipeline
        self._news = News(self._publish)
        self._universes: asyncio.Queue[Universe] = asyncio.Queue(maxsize=1)
        self._tasks: list[asyncio.Task[None]] = []
        self._following: asyncio.Task[None] | None = None  # while another instance publishes
        self._keeping: asyncio.Task[None] | None = None  # while we publish
        self._ready_at = -math.inf
        self._has_failed = False  # to take over
        self._defers_until = -math.inf

    async def on_start(self) -> None:
        """Open the feed and subscribe to what is wanted. Raises AegisError where the feed cannot be opened at all."""
        if self.settings.preferred not in (None, self.instance):
            self._defers_until = clock.now() + _DEFERENCE_S
        if complaint := CALENDAR.complaint(to_shanghai(time.time_ns())[0]):
            _log.warning("calendar_ends", problem=complaint)
        self._parts = parts = self._build(self.transport)
        await parts.events.ensure()
        self.origin = Origin(
            env=parts.feed.env,
            feed=self.settings.feed,
            source=parts.feed.source,
            session="",
            epoch=0,
            market=parts.feed.market,
        )
        self.env_guard = EnvGuard(self.settings.feed, parts.feed.env)
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pipeline = parts.make_pipeline(self._feed_changed)
        self._pumping = asyncio.create_task(self.pipeline.run(), name="pipeline")
        self._taken.push_async_callback(self._drain)
        self._taken.push_async_callback(self._end_following)
        self._taken.push_async_callback(self._end_keeping)
        self._taken.push_async_callback(parts.feed.close)
        self._taken.push_async_callback(self._end_tasks)
        await self._learn_wishes(parts)
        await self._prepare_rolls(parts)
        opening = self._begin("feed", self._open(parts.feed))
        settled = self._begin("settled", self.subscriber.settled())
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                await asyncio.shield(opening)
                await asyncio.sleep(0)  # its last change of state is on its way
                if self.feed_state is not FeedState.FAILED:
                    await asyncio.shield(settled)

    @property
    def feed(self) -> Feed:
        return self._parts.feed

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
            self.pipeline.heard,
            universe=await parts.universes.load(market_of(parts.feed.source)),
            on_universe=self._universe_changed,
            on_converged=self.health_changed,
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

    async def _prepare_rolls(self, parts: Parts) -> None:
        """Know which contracts have led; which one leads is decided while this instance publishes."""
        self.rolls = parts.rolls
        await parts.rolls.ensure()
        keeper = RollKeeper(
            self.transport,
            parts.rolls,
            self.settings.feed,
            source=lambda: self.origin.source,
            latest=lambda: self.pipeline.latest,
            expiry_of=self._expiry_of,
        )
        self._keeper = keeper

    def _expiry_of(self, name: str) -> str | None:
        listed = self.subscriber.universe.get(name)
        return listed.expiry_day if listed is not None else None

    def _begin(self, name: str, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        return task

    # Whose turn it is

    def keys(self) -> Iterable[str]:
        return [self.settings.feed]

    def placement(self, key: str) -> Placement:
        return Placement(prefer=(self.settings.preferred,) if self.settings.preferred else ())

    async def healthy(self) -> bool:
        """Whether it could publish. Who cannot subscribe all in time does so with what he has."""
        now, refused = clock.now(), self._has_failed or self.env_guard.refusal
        subscribed = self.subscriber.has_converged or now - self._ready_at > _START_S
        return self.feed_state in _ABLE and subscribed and not refused and now >= self._defers_until

    async def on_active(self, key: str, epoch: int) -> None:
        try:
            await self._take_over(key, epoch)
        except BaseException:  # also for want of time. The key is ours, and not served: somebody else shall have it
            self._has_failed = True
            self.health_changed()
            raise

    async def _take_over(self, key: str, epoch: int) -> None:
        """Publish, behind what others have published."""
        origin = self.origin = replace(self.origin, epoch=epoch)
        begun = self.pipeline.open(origin, self.held(key))
        after: int | None = None
        try:
            async with asyncio.timeout(_BEGIN_S):
                border = await begun
            async with asyncio.timeout(_SEAM_S):
                await self._follower.reached(border)
        except TimeoutError:  # live subscribers wait for ticks, not for the stream
            _log.warning("seam_unproved", reason="the stream does not say in time what was published last")
            after = self._follower.sequence
        if self.env_guard.refusal:
            raise ConfigurationError("AEGIS_FEED", str(self.env_guard.refusal))
        same_market = self._follower.market_before(epoch) in ("", origin.market)
        if self._following is not None:  # not waited for: its good-bye to the stream takes longer than ticks may
            self._following.cancel()
        left = self.pipeline.take_over(self.origin, same_market=same_market, after=after)
        _log.info("feed_taken_over", epoch=epoch, source=origin.source, left_by_the_other=left, same_market=same_market)
        self._keeping = self._watched(self._keeper.run(), "rolls")

    async def on_leaving(self, key: str) -> None:
        await self.pipeline.leave(_FLUSH_S)

    async def on_standby(self, key: str) -> None:
        known_to = await self.pipeline.stand_by()
        self._has_failed = False
        await self._end_keeping()
        if self._following is None or self._following.cancelling():
            self._follower = self._parts.make_follower(self._seen, known_to)
            self._following = self._watched(self._follower.run(), "follower")

    def _seen(self, subject: str, tick: Tick, *, live: bool, ours: bool, heard: Message | None) -> None:
        self.pipeline.seen(subject, tick, live=live, ours=ours, heard=heard)
        if self.env_guard.look(tick):
            _log.error("feed_set_of_another_env", refused=str(self.env_guard.refusal or ""))
            self.health_changed()
        if live and self._defers_until > -math.inf:  # somebody publishes: the next one is wanted at once
            self._defers_until = -math.inf
            self.health_changed()

    def _watched(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """A task whose error ends the instance."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self._broken.done():
            self._broken.set_exception(error)

    async def _end_following(self) -> None:
        following, self._following = self._following, None
        await _ended(following)

    async def _end_keeping(self) -> None:
        keeping, self._keeping = self._keeping, None
        await _ended(keeping)

    # Life

    async def run(self) -> None:
        """Tell of the feed's changes; end with the first of its parts that fails."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._news.run())
                group.create_task(self._store_universes())
                for task in (self._pumping, self._broken, *self._tasks):
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
            yield untold_events(self._news.untold)
            if isinstance(self._parts.feed, MeasuredFeed):
                yield from self._parts.feed.metrics()

    def _feed_changed(self, state: FeedState, why: Sequence[Reason]) -> None:
        self.feed_state, self.feed_why = state, why
        tell, feed = _log.error if state is FeedState.FAILED else _log.info, self._parts.feed
        tell("feed_changed", state=state, reason=sentence_of(why))
        if state is FeedState.READY:
            self._ready_at = clock.now()
            if feed.session != self.origin.session:
                self._opened += 1
                self.origin = replace(self.origin, source=feed.source, session=feed.session)
                self.pipeline.begin(self.origin)
        self.subscriber.feed_changed(state)
        self.health_changed()
        changed = FeedChanged(
            feed=self.settings.feed,
            instance=self.instance,
            source=feed.source,
            session=feed.session,
            epoch=self.origin.epoch,
            state=state,
            why=list(why),
        )
        self._news.tell("changed", changed)

    def _universe_changed(self, before: Universe, after: Universe) -> None:
        if self._universes.full():
            self._universes.get_nowait()
        self._universes.put_nowait(after)
        change = compare(before, after)
        counts = {"new": len(change.new), "expired": len(change.expired), "missing": len(change.missing)}
        _log.info("universe_known", instruments=len(after), **counts)
        if change:
            self._news.tell("universe", self._told(change, len(after)))

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

    async def _publish(self, name: str, body: BaseModel) -> None:
        await self._parts.events.publish(subjects.event("market", self.settings.feed, name), body)

    async def _store_universes(self) -> None:
        """Store each universe for the next start; what cannot be stored comes again with the next session."""
        while True:
            universe = await self._universes.get()
            try:
                await self._parts.universes.save(market_of(self.origin.source), universe)
            except AegisError as error:
                _log.warning("universe_not_stored", reason=str(error))


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait({task})


async def _outcome(task: asyncio.Future[None]) -> None:
    """Wait for a task without ending it, and raise what it raised."""
    await asyncio.shield(task)
