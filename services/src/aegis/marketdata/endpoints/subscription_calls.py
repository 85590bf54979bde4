"""What can be subscribed, who wants what of it, and what became of that."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from aegis.contracts.market import Instrument
from aegis.contracts.marketdata import INSTRUMENTS, InstrumentsReply, InstrumentsRequest, InstrumentView
from aegis.contracts.reasons import Reason, explained
from aegis.contracts.subscriptions import (
    DESK,
    SUBSCRIBE,
    SUBSCRIPTIONS,
    UNSUBSCRIBE,
    WISHES,
    Refusal,
    Scope,
    SubscriptionsReply,
    SubscriptionsRequest,
    SubscriptionView,
    UnsubscribeReply,
    UnsubscribeRequest,
    WishesReply,
    WishReply,
    WishRequest,
    WishView,
)
from aegis.marketdata.adapters.bus import WishStore
from aegis.marketdata.domain.universe import kind_of
from aegis.marketdata.domain.wishes import MOST_CONSUMERS, MOST_INSTRUMENTS, MOST_SCOPES, instrument_id
from aegis.marketdata.endpoints.pages import page_of
from aegis.marketdata.subscriber import Subscriber
from aegis_sdk.errors import Rejected, StreamError, Unavailable
from aegis_sdk.handler import rpc
from aegis_sdk.method import Empty
from aegis_sdk.service import Service

__all__ = ["SubscriptionCalls"]

_LOOKED_AT: Final = 2_000  # some 10 ms


class SubscriptionCalls(Service):
    """Handlers of a service that has these."""

    subscriber: Subscriber
    wishes: WishStore

    @rpc(INSTRUMENTS)
    async def instruments(self, request: InstrumentsRequest) -> InstrumentsReply:
        scope = Scope(exchange=request.exchange, product=request.product, kind=request.kind)
        universe = self.subscriber.universe
        names = (name for name, _ in universe.select(scope, request.expiry, request.after))
        page, following = page_of(names, request.limit)
        listed = ((name, universe.get(name)) for name in page)
        return InstrumentsReply(instruments=[_view(name, one) for name, one in listed if one], next=following)

    @rpc(SUBSCRIBE)
    async def subscribe(self, request: WishRequest) -> WishReply:
        """Raises Rejected where the consumer may want nothing more, Unavailable where no universe is known."""
        self._check_owner(request.consumer)
        known = self.wishes.table.of(request.consumer)
        if request.consumer not in self.wishes.table.consumers and len(self.wishes.table.consumers) >= MOST_CONSUMERS:
            raise explained(Rejected, "too_many_consumers", most=MOST_CONSUMERS)
        refusals = list(self._refusals(request))
        refused = {one.what for one in refusals}
        names = [name for name in dict.fromkeys(request.instruments) if name not in refused]
        scopes = [scope for scope in dict.fromkeys(request.scopes) if str(scope) not in refused]
        if len(known.names.union(names)) > MOST_INSTRUMENTS:
            raise explained(Rejected, "too_many_instruments", consumer=request.consumer, most=MOST_INSTRUMENTS)
        if len({*known.scopes, *scopes}) > MOST_SCOPES:
            raise explained(Rejected, "too_many_scopes", consumer=request.consumer, most=MOST_SCOPES)
        with _storing():
            await self.wishes.add(request.consumer, names, scopes, request.ttl_s)
        self.subscriber.wishes_changed()
        universe = self.subscriber.universe
        meant = {one for scope in scopes for one in universe.matching(scope)} | {instrument_id(name) for name in names}
        return WishReply(accepted=[*names, *map(str, scopes)], rejected=refusals, instruments=len(meant))

    def _refusals(self, request: WishRequest) -> Iterator[Refusal]:
        universe = self.subscriber.universe
        if not universe and (request.instruments or request.scopes):
            raise explained(Unavailable, "no_universe")
        for name in request.instruments:
            if universe.get(name) is None:
                well_formed = instrument_id(name) is not None
                yield Refusal(what=name, why=Reason.of("not_listed" if well_formed else "not_written_so"))
        for scope in request.scopes:
            if not universe.matching(scope):
                yield Refusal(what=str(scope), why=Reason.of("none_listed"))

    @rpc(UNSUBSCRIBE)
    async def unsubscribe(self, request: UnsubscribeRequest) -> UnsubscribeReply:
        """Raises Rejected for the desk's own wish, and where all is named beside something else."""
        self._check_owner(request.consumer)
        if request.everything and (request.instruments or request.scopes):
            raise explained(Rejected, "everything_alone")
        wish = self.wishes.table.of(request.consumer)
        names = sorted(wish.names) if request.everything else list(dict.fromkeys(request.instruments))
        scopes = list(wish.scopes) if request.everything else list(dict.fromkeys(request.scopes))
        why = Reason.of("not_asked_for", consumer=request.consumer)
        rejected = [Refusal(what=name, why=why) for name in names if name not in wish.names]
        rejected += [Refusal(what=str(scope), why=why) for scope in scopes if scope not in wish.scopes]
        names = [name for name in names if name in wish.names]
        scopes = [scope for scope in scopes if scope in wish.scopes]
        with _storing():
            if request.everything:
                await self.wishes.forget(request.consumer)
            else:
                await self.wishes.remove(request.consumer, names, scopes)
        self.subscriber.wishes_changed()
        return UnsubscribeReply(
            accepted=[*names, *map(str, scopes)], rejected=rejected, still_wanted=self._still_wanted(names, scopes)
        )

    def _still_wanted(self, names: list[str], scopes: list[Scope]) -> int:
        universe = self.subscriber.universe
        given_up = {one for scope in scopes for one in universe.matching(scope)}
        given_up |= {one for name in names if (one := instrument_id(name)) is not None}
        return len(given_up & self.wishes.table.wanted(universe))

    def _check_owner(self, consumer: str) -> None:
        if consumer == DESK:
            raise explained(Rejected, "wish_of_desk", consumer=DESK)

    @rpc(WISHES)
    async def wishes_of_all(self, request: Empty) -> WishesReply:
        table = self.wishes.table
        return WishesReply(
            wishes=[
                WishView(
                    consumer=consumer,
                    instruments=len(wish.names),
                    scopes=list(wish.scopes),
                    expires_at=datetime.fromtimestamp(wish.expires_ns / 1e9, UTC) if wish.expires_ns else None,
                )
                for consumer in table.consumers
                for wish in (table.of(consumer),)
            ]
        )

    @rpc(SUBSCRIPTIONS)
    async def subscriptions(self, request: SubscriptionsRequest) -> SubscriptionsReply:
        """A page may be short: of a filter that fits few, only so many instruments are looked at in one call."""
        views: list[SubscriptionView] = []
        before = request.after
        for looked_at, (name, state, why) in enumerate(self.subscriber.listing(request.after)):
            if len(views) == request.limit or looked_at == _LOOKED_AT:
                return SubscriptionsReply(subscriptions=views, next=before)
            view = SubscriptionView(
                instrument=name,
                state=state,
                why=why,
                wanted_by=self.wishes.table.wanted_by(name, self.subscriber.universe),
            )
            if _fits(view, request):
                views.append(view)
            before = name
        return SubscriptionsReply(subscriptions=views, next="")


@contextmanager
def _storing() -> Generator[None]:
    """Tell the caller why the bucket refuses a wish: above all, that it is full. A part of the wish may be stored."""
    try:
        yield
    except StreamError as error:
        raise explained(Rejected, "wish_not_stored", text=str(error)) from error


def _fits(view: SubscriptionView, request: SubscriptionsRequest) -> bool:
    return (
        request.state in (None, view.state)
        and request.exchange in ("", view.instrument.partition(".")[0])
        and (not request.consumer or request.consumer in view.wanted_by)
    )


def _view(name: str, one: Instrument) -> InstrumentView:
    return InstrumentView(
        instrument=name,
        product=one.product,
        kind=kind_of(one.symbol),
        name=one.name,
        multiplier=one.multiplier,
        price_tick=one.price_tick,
        expiry_day=one.expiry_day,
    )
