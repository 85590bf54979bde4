"""Which ticks a person means by `SHFE.rb2505`, `SHFE.*`, `CFFEX` or `rb*`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from aegis.contracts.market import Exchange, InstrumentId
from aegis_sdk.errors import ConfigurationError

__all__ = ["Selection", "select"]

_ANY = "*"
_GLOB = frozenset("*?[")


class Selection(NamedTuple):
    """What to subscribe to, as `EXCHANGE.SYMBOL` with `*` for all of a part, and what of it is wanted."""

    subscriptions: tuple[str, ...]
    wanted: Callable[[InstrumentId], bool]


def select(patterns: Sequence[str]) -> Selection:
    """The selection of these patterns, of everything if there are none.

    A symbol is a glob. Without an exchange it is meant on each of them. Raises ConfigurationError for a pattern that
    can match nothing.
    """
    parts = [_parts(pattern) for pattern in patterns] or [(_ANY, _ANY)]
    coarse = {(exchange, _ANY if _is_glob(symbol) else symbol) for exchange, symbol in parts}
    subscriptions = tuple(
        f"{exchange}.{symbol}" for exchange, symbol in sorted(coarse) if not _is_covered((exchange, symbol), coarse)
    )

    def wanted(instrument: InstrumentId) -> bool:
        return any(
            exchange in (_ANY, instrument.exchange) and fnmatchcase(instrument.symbol, symbol)
            for exchange, symbol in parts
        )

    return Selection(subscriptions, wanted)


def _parts(pattern: str) -> tuple[str, str]:
    exchange, dot, symbol = pattern.partition(".")
    if not dot:
        return (pattern, _ANY) if pattern in Exchange.__members__ else (_ANY, pattern)
    if exchange != _ANY and exchange not in Exchange.__members__:
        raise ConfigurationError("pattern", f"{pattern!r} names no exchange: it is one of {', '.join(Exchange)}")
    if not symbol:
        raise ConfigurationError("pattern", f"{pattern!r} has no symbol: write {exchange}.*")
    return exchange, symbol


def _is_glob(text: str) -> bool:
    return not _GLOB.isdisjoint(text)


def _is_covered(one: tuple[str, str], others: set[tuple[str, str]]) -> bool:
    exchange, symbol = one
    wider = {(_ANY, symbol), (exchange, _ANY), (_ANY, _ANY)} - {one}
    return not wider.isdisjoint(others)
