"""All checks of an order, in the order they are asked; the first refusal is the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

from aegis.accounting.exchange_rules import Phase
from aegis.accounting.offsets import exchange_of
from aegis.trading.domain import account_checks as account
from aegis.trading.domain import order_checks as order
from aegis.trading.domain.group import Group
from aegis.trading.domain.risk import RiskSettings
from aegis.trading.domain.situation import Refusal, Situation

__all__ = ["CHECKS", "Warned", "check", "check_cancel", "converted", "narrowed", "warnings"]

CHECKS: Final[tuple[Callable[[Situation], Refusal | None], ...]] = (
    account.is_new,
    account.is_allowed,
    order.has_instrument,
    order.has_phase,
    order.is_of_type,
    order.has_lots,
    order.has_price,
    order.is_within_collar,
    account.is_slow_enough,
    account.has_counts_left,
    account.crosses_nothing_own,
    account.has_room,
    account.is_affordable_loss,
    account.has_lots_to_close,
    account.has_money,
)


class Warned(NamedTuple):
    """A count of the day that has come near its limit."""

    instrument: str
    counted: str
    number: int
    limit: int


def check(situation: Situation) -> Refusal | None:
    """Why the order may not be sent; None: it may."""
    return next((refusal for ask in CHECKS if (refusal := ask(situation)) is not None), None)


def check_cancel(settings: RiskSettings, phase: Phase, cancels_last_s: int) -> Refusal | None:
    """Why a cancel may not be sent. No mode forbids one."""
    if phase == "match":
        return Refusal("match_minute")
    most = settings.cancels_per_s
    return Refusal.of("cancel_rate", most=most) if cancels_last_s >= most else None


def converted(situation: Situation) -> Situation:
    """With a FAK at the edge of the collar in place of a market order: it takes what that would, and no worse.

    Where the exchange has no market orders, only if policy says so. Where it has them, by a fresh price only: a close
    that nobody can bound goes out as it is. As it is also where there is no price to go by; what opens is refused then.
    """
    asked, types = situation.order, order.types_of(situation)
    if asked.type != "market" or situation.terms is None:
        return situation
    is_wanted = situation.settings.market_orders == "convert"
    if "market" in types:
        is_wanted = order.is_fresh(situation) and "fak" in types
    price = order.collar_price(situation) if is_wanted else None
    if price is None:
        return situation
    fak = asked.model_copy(update={"type": "fak", "price": price})
    return replace(situation, order=fak, hold_price=price)


def narrowed(situation: Situation) -> Situation:
    """With the edge of the collar for a price that is beyond it; else as it is."""
    refusal = None if situation.terms is None else order.is_within_collar(situation)
    price = order.collar_price(situation) if refusal is not None and refusal.reason == "collar" else None
    if price is None:
        return situation
    return replace(situation, order=situation.order.model_copy(update={"price": price}), hold_price=price)


def warnings(group: Group, settings: RiskSettings) -> list[Warned]:
    """Counts of the day at `warn_share` of their limit and above, by instrument."""
    return [
        Warned(instrument, name, number, limit)
        for instrument, tally in sorted(group.tallies.items())
        for name, limit in settings.limits(exchange_of(instrument)).items()
        if (number := getattr(tally, name)) >= limit * settings.warn_share
    ]
