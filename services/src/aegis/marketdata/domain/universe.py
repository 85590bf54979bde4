"""The universe: all instruments that a feed lists, to be found by what they are; and how two of them differ."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from aegis.contracts.market import Instrument, InstrumentId
from aegis.contracts.subscriptions import Kind, Scope
from aegis.exchanges.products import product_of

__all__ = ["EMPTY", "Universe", "UniverseChange", "compare", "kind_of"]

_FUTURE: Final = re.compile(r"[A-Za-z]{1,2}\d{3,4}F?")
_OPTION: Final = re.compile(r"[A-Za-z]{1,2}\d{3,4}-?(?:MS-?)?[CP]-?\d+(?:\.\d+)?")


_Group = tuple[str, str, Kind]


def kind_of(symbol: str) -> Kind:
    """What a symbol of the six exchanges stands for; `other` is what trades at a settlement to come, and the like."""
    if " " in symbol or "&" in symbol:
        return "combination"
    if _FUTURE.fullmatch(symbol):
        return "future"
    return "option" if _OPTION.fullmatch(symbol) else "other"


class Universe:
    """Instruments by name, such as `SHFE.rb2505`, and by exchange, product and kind. Never changed once made."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        listed = {str(one.id): one for one in instruments}
        self.names: Final = sorted(listed)
        self._listed = {name: listed[name] for name in self.names}
        self.ids: Final = frozenset(one.id for one in listed.values())
        self._group_of = {name: _group(one) for name, one in listed.items()}
        groups: dict[_Group, set[InstrumentId]] = defaultdict(set)
        for name, one in listed.items():
            groups[self._group_of[name]].add(one.id)
        self._groups = {group: frozenset(ids) for group, ids in groups.items()}

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._listed.values())

    def get(self, name: str) -> Instrument | None:
        return self._listed.get(name)

    def matching(self, scope: Scope) -> set[InstrumentId]:
        """The instruments of a scope."""
        found: set[InstrumentId] = set()
        for group, ids in self._groups.items():
            if _is_in(group, scope):
                found |= ids
        return found

    def covers(self, scope: Scope, name: str) -> bool:
        """Whether a listed instrument is one of a scope."""
        group = self._group_of.get(name)
        return group is not None and _is_in(group, scope)

    def select(self, scope: Scope, expiry: str = "", after: str = "") -> Iterator[tuple[str, Instrument]]:
        """Those of a scope behind the name `after`, whose expiry day begins with `expiry`; by name."""
        for name in self.names[bisect_right(self.names, after) :]:
            one = self._listed[name]
            if _is_in(self._group_of[name], scope) and (one.expiry_day or "").startswith(expiry):
                yield name, one


EMPTY: Final = Universe(())


@dataclass(frozen=True, kw_only=True)
class UniverseChange:
    """How a universe differs from the one before: names, in order."""

    new: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.expired or self.missing)


def compare(before: Universe, after: Universe) -> UniverseChange:
    """What came, and what is gone.

    Gone is expired if its last trading day is over: if it lies before that of all that are still listed. No clock is
    asked, since the day of a simulated or replayed market is its own.
    """
    first_expiry = min((one.expiry_day for one in after if one.expiry_day), default="")
    gone = [(str(one.id), one) for one in before if one.id not in after.ids]
    expired = {name for name, one in gone if one.expiry_day and one.expiry_day < first_expiry}
    return UniverseChange(
        new=tuple(name for name in after.names if before.get(name) is None),
        expired=tuple(name for name, _ in gone if name in expired),
        missing=tuple(name for name, _ in gone if name not in expired),
    )


def _group(instrument: Instrument) -> _Group:
    """An option's product is that of its underlying, whatever its feed calls it."""
    product = product_of(instrument.exchange, instrument.symbol)
    return instrument.exchange, product.code if product else instrument.product, kind_of(instrument.symbol)


def _is_in(group: _Group, scope: Scope) -> bool:
    exchange, product, kind = group
    return scope.exchange in ("", exchange) and scope.product in ("", product) and scope.kind in (None, kind)
