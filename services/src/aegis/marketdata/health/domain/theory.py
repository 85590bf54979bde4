"""The universe in theory: the futures of a trading day by products and calendar, next to what a feed lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from aegis.marketdata.domain.instruments import listed_instruments
from aegis.marketdata.domain.universe import kind_of

__all__ = ["Comparison", "compared"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Names, in order. Only futures are compared: what strikes an exchange lists no calendar tells."""

    listed: int
    expected: int
    expired: tuple[str, ...]  # listed, though their last trading day is over
    unexpected: tuple[str, ...]  # listed, and not in theory
    missing: tuple[str, ...]  # in theory, and not listed


def compared(listed: Mapping[str, str | None], trading_day: str) -> Comparison:
    """What a feed lists, with the last trading days where these are known, against the theory of that day."""
    futures = {name: expiry for name, expiry in listed.items() if kind_of(name.partition(".")[2]) == "future"}
    expected = _expected(trading_day)
    expired = {name for name, expiry in futures.items() if expiry and expiry < trading_day}
    return Comparison(
        listed=len(futures),
        expected=len(expected),
        expired=tuple(sorted(expired)),
        unexpected=tuple(sorted(futures.keys() - expected - expired)),
        missing=tuple(sorted(expected - futures.keys())),
    )


@lru_cache(maxsize=4)
def _expected(trading_day: str) -> frozenset[str]:
    return frozenset(str(one.id) for one in listed_instruments(trading_day))
