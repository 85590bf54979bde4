"""What the service tells of its feed, its ticks and its losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aegis.contracts.market import Tick
from aegis.contracts.marketdata import (
    LATEST,
    LOSSES,
    STATUS,
    FeedStatus,
    LatestReply,
    LatestRequest,
    Loss,
    LossesReply,
    LossesRequest,
    LossesView,
)
from aegis.contracts.reasons import Reason
from aegis.contracts.tick_codec import as_object
from aegis.marketdata.domain.env_guard import EnvGuard
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.endpoints.pages import page_of
from aegis.marketdata.pipeline import Pipeline
from aegis.marketdata.ports import FeedState
from aegis.marketdata.settings import MarketDataSettings
from aegis.marketdata.subscriber import Subscriber
from aegis_sdk import subjects
from aegis_sdk.errors import ConfigurationError
from aegis_sdk.handler import rpc
from aegis_sdk.method import Empty
from aegis_sdk.service import Service

__all__ = ["FeedCalls"]

_WORST: Final = 20


class FeedCalls(Service):
    """Handlers of a service that has these."""

    settings: MarketDataSettings
    pipeline: Pipeline
    subscriber: Subscriber
    origin: Origin
    feed_state: FeedState
    feed_why: Sequence[Reason]
    env_guard: EnvGuard

    @rpc(STATUS)
    async def status(self, request: Empty) -> FeedStatus:
        stats = self.pipeline.stats()
        totals = self.subscriber.totals()
        lost = sorted(stats.outlet.lost.items(), key=lambda item: -item[1])
        return FeedStatus(
            feed=self.settings.feed,
            instance=self.instance,
            role="active" if self.pipeline.is_publishing else "standby",
            source=self.origin.source,
            session=self.origin.session,
            epoch=self.origin.epoch,
            state=self.feed_state,
            why=list(self.feed_why) if self.env_guard.refusal is None else [self.env_guard.refusal],
            codec=self.settings.codec,
            instruments=len(self.subscriber.universe),
            listings=self.subscriber.listings,
            wanted=totals.wanted,
            subscribed=totals.subscribed,
            ticking=totals.ticking,
            refused=totals.refused,
            received=stats.bridge.offered,
            conflated=sum(stats.bridge.conflated.values()),
            rejected=dict(stats.bridge.rejected),
            unserializable=sum(stats.unserializable.values()),
            published=stats.outlet.handed_over,
            stored=stats.outlet.stored,
            waiting=stats.bridge.depth + stats.outlet.waiting,
            held=stats.held,
            left=stats.outlet.left,
            republished=stats.outlet.republished,
            repairs=stats.outlet.repairs,
            lost=sum(count for _, count in lost),
            lost_sent=stats.outlet.lost_sent,
            lost_most=[Loss(instrument=str(instrument), ticks=count) for instrument, count in lost[:_WORST]],
        )

    @rpc(LOSSES)
    async def losses(self, request: LossesRequest) -> LossesReply:
        stats = self.pipeline.stats()
        lost, conflated, unserializable = stats.outlet.lost, stats.bridge.conflated, stats.unserializable
        rejected = stats.bridge.rejected_of
        lacking = {str(one): one for one in {*lost, *conflated, *unserializable, *rejected}}
        page, following = page_of(sorted(name for name in lacking if name > request.after), request.limit)
        return LossesReply(
            losses=[
                LossesView(
                    instrument=name,
                    lost=lost.get(lacking[name], 0),
                    conflated=conflated.get(lacking[name], 0),
                    unserializable=unserializable.get(lacking[name], 0),
                    rejected=rejected.get(lacking[name], 0),
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
            return self.pipeline.latest.get(subjects.tick(exchange, symbol))
        except ConfigurationError:  # no exchange has such a name
            return None
