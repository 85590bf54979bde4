"""What a subscriber had, against what the counter wrote down of what it sent. Pure, but for reading the file."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NamedTuple, Self

from aegis.contracts.market import Tick

__all__ = ["Comparison", "Heard", "Likeness", "Sent", "compare", "read"]


class Likeness(NamedTuple):
    """By what a tick is known: all that the counter wrote down, as exactly as CTP carries it for every exchange."""

    second: int  # since 1970
    volume: int
    last: str
    bid: str
    bid_lots: str
    ask: str
    ask_lots: str


class Heard(NamedTuple):
    """A tick that a subscriber had. `hole`: so many before it, says its sequence, were left out."""

    likeness: Likeness
    hole: int
    is_snapshot: bool

    @classmethod
    def of(cls, tick: Tick, hole: int) -> Heard:
        best = [(str(side[0].price), str(side[0].size)) if side else ("", "") for side in (tick.bids, tick.asks)]
        likeness = Likeness(tick.ts_exchange_ns // 1_000_000_000, tick.volume, str(tick.last_price), *best[0], *best[1])
        return cls(likeness, hole, "snapshot" in tick.flags)


class Sent(NamedTuple):
    """A line of the record; `at` is where in the file it begins, in bytes."""

    at: int
    likeness: Likeness


@dataclass
class Comparison:
    """`lost`: sent, not heard, and no hole tells of it. `repeated`: heard twice, out of order, or never sent.

    `left_out`: sent and not heard, and a hole in the sequence tells of it. `untrue`: a hole tells of it, and it was
    heard, or never sent.
    """

    ticks: int = 0
    lost: int = 0
    repeated: int = 0
    left_out: int = 0
    untrue: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(*map(sum, zip(astuple(self), astuple(other), strict=True)))


def read(record: Path) -> dict[str, list[Sent]]:
    """The ticks of each contract, in the order in which they were sent."""
    found: defaultdict[str, list[Sent]] = defaultdict(list)
    at = 0
    with record.open("rb") as lines:
        for line in lines:
            symbol, ts_ns, volume, *rest = line.decode().rstrip("\n").split(",")
            found[symbol].append(Sent(at, Likeness(int(ts_ns) // 1_000_000_000, int(volume), *rest)))
            at += len(line)
    return found


def compare(
    heard: Mapping[str, Sequence[Heard]], sent: Mapping[str, Sequence[Sent]], begins: Sequence[int]
) -> list[Comparison]:
    """Of all contracts, up to the end of the record, by parts of the record; `begins` is where each begins, in bytes.

    Of a contract that was never heard from the first of them on. A tick that was never sent counts where it was heard.
    """
    parts = [Comparison() for _ in begins]
    for one in heard.keys() | sent.keys():
        found = _compared(heard.get(one, ()), sent.get(one, ()), begins)
        parts = [part + more for part, more in zip(parts, found, strict=True)]
    return parts


def _compared(heard: Sequence[Heard], sent: Sequence[Sent], begins: Sequence[int]) -> list[Comparison]:
    known = {one.likeness for one in sent}
    while heard and heard[0].is_snapshot and heard[0].likeness not in known:  # the state before the first tick
        heard = heard[1:]
    if not heard:
        return _from(heard, [one for one in sent if one.at >= begins[0]], 0, begins)
    starts = [place for place, one in enumerate(sent) if one.likeness == heard[0].likeness] or [0]
    return min((_from(heard, sent, start, begins) for start in starts), key=_difference)


def _difference(parts: Sequence[Comparison]) -> tuple[int, int]:
    return sum(one.repeated for one in parts), sum(one.lost for one in parts)


def _from(heard: Sequence[Heard], sent: Sequence[Sent], place: int, begins: Sequence[int]) -> list[Comparison]:
    parts = [Comparison() for _ in begins]

    def part(at: int) -> Comparison:
        """That in which a byte of the record is."""
        return parts[max(0, bisect_right(begins, at) - 1)]

    for one in heard:
        found = _found(one, sent, place)
        if found is None:
            here = part(sent[max(0, place - 1)].at if sent else 0)
            here.ticks += 1
            here.repeated += 1
            continue
        told = max(place, found - one.hole)
        for missed in sent[place:told]:
            part(missed.at).lost += 1
        for missed in sent[told:found]:
            part(missed.at).left_out += 1
        part(sent[found].at).ticks += 1
        part(sent[found].at).untrue += max(0, one.hole - (found - place))
        place = found + 1
    for missed in sent[place:]:
        part(missed.at).lost += 1
    return parts


def _found(one: Heard, sent: Sequence[Sent], place: int) -> int | None:
    """Where its hole says that it was sent, since there may be some like it in a row; or else the first like it."""
    told = place + one.hole
    if told < len(sent) and sent[told].likeness == one.likeness:
        return told
    return next((at for at in range(place, len(sent)) if sent[at].likeness == one.likeness), None)
