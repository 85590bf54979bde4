"""Whether ticks are to be expected: what a silence means."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.contracts.market import Instrument
from aegis.exchanges.products import product_of
from aegis.exchanges.sessions import Phase, phase_on, to_shanghai

__all__ = ["is_trading"]


def is_trading(instruments: Iterable[Instrument], begin_ns: int, end_ns: int) -> bool:
    """Whether one of them trades without a pause from `begin_ns` to `end_ns`, UTC, less than a break apart.

    An instrument of an unknown product is not counted on.
    """
    moments = [to_shanghai(at_ns)[:2] for at_ns in (begin_ns, end_ns)]
    hours = {product.hours for one in instruments if (product := product_of(one.exchange, one.symbol)) is not None}
    return any(all(phase_on(each, *moment) is Phase.TRADING for moment in moments) for each in hours)
