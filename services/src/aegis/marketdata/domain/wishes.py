"""What all consumers want, merged: an instrument is wanted as long as one of them wants it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

from aegis.contracts.market import InstrumentId
from aegis.contracts.subscriptions import Scope, WishPart
from aegis.marketdata.domain.universe import Universe

__all__ = [
    "MOST_CONSUMERS",
    "MOST_INSTRUMENTS",
    "MOST_SCOPES",
    "PARTS",
    "SCOPES",
    "Place",
    "Wish",
    "Wishes",
    "by_part",
    "instrument_id",
    "part_of",
]

MOST_CONSUMERS: Final = 64
MOST_INSTRUMENTS: Final = 50_000
"""Of one consumer, by name."""
MOST_SCOPES: Final = 100
"""Of one consumer. A scope is one entry, whatever it stands for."""

PARTS: Final = 16
"""An instrument always stands in the same one of so many parts, so that adding one moves no other; 50,000 names of the
usual length make parts of some 50 kB."""
SCOPES: Final = "scopes"
"""The part that holds a consumer's scopes."""

_SECOND_NS: Final = 1_000_000_000


class Place(NamedTuple):
    """Where a part stands: whose it is, and which."""

    consumer: str
    part: str


class _Entry(NamedTuple):
    revision: int
    part: WishPart
    names: frozenset[str]
    instruments: frozenset[InstrumentId]
    created_ns: int


@dataclass(frozen=True, kw_only=True)
class Wish:
    """All that one consumer wants. `expires_ns` is when the first part of it ends, UTC; 0: never."""

    consumer: str
    names: frozenset[str]
    scopes: tuple[Scope, ...]
    expires_ns: int


def part_of(name: str) -> str:
    """The part in which an instrument stands."""
    return f"{crc32(name.encode()) % PARTS:x}"


def by_part(names: Iterable[str]) -> dict[str, set[str]]:
    """Names by the part in which they stand."""
    parts: dict[str, set[str]] = {}
    for name in names:
        parts.setdefault(part_of(name), set()).add(name)
    return parts


def instrument_id(name: str) -> InstrumentId | None:
    """The instrument of a name; None where it is not written EXCHANGE.SYMBOL."""
    exchange, dot, symbol = name.partition(".")
    return InstrumentId(exchange, symbol) if exchange and dot and symbol else None


class Wishes:
    """The table of all parts. Each is known at its latest revision, in whatever order they are heard of."""

    def __init__(self) -> None:
        self._entries: dict[Place, _Entry] = {}
        self._gone: dict[Place, int] = {}  # the revision of the deletion

    def apply(self, place: Place, part: WishPart | None, revision: int, created_ns: int = 0) -> bool:
        """Take a part over, None where it is gone; whether that changed what is known."""
        if revision <= self.revision(place):
            return False
        known = self._entries.get(place)
        if part is None:
            self._gone[place] = revision
            return self._entries.pop(place, None) is not None
        self._gone.pop(place, None)
        instruments = frozenset(one for name in part.instruments if (one := instrument_id(name)) is not None)
        self._entries[place] = _Entry(revision, part, frozenset(part.instruments), instruments, created_ns)
        return known is None or known.part != part

    def revision(self, place: Place) -> int:
        """The latest that was heard of a part, 0 if nothing was."""
        known = self._entries.get(place)
        return known.revision if known else self._gone.get(place, 0)

    def drop(self, place: Place) -> bool:
        """Forget a part that is gone without a deletion that was heard of; whether it was known."""
        return self._entries.pop(place, None) is not None

    @property
    def all_places(self) -> list[Place]:
        return list(self._entries)

    def places(self, consumer: str) -> list[Place]:
        """Where parts of a consumer's wish stand."""
        return [place for place in self._entries if place.consumer == consumer]

    def forget_deletions(self) -> None:
        """All of the bucket was read: no older news can come of what is gone."""
        self._gone.clear()

    @property
    def consumers(self) -> list[str]:
        return sorted({place.consumer for place in self._entries})

    def of(self, consumer: str) -> Wish:
        """What one consumer wants, nothing where it is not known."""
        entries = [self._entries[place] for place in self.places(consumer)]
        ends = [one.created_ns + one.part.ttl_s * _SECOND_NS for one in entries if one.part.ttl_s]
        return Wish(
            consumer=consumer,
            names=frozenset[str]().union(*(one.names for one in entries)),
            scopes=tuple(dict.fromkeys(scope for one in entries for scope in one.part.scopes)),
            expires_ns=min(ends, default=0),
        )

    def wanted(self, universe: Universe) -> set[InstrumentId]:
        """All that somebody wants, also what is not listed."""
        entries = self._entries.values()
        wanted: set[InstrumentId] = set()
        for scope in {scope for one in entries for scope in one.part.scopes}:
            wanted |= universe.matching(scope)
        return wanted.union(*(one.instruments for one in entries))

    def wanted_by(self, name: str, universe: Universe) -> list[str]:
        """Who wants an instrument."""
        return sorted(
            {
                place.consumer
                for place, one in self._entries.items()
                if name in one.names or any(universe.covers(scope, name) for scope in one.part.scopes)
            }
        )
