"""What the agent asks of market data, and what it has it do: calls to its instances, one by one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from aegis.contracts.health import InstanceView
from aegis.contracts.marketdata import INSTRUMENTS, SERVICE, STATUS, FeedStatus, InstrumentsRequest
from aegis.contracts.reasons import Reason, reason_of
from aegis.contracts.repairs import RENEW, RESUBSCRIBE, RenewRequest, ResubscribeRequest
from aegis.contracts.subscriptions import SUBSCRIPTIONS, SubscriptionsRequest, SubscriptionState
from aegis.marketdata.health.domain.repairs import Kind, Outcome, Repair
from aegis.marketdata.health.domain.summary import CRITICAL_BELOW
from aegis_sdk.client import Client
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import DeadlineExceeded, Rejected, RpcError
from aegis_sdk.instances import Instance, InstanceStatus
from aegis_sdk.method import Empty
from aegis_sdk.single_active.operations import Handover, handover_of

__all__ = ["Desk", "Publisher"]

_STATUS_S: Final = 1.0
_PAGE_S: Final = 5.0
_REPAIR_S: Final = 5.0
_HANDOVER_S: Final = 15.0


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """An instance of the feed set and what it says."""

    view: InstanceView
    status: FeedStatus
    has_key: bool  # by the registry; a moment later it publishes

    @property
    def share(self) -> float:
        """Of what could be subscribed, how much is."""
        due = self.status.wanted - self.status.refused
        return self.status.subscribed / due if due > 0 else 1.0


class Desk:
    """The instances of market data that bring one feed set. `directory` knows those of the service."""

    def __init__(self, client: Client, directory: Directory, feed: str) -> None:
        self._client = client
        self._directory = directory
        self._feed = feed

    async def publishers(self) -> tuple[list[Publisher], bool]:
        """All that answer, the one that publishes first, and whether some that is alive does not: it may be one too."""
        living = self._directory.instances(SERVICE)
        asked = await asyncio.gather(*map(self._asked, living))
        found = [one for one in asked if one is not None and one.status.feed == self._feed]
        found.sort(key=lambda one: (not one.view.holds, not one.has_key, one.view.instance))
        return found, None in asked

    async def _asked(self, instance: Instance) -> Publisher | None:
        record = instance.record
        try:
            status = await self._client.call(STATUS, Empty(), timeout=_STATUS_S, instance=record.instance)
        except RpcError:
            return None
        view = InstanceView(
            instance=record.instance,
            status=str(instance.status),
            holds=status.role == "active",
            session=status.session,
            state=status.state,
            why=status.why,
        )
        return Publisher(view=view, status=status, has_key=self._feed in record.keys)

    async def listed(self, instance: str) -> dict[str, str | None]:
        """All that an instance's feed lists, with the last trading days. Raises RpcError."""
        listed: dict[str, str | None] = {}
        after, more = "", True
        while more:
            page = await self._client.call(
                INSTRUMENTS, InstrumentsRequest(after=after), timeout=_PAGE_S, instance=instance
            )
            listed.update((one.instrument, one.expiry_day) for one in page.instruments)
            after = page.next
            more = bool(after)
        return listed

    async def wanted(self, instance: str) -> list[tuple[str, SubscriptionState, Reason | None]]:
        """Name, state and why of all that somebody wants. Raises RpcError."""
        wanted: list[tuple[str, SubscriptionState, Reason | None]] = []
        after, more = "", True
        while more:
            page = await self._client.call(
                SUBSCRIPTIONS, SubscriptionsRequest(after=after), timeout=_PAGE_S, instance=instance
            )
            wanted.extend((one.instrument, one.state, one.why) for one in page.subscriptions)
            after = page.next
            more = bool(after)
        return wanted

    async def do(self, repair: Repair, instance: str) -> tuple[Outcome, Reason | None]:
        """Have the instance that publishes do a repair; what became of it, and what there is to say of that."""
        try:
            match repair.kind:
                case Kind.RESUBSCRIBE:
                    request = ResubscribeRequest(instruments=list(repair.instruments))
                    reply = await self._client.call(RESUBSCRIBE, request, timeout=_REPAIR_S, instance=instance)
                    return "done", Reason.of("asked_again", count=reply.instruments)
                case Kind.RENEW:
                    renew = RenewRequest(reason=f"health: {repair.reason}"[:128])
                    await self._client.call(RENEW, renew, timeout=_REPAIR_S, instance=instance)
                    return "done", Reason.of("session_renewed", instance=instance)
                case Kind.FAIL_OVER:
                    return await self._fail_over()
                case Kind.ESCALATE:
                    return "done", None
        except Rejected as error:
            return "failed", reason_of(error)
        except DeadlineExceeded as error:
            return "failed", Reason.of("no_answer", text=str(error))
        except RpcError as error:
            return "failed", Reason.of("error", error=error.code, text=str(error))

    async def _fail_over(self) -> tuple[Outcome, Reason | None]:
        """To another instance of this feed set, the one that has subscribed most. Raises RpcError.

        One without a session is UNHEALTHY. One that covers so little that this alone is critical would be no repair.
        """
        found, _ = await self.publishers()
        holder = next((one.view.instance for one in found if one.has_key), None)
        if holder is None:
            return "not_possible", Reason.of("no_lease", key=f"{SERVICE}/{self._feed}")
        standing_by = [one for one in found if one.view.status == InstanceStatus.STANDBY]
        if not standing_by:
            return "not_possible", Reason.of("no_taker", holder=holder, feed=self._feed)
        best = max(standing_by, key=lambda one: one.share)
        name, status = best.view.instance, best.status
        if best.share < CRITICAL_BELOW:
            little = Reason.of("taker_covers_little", instance=name, subscribed=status.subscribed, wanted=status.wanted)
            return "not_possible", little
        request = Handover(key=self._feed, to=name)
        await self._client.call(handover_of(SERVICE), request, timeout=_HANDOVER_S, instance=holder)
        return "done", Reason.of("given_up", holder=holder, feed=self._feed)
