"""The market data service: one feed set, its pipeline, and what it can be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from aegis.contracts.market import Instrument, Tick
from aegis.contracts.marketdata import (
    INSTRUMENTS,
    LATEST,
    LOSSES,
    SERVICE,
    STATUS,
    FeedChanged,
    FeedStatus,
    InstrumentsReply,
    InstrumentsRequest,
    InstrumentView,
    LatestReply,
    LatestRequest,
    Loss,
    LossesReply,
    LossesRequest,
    LossesView,
)
from aegis.contracts.tick_codec import as_object
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.metrics import feed_figures, tick_figures
from aegis.marketdata.pipeline import Pipeline, PipelineStats
from aegis.marketdata.ports import Feed, FeedState
from aegis.marketdata.settings import MarketDataSettings
from aegis.profiles import CtpProfile
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, ConfigurationError
from aegis_sdk.events import Events
from aegis_sdk.handler import rpc
from aegis_sdk.method import Empty
from aegis_sdk.metrics import Metric
from aegis_sdk.service import Service
from aegis_sdk.transport import Transport

__all__ = ["MarketData", "Parts"]

_log = structlog.get_logger("aegis.marketdata")

_WORST: Final = 20
_DRAIN_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the service is made of, once there is a connection."""

    feed: Feed
    events: Events
    next_epoch: Callable[[], Awaitable[int]]
    make_pipeline: Callable[[Origin, Callable[[FeedState, str], None]], Pipeline]


