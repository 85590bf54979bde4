"""What the service can be asked to do again: subscribe, log in. Each so often and no more."""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

import structlog

from aegis.contracts.reasons import explained
from aegis.contracts.repairs import (
    RENEW,
    RESUBSCRIBE,
    RenewReply,
    RenewRequest,
    ResubscribeReply,
    ResubscribeRequest,
)
from aegis.marketdata.domain.wishes import instrument_id
from aegis.marketdata.ports import Feed, FeedState
from aegis.marketdata.subscriber import Subscriber
from aegis_sdk import clock
from aegis_sdk.errors import ConnectionUnavailable, Rejected
from aegis_sdk.handler import rpc
from aegis_sdk.service import Service

__all__ = ["RENEW_EVERY_S", "RESUBSCRIBE_EVERY_S", "RepairCalls"]

_log = structlog.get_logger("aegis.repairs")

RESUBSCRIBE_EVERY_S: Final = 1.0
RENEW_EVERY_S: Final = 15.0


class RepairCalls(Service):
    """Handlers of a service that has these."""

    subscriber: Subscriber
    feed_state: FeedState

    _resubscribed_at = -RESUBSCRIBE_EVERY_S
    _renewed_at = -RENEW_EVERY_S

    @property
    @abstractmethod
    def feed(self) -> Feed: ...

    @rpc(RESUBSCRIBE)
    async def resubscribe(self, request: ResubscribeRequest) -> ResubscribeReply:
        """Raises Rejected where the last one was less than `RESUBSCRIBE_EVERY_S` ago, or the feed has no session."""
        self._require_ready()
        now = clock.now()
        if now - self._resubscribed_at < RESUBSCRIBE_EVERY_S:
            raise explained(Rejected, "resubscribed_lately", seconds=f"{RESUBSCRIBE_EVERY_S:g}")
        self._resubscribed_at = now
        named = {one for name in request.instruments if (one := instrument_id(name)) is not None}
        count = self.subscriber.resubscribe(named)
        _log.warning("resubscribing", instruments=count, first=request.instruments[0])
        return ResubscribeReply(instruments=count)

    @rpc(RENEW)
    async def renew(self, request: RenewRequest) -> RenewReply:
        """Raises Rejected where the last one was less than `RENEW_EVERY_S` ago, or no other session can be had."""
        self._require_ready()
        now = clock.now()
        if now - self._renewed_at < RENEW_EVERY_S:
            raise explained(Rejected, "renewed_lately", seconds=f"{RENEW_EVERY_S:g}")
        self._renewed_at = now
        session = self.feed.session
        _log.warning("renewing_session", session=session, reason=request.reason)
        try:
            await self.feed.renew()
        except ConnectionUnavailable as error:  # the session has ended just now
            raise explained(Rejected, "session_missing", state=self.feed_state.value) from error
        return RenewReply(session=session)

    def _require_ready(self) -> None:
        if self.feed_state is not FeedState.READY:
            raise explained(Rejected, "session_missing", state=self.feed_state.value)
