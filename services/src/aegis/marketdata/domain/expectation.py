"""Whether ticks are to be expected: what a silence means."""

from __future__ import annotations

from collections.abc import Collection

from aegis.contracts.market import Quote
from aegis.exchanges.products import product_of
from aegis.exchanges.sessions import Phase, phase_on, to_shanghai

__all__ = ["all_trade"]


def all_trade(quotes: Collection[Quote], begin_ns: int, end_ns: int) -> bool:
    """Whether the contracts of these all trade without a pause from `begin_ns` to `end_ns`, less than a break apart.

    Times are UTC. One of an unknown product is not counted on; nor is anything where all are.
    """
    moments = [to_shanghai(at_ns)[:2] for at_ns in (begin_ns, end_ns)]
    hours = {product.hours for one in quotes if (product := product_of(one.exchange, one.symbol)) is not None}
    return bool(hours) and all(phase_on(each, *moment) is Phase.TRADING for each in hours for moment in moments)
