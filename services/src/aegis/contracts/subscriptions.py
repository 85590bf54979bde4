"""Who wants which instruments, and what became of it.

What is wanted is state, in the bucket `aegis_subscriptions`: keys `<feed>.<consumer>.<part>`, each value a `WishPart`.
The market data service converges on it, so anybody may write there; the methods below do, and refuse what cannot be.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from aegis.contracts.reasons import Reason
from aegis_sdk.method import Empty, Method

__all__ = [
    "BUCKET",
    "DESK",
    "SUBSCRIBE",
    "SUBSCRIPTIONS",
    "UNSUBSCRIBE",
    "WISHES",
    "Kind",
    "Refusal",
    "Scope",
    "SubscriptionState",
    "SubscriptionView",
    "SubscriptionsReply",
    "SubscriptionsRequest",
    "UniverseChanged",
    "UnsubscribeReply",
    "UnsubscribeRequest",
    "WishPart",
    "WishReply",
    "WishRequest",
    "WishView",
    "WishesReply",
]

BUCKET: Final = "aegis_subscriptions"
DESK: Final = "desk"
"""The consumer whose wish is a setting of the service, `AEGIS_WANTED`; put anew at each start."""

MOST_AT_ONCE: Final = 5_000
"""Instruments in one request: some 100 kB."""
PAGE: Final = 500
_SERVICE: Final = "marketdata"

Text = Annotated[str, Field(max_length=128)]
Consumer = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Kind = Literal["future", "option", "combination", "other"]
SubscriptionState = Literal["ticking", "subscribed", "waiting", "refused"]
"""ticking: subscribed, and a tick came since. subscribed: none came yet. waiting: not asked for. refused: see why."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scope(BaseModel, frozen=True, extra="forbid"):
    """All instruments of an exchange, a product and a kind; what is left out stands for any."""

    exchange: Text = ""
    product: Text = ""  # the exchange's code of the good; options have that of their underlying future
    kind: Kind | None = "future"

    def __str__(self) -> str:
        which = f"{self.kind}s" if self.kind else "instruments"
        return " ".join(part for part in ("all", self.exchange, self.product, which) if part)


class WishPart(_Frozen):
    """A part of what one consumer wants; its parts are added up.

    Instruments, such as `SHFE.rb2505`, may be ones that are listed only later. With `ttl_s` the part expires that many
    seconds after it was written.
    """

    instruments: Annotated[tuple[Text, ...], Field(max_length=10_000)] = ()
    scopes: Annotated[tuple[Scope, ...], Field(max_length=100)] = ()
    ttl_s: Annotated[int, Field(ge=0)] = 0


class WishRequest(_Frozen):
    """Add to what `consumer` wants. All that it wants expires `ttl_s` seconds from now, 0: never.

    A request that adds nothing renews the expiry.
    """

    consumer: Consumer
    instruments: Annotated[list[Text], Field(max_length=MOST_AT_ONCE)] = []
    scopes: Annotated[list[Scope], Field(max_length=100)] = []
    ttl_s: Annotated[int, Field(ge=0, le=30 * 86_400)] = 0


class Refusal(_Frozen):
    """What was not accepted, as it was asked for, and why."""

    what: str
    why: Reason


class WishReply(_Frozen):
    """What is wanted from now on of what was asked for. `instruments` counts those that the accepted stand for."""

    accepted: list[str]
    rejected: list[Refusal]
    instruments: int


class UnsubscribeRequest(_Frozen):
    """Take from what `consumer` wants; `everything` takes all of it, and the rest must be empty."""

    consumer: Consumer
    instruments: Annotated[list[Text], Field(max_length=MOST_AT_ONCE)] = []
    scopes: Annotated[list[Scope], Field(max_length=100)] = []
    everything: bool = False


class UnsubscribeReply(_Frozen):
    """What the consumer asks for no more; `still_wanted` of these instruments others want, or a scope of its own."""

    accepted: list[str]
    rejected: list[Refusal]
    still_wanted: int


class SubscriptionsRequest(_Frozen):
    """Instruments that somebody wants, by exchange, state and consumer where given; a page begins behind `after`."""

    exchange: Text = ""
    state: SubscriptionState | None = None
    consumer: Text = ""
    after: Text = ""
    limit: Annotated[int, Field(ge=1, le=PAGE)] = PAGE


class SubscriptionView(_Frozen):
    """One instrument; `why` it is refused, or waits."""

    instrument: str
    state: SubscriptionState
    why: Reason | None
    wanted_by: list[str]


class SubscriptionsReply(_Frozen):
    """One page, by instrument, perhaps a short one; `next` is the `after` of the following page, empty on the last."""

    subscriptions: list[SubscriptionView]
    next: str


class WishView(_Frozen):
    """What one consumer wants: how many instruments by name, which scopes, and until when the first of it expires."""

    consumer: str
    instruments: int
    scopes: list[Scope]
    expires_at: datetime | None


class WishesReply(_Frozen):
    """All consumers, by name; at most 64."""

    wishes: list[WishView]


class UniverseChanged(_Frozen):
    """Event `event.market.<feed>.universe`: a new session lists other instruments than the one before.

    Expired are those gone that expired before all that are listed still; missing, the others that are gone. Of each at
    most 500 are named.
    """

    feed: str
    source: str
    session: str
    instruments: int
    new: int
    expired: int
    missing: int
    named_new: list[str]
    named_expired: list[str]
    named_missing: list[str]


SUBSCRIBE: Final = Method(_SERVICE, "subscribe", WishRequest, WishReply, idempotent=True)
UNSUBSCRIBE: Final = Method(_SERVICE, "unsubscribe", UnsubscribeRequest, UnsubscribeReply, idempotent=True)
SUBSCRIPTIONS: Final = Method(_SERVICE, "subscriptions", SubscriptionsRequest, SubscriptionsReply, idempotent=True)
WISHES: Final = Method(_SERVICE, "wishes", Empty, WishesReply, idempotent=True)
