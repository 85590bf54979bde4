"""What the market data service can be asked, and what it tells of itself."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from aegis.contracts.reasons import Reason
from aegis.contracts.subscriptions import Kind
from aegis_sdk.method import Empty, Method

__all__ = [
    "INSTRUMENTS",
    "LATEST",
    "LOSSES",
    "SERVICE",
    "STATUS",
    "FeedChanged",
    "FeedStatus",
    "InstrumentView",
    "InstrumentsReply",
    "InstrumentsRequest",
    "LatestReply",
    "LatestRequest",
    "Loss",
    "LossesReply",
    "LossesRequest",
    "LossesView",
]

SERVICE: Final = "marketdata"
PAGE: Final = 500

Text = Annotated[str, Field(max_length=128)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Loss(_Frozen):
    """Ticks of one instrument that never reached the stream."""

    instrument: str
    ticks: int


class FeedStatus(_Frozen):
    """The feed and its pipeline at one moment. Counters count ticks since the process started."""

    feed: str
    instance: str  # that answers
    role: Literal["active", "standby"]  # whether it publishes
    source: str
    session: str
    epoch: int  # under which it publishes, or published last; 0: never
    state: str
    why: list[Reason]
    codec: str
    instruments: int  # that the feed lists
    listings: int  # how often it has listed them since the process started: with each session and trading day
    wanted: int  # of them by somebody
    subscribed: int
    ticking: int  # of the subscribed: a tick came since
    refused: int  # wanted, but not listed or not taken; `subscriptions` says why
    received: int  # from the feed
    conflated: int  # left out for a newer one of their instrument, in the bridge ring or by the feed before it
    rejected: dict[str, int]  # input that was no quote, by reason
    unserializable: int
    published: int  # handed to the connection, each counted once
    stored: int  # proven to be in the stream
    waiting: int  # in both rings
    held: int  # by a standby, until they are seen published
    left: int  # to the instance that publishes now
    republished: int
    repairs: int  # how often the stream had to be read back
    lost: int  # for the stream
    lost_sent: int  # of them published before: live subscribers may have had them
    lost_most: list[Loss]  # at most 20, the worst first; `losses` tells of all


class LatestRequest(_Frozen):
    """Instruments such as `SHFE.rb2505`."""

    instruments: Annotated[list[Text], Field(min_length=1, max_length=PAGE)]


class LatestReply(_Frozen):
    """The latest tick of each, as JSON objects; instruments without one are left out."""

    ticks: list[dict[str, JsonValue]]


class InstrumentsRequest(_Frozen):
    """Which instruments, by exchange, product and so on where given; a page begins behind `after`."""

    exchange: Text = ""
    product: Text = ""  # of an option that of its underlying
    kind: Kind | None = None
    expiry: Text = ""  # how the last trading day begins: a year, a month, a day
    after: Text = ""
    limit: Annotated[int, Field(ge=1, le=PAGE)] = PAGE


class InstrumentView(_Frozen):
    """The facts of one contract. If its product is unknown, it is empty, and multiplier and price_tick are null."""

    instrument: str
    product: str
    kind: Kind
    name: str
    multiplier: int | None
    price_tick: float | None
    expiry_day: str | None


class InstrumentsReply(_Frozen):
    """One page, in order; `next` is the `after` of the following page, empty on the last."""

    instruments: list[InstrumentView]
    next: str


class LossesRequest(_Frozen):
    """Instruments that lack ticks; a page begins behind `after`."""

    after: Text = ""
    limit: Annotated[int, Field(ge=1, le=PAGE)] = PAGE


class LossesView(_Frozen):
    """What one instrument lacks, in ticks since the process started. A CTP feed tells what of it was rejected."""

    instrument: str
    lost: int
    conflated: int
    unserializable: int
    rejected: int  # of its input, that was no quote


class LossesReply(_Frozen):
    """One page, by instrument; `next` is the `after` of the following page, empty on the last."""

    losses: list[LossesView]
    next: str


class FeedChanged(_Frozen):
    """Event `event.market.<feed>.changed`: the feed's session entered a state."""

    feed: str
    instance: str
    source: str
    session: str
    epoch: int
    state: str
    why: list[Reason]


STATUS: Final = Method(SERVICE, "status", Empty, FeedStatus, idempotent=True)
LATEST: Final = Method(SERVICE, "latest", LatestRequest, LatestReply, idempotent=True)
INSTRUMENTS: Final = Method(SERVICE, "instruments", InstrumentsRequest, InstrumentsReply, idempotent=True)
LOSSES: Final = Method(SERVICE, "losses", LossesRequest, LossesReply, idempotent=True)
