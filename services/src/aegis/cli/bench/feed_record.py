"""What a subscriber had, against what the counter wrote down of what it sent. Pure, but for reading the file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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
    """A line of the record."""

    line: int
    likeness: Likeness


class Comparison(NamedTuple):
    """`lost`: sent, not heard, and no hole tells of it. `repeated`: heard twice, out of order, or never sent.

    `left_out`: sent and not heard, and a hole in the sequence tells of it.
    """

    ticks: int
    lost: int
    repeated: int
    left_out: int


def read(record: Path) -> dict[str, list[Sent]]:
    """The ticks of each contract, in the order in which they were sent."""
    found: defaultdict[str, list[Sent]] = defaultdict(list)
    for line, row in enumerate(record.read_text().splitlines()):
        symbol, ts_ns, volume, *rest = row.split(",")
        found[symbol].append(Sent(line, Likeness(int(ts_ns) // 1_000_000_000, int(volume), *rest)))
    return found


def compare(heard: Mapping[str, Sequence[Heard]], sent: Mapping[str, Sequence[Sent]], begun: int) -> Comparison:
    """Of all contracts, up to the end of the record; of one that was never heard from the line `begun` on."""
    parts = [_compared(heard.get(one, ()), sent.get(one, ()), begun) for one in heard.keys() | sent.keys()]
    return Comparison(*map(sum, zip(Comparison(0, 0, 0, 0), *parts, strict=True)))


def _compared(heard: Sequence[Heard], sent: Sequence[Sent], begun: int) -> Comparison:
    known = {one.likeness for one in sent}
    while heard and heard[0].is_snapshot and heard[0].likeness not in known:  # the state before the first tick
        heard = heard[1:]
    if not heard:
        return Comparison(0, sum(one.line >= begun for one in sent), 0, 0)
    starts = [place for place, one in enumerate(sent) if one.likeness == heard[0].likeness] or [0]
    return min((_from(heard, sent, start) for start in starts), key=lambda found: (found.repeated, found.lost))


def _from(heard: Sequence[Heard], sent: Sequence[Sent], place: int) -> Comparison:
    lost = repeated = left_out = 0
    for one in heard:
        found = next((at for at in range(place, len(sent)) if sent[at].likeness == one.likeness), None)
        if found is None:
            repeated += 1
        else:
            lost += max(0, found - place - one.hole)
            left_out += min(found - place, one.hole)
            place = found + 1
    return Comparison(len(heard), lost + len(sent) - place, repeated, left_out)
