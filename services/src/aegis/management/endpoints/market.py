"""Market data: feeds, contracts, what is wanted and what became of it, and the latest ticks."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from aegis.contracts.health import REPORT, HealthReport
from aegis.contracts.health import SERVICE as HEALTH
from aegis.contracts.marketdata import (
    INSTRUMENTS,
    LATEST,
    SERVICE,
    STATUS,
    FeedStatus,
    InstrumentsReply,
    InstrumentsRequest,
    LatestRequest,
)
from aegis.contracts.orders import InstrumentName
from aegis.contracts.subscriptions import (
    SUBSCRIBE,
    SUBSCRIPTIONS,
    UNSUBSCRIBE,
    WISHES,
    Consumer,
    Kind,
    Scope,
    SubscriptionsReply,
    SubscriptionsRequest,
    SubscriptionState,
    UnsubscribeReply,
    UnsubscribeRequest,
    WishesReply,
    WishReply,
    WishRequest,
)
from aegis.contracts.tick_codec import JSON
from aegis.management.access.guard import needs
from aegis.management.access.roles import Role
from aegis.management.audit import Caller
from aegis.management.bars import PERIODS, Bar, Period, bars
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, responses
from aegis.management.tick_store import TickPage, prints, ticks_back
from aegis.management.views import TickView
from aegis_sdk import codec
from aegis_sdk.errors import AegisError
from aegis_sdk.instances import Token
from aegis_sdk.ledger import KeyName
from aegis_sdk.method import Empty, Method

__all__ = ["router"]

router = APIRouter(prefix="/api/market", tags=["market"])
With = Annotated[Parts, Depends(parts_of)]
Viewer = Annotated[Caller, needs(Role.VIEWER)]
Trader = Annotated[Caller, needs(Role.TRADER)]
Instrument = Annotated[InstrumentName, Path(examples=["SHFE.rb2605"])]
Reply = TypeVar("Reply", bound=BaseModel)
Text = Annotated[str, Query(max_length=128)]
Page = Annotated[int, Query(ge=1, le=500)]

_CALL_S: Final = 5.0
_STATUS_S: Final = 2.0
_NAMED: Final = 20


class Wish(BaseModel):
    """Instruments by name, and scopes. `consumer` is for whom; all that it wants expires after `ttl_s`, 0: never."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"consumer": "operator", "instruments": ["SHFE.rb2605"]}]}
    )

    consumer: Consumer = "operator"
    instruments: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=5_000)] = []
    scopes: Annotated[list[Scope], Field(max_length=100)] = []
    ttl_s: Annotated[int, Field(ge=0, le=30 * 86_400)] = 0


