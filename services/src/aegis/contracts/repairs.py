"""What can be asked of one instance of market data to mend what it brings; each is bounded in rate.

They are meant for the health agent, and for people. Ask the instance that publishes: `client.call(..., instance=NAME)`.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from aegis_sdk.method import Method

__all__ = [
    "MOST_AT_ONCE",
    "RENEW",
    "RESUBSCRIBE",
    "RenewReply",
    "RenewRequest",
    "ResubscribeReply",
    "ResubscribeRequest",
]

MOST_AT_ONCE: Final = 500
_SERVICE: Final = "marketdata"

Text = Annotated[str, Field(max_length=128)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ResubscribeRequest(_Frozen):
    """Instruments such as `SHFE.rb2605`, to be unsubscribed and subscribed again."""

    instruments: Annotated[list[Text], Field(min_length=1, max_length=MOST_AT_ONCE)]


class ResubscribeReply(_Frozen):
    """How many of them are wanted and listed: these are asked for again, in a moment. The others are left alone."""

    instruments: int


class RenewRequest(_Frozen):
    """End the feed's session, and begin a fresh one."""

    reason: Text = "asked for"


class RenewReply(_Frozen):
    """The session that has ended."""

    session: str


RESUBSCRIBE: Final = Method(_SERVICE, "resubscribe", ResubscribeRequest, ResubscribeReply)
RENEW: Final = Method(_SERVICE, "renew", RenewRequest, RenewReply)
