"""What callers were told, what the journal has and what the venue has, against each other. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from trading_rounds.flow import Told, names_of

from aegis.contracts.amounts import is_same_money
from aegis.contracts.orders import Account, Order, Position, Trade
from aegis.contracts.venue import VenueAccount, VenueOrder, VenuePosition, VenueTrade

NOWHERE = frozenset(("not_sent", "rejected"))
"""Statuses of orders that a venue may not have."""
_MONEY = ("pre_balance", "close_profit", "commission", "margin", "frozen_margin", "frozen_commission")


def wrong_orders(told: Told, ours: Sequence[Order], theirs: Sequence[VenueOrder]) -> Iterator[str]:
    at_venue = {one.client_order_id: one for one in theirs}
    here = {one.client_order_id: one for one in ours}
    for name, number in Counter(one.client_order_id for one in theirs).items():
        if not name or number > 1:
            yield f"the venue has {number} orders of the name {name!r}"
    for name in told.unknown:
        yield f"nobody says what became of {name}"
    for name, order in told.orders.items():
        if order.status == "not_sent" and name in at_venue:
            yield f"{name} was not sent ({order.text or order.reason}), but the venue has it"
        if order.status not in NOWHERE and name not in at_venue:
            yield f"{name} was {order.status}, but the venue does not have it"
        if name not in here:
            yield f"{name} was answered as {order.status}, and is not in the journal"
        for what, asked in told.asked[order.request_id].items():
            if getattr(order, what) != asked:
                yield f"{what} of {name} was told as {getattr(order, what)}, and {asked} was asked for"
        if name in at_venue:
            one = at_venue[name]
            is_its_end = (order.status, order.filled) == (one.status, one.filled)
            if order.filled > one.filled or (order.is_final and not is_its_end):
                yield f"{name} was told as {order.status} {order.filled}, at the venue it is {one.status} {one.filled}"
    for name, lots in told.split.items():
        legs = [order.volume for order in told.orders.values() if order.request_id == name]
        if legs and sum(legs) != lots:
            yield f"{name} was split into {legs}, and {lots} were asked for"
    for name, reason in told.refused.items():
        for one in at_venue.keys() & set(names_of(name)):
            yield f"{one} was refused ({reason}), but the venue has it"
    for name in told.cancelled & at_venue.keys():
        if at_venue[name].status not in ("cancelled", "filled"):
            yield f"the cancel of {name} was taken, and it is {at_venue[name].status}"
    for name, one in at_venue.items():
        if name not in here:
            yield f"the venue has {name}, and the journal does not"
        elif (here[name].status, here[name].filled) != (one.status, one.filled):
            yield f"{name} is {here[name].status} {here[name].filled}, at the venue {one.status} {one.filled}"
    for name, order in here.items():
        if name not in at_venue and order.status not in NOWHERE:
            yield f"{name} is {order.status}, and the venue does not have it"


def wrong_trades(ours: Iterable[Trade], theirs: Iterable[VenueTrade]) -> Iterator[str]:
    def named(trades: Iterable[Trade] | Iterable[VenueTrade]) -> Counter[tuple[str, str, int]]:
        return Counter((one.client_order_id, str(one.price), one.volume) for one in trades)

    here, there = named(ours), named(theirs)
    for trade in (here - there) + (there - here):
        yield f"the trade {trade} is here {here[trade]} times, at the venue {there[trade]} times"


def wrong_figures(
    ours: tuple[Iterable[Position], Account], theirs: tuple[Iterable[VenuePosition], VenueAccount]
) -> Iterator[str]:
    def lots(positions: Iterable[Position] | Iterable[VenuePosition]) -> Mapping[tuple[str, str], tuple[int, int]]:
        return {
            (one.instrument, one.direction): (one.today, one.yesterday)
            for one in positions
            if one.today + one.yesterday
        }

    if lots(ours[0]) != lots(theirs[0]):
        yield f"positions are {lots(ours[0])}, at the venue {lots(theirs[0])}"
    for name in _MONEY:
        here, there = getattr(ours[1], name), getattr(theirs[1], name)
        if not is_same_money(here, there):
            yield f"{name} is {here}, at the venue {there}"