class Unwish(BaseModel):
    """What is not wanted any more, as it was asked for; `everything` alone: all of it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"consumer": "operator", "instruments": ["SHFE.rb2605"]}]}
    )

    consumer: Consumer = "operator"
    instruments: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=5_000)] = []
    scopes: Annotated[list[Scope], Field(max_length=100)] = []
    everything: bool = False


class Bars(BaseModel):
    """Bars in order. `cut`: there were more than 100,000 ticks: older ones are left out, the first bar lacks some."""

    instrument: str
    period: Period
    bars: list[Bar]
    cut: bool


class StoredTicks(BaseModel):
    """Ticks in order. `next`: the `before` of those in front of them; None where the stream has no older ones."""

    ticks: list[TickView]
    next: int | None


@router.get("/feeds", responses=responses(401, 403, 503))
async def list_feeds(_: Viewer, at: With) -> list[FeedStatus]:
    """Every market data instance that answers within two seconds: the active one and the standby."""
    names = sorted(one.record.instance for one in at.view.directory.instances(SERVICE))
    said = await asyncio.gather(*(_status(at, name) for name in names))
    return [one for one in said if one is not None]


@router.get("/contracts", responses=responses(401, 403, 422, 503, 504))
async def list_contracts(
    _: Viewer,
    at: With,
    exchange: Text = "",
    product: Text = "",
    kind: Kind | None = None,
    expiry: Text = "",
    after: Text = "",
    limit: Page = 500,
) -> InstrumentsReply:
    """The contracts that the feed lists, in pages by name."""
    request = InstrumentsRequest(exchange=exchange, product=product, kind=kind, expiry=expiry, after=after, limit=limit)
    return await _call(at, INSTRUMENTS, request)


@router.get("/coverage", responses=responses(401, 403, 422, 503, 504))
async def list_coverage(
    _: Viewer,
    at: With,
    exchange: Text = "",
    state: SubscriptionState | None = None,
    consumer: Text = "",
    after: Text = "",
    limit: Page = 500,
) -> SubscriptionsReply:
    """The instruments that somebody wants, with what became of it."""
    request = SubscriptionsRequest(exchange=exchange, state=state, consumer=consumer, after=after, limit=limit)
    return await _call(at, SUBSCRIPTIONS, request)


@router.get("/health/{feed}", responses=responses(401, 403, 404, 422, 503, 504))
async def get_market_health(feed: Annotated[Token, Path(examples=["main"])], _: Viewer, at: With) -> HealthReport:
    """What the health agent of a feed set says of its ticks, aware of sessions."""
    if KeyName(HEALTH, feed) not in at.view.leases.latest:
        raise Problem("not_found", "no_health_agent", feed=feed)
    return (await at.client.call_active(REPORT, feed, Empty(), timeout=_CALL_S)).value


@router.get("/wishes", responses=responses(401, 403, 503, 504))
async def list_wishes(_: Viewer, at: With) -> WishesReply:
    """Who wants what."""
    return await _call(at, WISHES, Empty())


@router.get("/ticks/{instrument}", responses=responses(401, 403, 404, 422, 503, 504))
async def get_last_tick(instrument: Instrument, _: Viewer, at: With) -> TickView:
    """The latest tick of an instrument."""
    reply = await _call(at, LATEST, LatestRequest(instruments=[instrument]))
    if not reply.ticks:
        raise Problem("not_found", "no_tick", instrument=instrument)
    return TickView.model_validate(reply.ticks[0])


@router.get("/ticks/{instrument}/stored", response_model=StoredTicks, responses=responses(401, 403, 422, 503, 504))
async def list_stored_ticks(
    instrument: Instrument,
    _: Viewer,
    at: With,
    before: Annotated[int, Query(ge=0, le=2**53, description="A sequence of the stream; 0: up to its end")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """The last ticks of an instrument that are stored before a sequence of the stream TICKS, in order.

    Pages go back by `next`, as far as the stream does; what is older, the recording has.
    """
    async with at.history:
        found = await ticks_back(at.transport, instrument, before, limit, at.now())
        text = await asyncio.to_thread(_written, found)
    return Response(text, media_type="application/json")


@router.get("/bars/{instrument}", responses=responses(401, 403, 422, 503, 504))
async def list_bars(
    instrument: Instrument,
    _: Viewer,
    at: With,
    period: Period = "1m",
    until: Annotated[datetime | None, Query(description="Before this time; without it, up to the last tick")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="So many periods back, those without trade too")] = 240,
) -> Bars:
    """OHLCV candles of the stored ticks, and of the recording where the desk has one and says where."""
    span = timedelta(seconds=limit * PERIODS[period])
    async with at.history:
        found = await prints(at.transport, at.settings.recording, instrument, until, span, at.now())
        made = await asyncio.to_thread(bars, found.prints, period)
    return Bars(instrument=instrument, period=period, bars=made, cut=found.is_cut)


@router.post("/subscribe", responses=responses(401, 403, 422, 503, 504))
async def subscribe(asked: Wish, caller: Trader, at: With) -> WishReply:
    """Add to what a consumer wants."""
    async with at.trail.action(caller, "subscribe", asked.consumer, _said(asked)):
        return await _call(at, SUBSCRIBE, WishRequest(**asked.model_dump()))


@router.post("/unsubscribe", responses=responses(401, 403, 422, 503, 504))
async def unsubscribe(asked: Unwish, caller: Trader, at: With) -> UnsubscribeReply:
    """Take back what a consumer wants. What others want too stays."""
    async with at.trail.action(caller, "unsubscribe", asked.consumer, _said(asked)):
        return await _call(at, UNSUBSCRIBE, UnsubscribeRequest(**asked.model_dump()))


def _written(page: TickPage) -> bytes:
    """As the document has them, and as live topics write them: a model of each would hold everybody up."""
    return b'{"ticks":[%b],"next":%b}' % (b",".join(map(JSON.encode, page.ticks)), codec.encode_json(page.next))


async def _status(at: Parts, instance: str) -> FeedStatus | None:
    try:
        return await at.client.call(STATUS, Empty(), instance=instance, timeout=_STATUS_S)
    except AegisError:
        return None


async def _call(at: Parts, method: Method[Any, Reply], request: BaseModel) -> Reply:
    return await at.client.call(method, request, timeout=_CALL_S)


def _said(asked: Wish | Unwish) -> dict[str, Any]:
    """For the audit trail: some of the names, and how many there are."""
    said = asked.model_dump(mode="json", exclude_defaults=True)
    return {**said, "instruments": asked.instruments[:_NAMED], "count": len(asked.instruments)}
