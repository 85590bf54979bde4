"""The columns of a recording: the fields of a tick, with its levels side by side, and its place in the stream.

A level is four columns: `bid_price_1`, `bid_size_1`, `ask_price_1`, `ask_size_1`. Flags are words with spaces between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, Final

from msgspec.structs import astuple

from aegis.contracts.market import Level, Quote, Tick

__all__ = ["COLUMNS", "LEVELS", "PLACE", "columns_of", "quote_maker"]

LEVELS: Final = 5
PLACE: Final = ("generation", "stream_sequence", "stored_ns")
_PLAIN: Final = tuple(name for name in Tick.__struct_fields__ if name not in ("bids", "asks", "flags"))
_SIDES: Final = ("bid", "ask")
_LEVEL_NAMES: Final = tuple(
    f"{side}_{what}_{level}" for side in _SIDES for level in range(1, LEVELS + 1) for what in ("price", "size")
)
COLUMNS: Final = (*PLACE, *_PLAIN, *_LEVEL_NAMES, "flags")

_NO_LEVEL: Final[Any] = SimpleNamespace(price=None, size=None)
_PADDING: Final = tuple((_NO_LEVEL,) * (LEVELS - present) for present in range(LEVELS + 1))
_BIDS, _ASKS, _FLAGS = (Tick.__struct_fields__.index(name) for name in ("bids", "asks", "flags"))
_price, _size = attrgetter("price"), attrgetter("size")

Placed = tuple[Tick, int, int]
"""A tick, its sequence in the stream, and when the stream stored it."""


def columns_of(generation: int, placed: Sequence[Placed]) -> list[Sequence[Any]]:
    """The values of ticks, column by column, in the order of COLUMNS. Each side has at most five levels."""
    ticks, sequences, stored = zip(*placed, strict=True)
    fields = list(zip(*map(astuple, ticks), strict=True))
    levels = chain.from_iterable(_levels(fields[side]) for side in (_BIDS, _ASKS))
    flags = [" ".join(words) for words in fields[_FLAGS]]
    plain = [values for place, values in enumerate(fields) if place not in (_BIDS, _ASKS, _FLAGS)]
    return [[generation] * len(ticks), sequences, stored, *plain, *levels, flags]


def _levels(sides: Sequence[tuple[Level, ...]]) -> Iterable[Sequence[Any]]:
    for level in zip(*[side + _PADDING[len(side)] for side in sides], strict=True):
        yield list(map(_price, level))
        yield list(map(_size, level))


_OF_THE_SEQUENCER: Final = frozenset(("stale", "reset"))


def quote_maker(names: Sequence[str]) -> Callable[[Sequence[Any]], Quote]:
    """What makes the quote again that a tick was made of, from a row with these columns, all of COLUMNS among them.

    The flags that a feed does not give itself are left out: whoever publishes the quote again finds them again.
    """
    places = {name: place for place, name in enumerate(names)}
    fields = [places[name] for name in Quote.__struct_fields__ if name in places and name != "flags"]
    sides = [
        [(places[f"{side}_price_{level}"], places[f"{side}_size_{level}"]) for level in range(1, LEVELS + 1)]
        for side in _SIDES
    ]
    flags = places["flags"]

    def make(row: Sequence[Any]) -> Quote:
        bids, asks = (
            tuple(Level(row[price], row[size]) for price, size in side if row[size] is not None) for side in sides
        )
        words = tuple(word for word in row[flags].split() if word not in _OF_THE_SEQUENCER)
        return Quote(*[*[row[field] for field in fields], bids, asks, words])

    return make