class MarketData(Service):
    """Brings the ticks of one feed set to NATS."""

    name = SERVICE
    description = "Ticks of futures from a feed to the stream TICKS."

    def __init__(
        self, settings: MarketDataSettings, build: Callable[[Transport], Parts], profile: CtpProfile | None = None
    ) -> None:
        self._settings = settings
        self._profile = profile
        self._build = build
        self._taken = AsyncExitStack()
        self._instruments: dict[str, Instrument] = {}
        self._state = FeedState.CLOSED
        self._reason = ""
        self._opened = 0  # how often the feed became ready
        self._stats: Callable[[], PipelineStats] | None = None  # none before there is a pipeline
        self._changes: asyncio.Queue[FeedChanged] = asyncio.Queue(maxsize=1000)

    async def on_start(self) -> None:
        """Open the feed and subscribe to all it has. Raises AegisError where the feed cannot be opened."""
        self._parts = parts = self._build(self.transport)
        await parts.events.ensure()
        self._origin = Origin(
            env=parts.feed.env,
            feed=self._settings.feed,
            source=parts.feed.source,
            session="",
            epoch=await parts.next_epoch(),
        )
        self._pipeline = parts.make_pipeline(self._origin, self._feed_changed)
        self._stats = self._pipeline.stats
        self._pumping = asyncio.create_task(self._pipeline.run(), name="pipeline")
        self._taken.push_async_callback(self._drain)
        self._taken.push_async_callback(parts.feed.close)
        await parts.feed.open(self._pipeline.bridge)
        self._origin = replace(self._origin, session=parts.feed.session)
        self._pipeline.begin(self._origin)
        self._instruments = {str(one.id): one for one in await parts.feed.instruments()}
        await parts.feed.subscribe([one.id for one in self._instruments.values()])
        _log.info("feed_open", source=self._origin.source, instruments=len(self._instruments), epoch=self._origin.epoch)

    async def run(self) -> None:
        """Tell of the feed's changes; end with the pipeline, should it fail."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_changes())
            await asyncio.shield(self._pumping)

    async def on_stop(self) -> None:
        await self._taken.aclose()

    async def _drain(self) -> None:
        """Store what the feed has offered."""
        self._pipeline.stop(_DRAIN_S)
        await self._pumping

    def configuration(self) -> Mapping[str, Any]:
        shown = self._settings.model_dump(mode="json")
        return shown if self._profile is None else {**shown, "ctp": self._profile.model_dump(mode="json")}

    def metrics(self) -> Iterable[Metric]:
        yield from feed_figures(self._state, self._opened, len(self._instruments))
        if self._stats is not None:
            yield from tick_figures(self._stats())

    def _feed_changed(self, state: FeedState, reason: str) -> None:
        self._opened += state is FeedState.READY
        self._state, self._reason = state, reason
        log = _log.error if state is FeedState.FAILED else _log.info
        log("feed_changed", state=state, reason=reason)
        if not self._changes.full():
            self._changes.put_nowait(
                FeedChanged(
                    feed=self._settings.feed,
                    source=self._parts.feed.source,
                    session=self._parts.feed.session,
                    epoch=self._origin.epoch,
                    state=state,
                    reason=reason,
                )
            )

    async def _tell_changes(self) -> None:
        while True:
            change = await self._changes.get()
            try:
                await self._parts.events.publish(subjects.event("market", change.feed, "changed"), change)
            except AegisError as error:
                _log.warning("event_not_stored", event="changed", reason=str(error))

    @rpc(STATUS)
    async def status(self, request: Empty) -> FeedStatus:
        stats = self._pipeline.stats()
        lost = sorted(stats.outlet.lost.items(), key=lambda item: -item[1])
        return FeedStatus(
            feed=self._settings.feed,
            source=self._origin.source,
            session=self._origin.session,
            epoch=self._origin.epoch,
            state=self._state,
            reason=self._reason,
            codec=self._settings.codec,
            subscribed=len(self._instruments),
            received=stats.bridge.offered,
            conflated=sum(stats.bridge.conflated.values()),
            rejected=dict(stats.bridge.rejected),
            unserializable=sum(stats.unserializable.values()),
            published=stats.outlet.handed_over,
            stored=stats.outlet.stored,
            waiting=stats.bridge.depth + stats.outlet.waiting,
            republished=stats.outlet.republished,
            repairs=stats.outlet.repairs,
            lost=sum(count for _, count in lost),
            lost_most=[Loss(instrument=str(instrument), ticks=count) for instrument, count in lost[:_WORST]],
        )

    @rpc(LOSSES)
    async def losses(self, request: LossesRequest) -> LossesReply:
        stats = self._pipeline.stats()
        lost, conflated, unserializable = stats.outlet.lost, stats.bridge.conflated, stats.unserializable
        lacking = {str(one): one for one in {*lost, *conflated, *unserializable}}
        page, following = _page(sorted(name for name in lacking if name > request.after), request.limit)
        return LossesReply(
            losses=[
                LossesView(
                    instrument=name,
                    lost=lost.get(lacking[name], 0),
                    conflated=conflated.get(lacking[name], 0),
                    unserializable=unserializable.get(lacking[name], 0),
                )
                for name in page
            ],
            next=following,
        )

    @rpc(LATEST)
    async def latest(self, request: LatestRequest) -> LatestReply:
        found = (self._latest_of(instrument) for instrument in request.instruments)
        return LatestReply(ticks=[as_object(tick) for tick in found if tick is not None])

    def _latest_of(self, instrument: str) -> Tick | None:
        exchange, _, symbol = instrument.partition(".")
        try:
            return self._pipeline.latest.get(subjects.tick(exchange, symbol))
        except ConfigurationError:  # no exchange has such a name
            return None

    @rpc(INSTRUMENTS)
    async def instruments(self, request: InstrumentsRequest) -> InstrumentsReply:
        wanted = sorted(
            name
            for name, one in self._instruments.items()
            if name > request.after and request.exchange in ("", one.exchange) and request.product in ("", one.product)
        )
        page, following = _page(wanted, request.limit)
        return InstrumentsReply(instruments=[_view(name, self._instruments[name]) for name in page], next=following)


def _page(names: list[str], limit: int) -> tuple[list[str], str]:
    """The first of these, and the `after` of the page behind them, empty if there is none."""
    page = names[:limit]
    return page, page[-1] if len(names) > limit else ""


def _view(name: str, one: Instrument) -> InstrumentView:
    return InstrumentView(
        instrument=name,
        product=one.product,
        name=one.name,
        multiplier=one.multiplier,
        price_tick=one.price_tick,
        expiry_day=one.expiry_day,
    )
