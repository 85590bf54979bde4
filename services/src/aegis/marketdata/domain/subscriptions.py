"""What to subscribe and unsubscribe, by what is wanted and what is subscribed; and what became of each instrument."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass

from aegis.contracts.market import InstrumentId
from aegis.contracts.reasons import Reason
from aegis.contracts.subscriptions import SubscriptionState

__all__ = ["Plan", "Totals", "reconcile", "state_of"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be asked of a feed, in order; what goes makes room first."""

    unsubscribe: tuple[InstrumentId, ...] = ()
    subscribe: tuple[InstrumentId, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.unsubscribe or self.subscribe)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Instruments by what became of them. What is wanted, and neither subscribed nor refused, waits."""

    wanted: int
    subscribed: int
    ticking: int  # of the subscribed
    refused: int


def reconcile(
    wanted: Set[InstrumentId],
    listed: Collection[InstrumentId],
    subscribed: Set[InstrumentId],
    refused: Collection[InstrumentId] = (),
) -> Plan:
    """The way from what is subscribed to what is wanted, of what is listed and was not refused in this session."""
    missing = {one for one in wanted if one not in subscribed and one in listed and one not in refused}
    return Plan(unsubscribe=tuple(sorted(subscribed - wanted)), subscribe=tuple(sorted(missing)))


def state_of(
    instrument: InstrumentId,
    *,
    listed: Collection[InstrumentId],
    subscribed: Collection[InstrumentId],
    unproven: Collection[InstrumentId],
    refused: Mapping[InstrumentId, Reason],
    waiting_for: Reason | None = None,
) -> tuple[SubscriptionState, Reason | None]:
    """What became of an instrument that is wanted, and why.

    `unproven` are the subscribed of which no tick came since. `waiting_for` says why nothing is asked of the feed now.
    """
    if instrument in subscribed:
        return ("subscribed" if instrument in unproven else "ticking"), None
    if instrument in refused:
        return "refused", refused[instrument]
    if waiting_for or instrument in listed:
        return "waiting", waiting_for
    return "refused", Reason.of("not_listed")
