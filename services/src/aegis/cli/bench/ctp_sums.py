"""Whether all ticks of a counter are accounted for, instrument by instrument. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from aegis.cli.bench.figures import Figures

__all__ = ["EXACT", "LeftOut", "sums"]

EXACT: Final[Figures] = dict.fromkeys(
    ("lost", "surplus", "unaccounted", "unserializable", "stream_lost", "rejected", "unsent"), 0.0
)
"""The most that these may be, in every case. `conflated` is a matter of the case."""


class LeftOut(NamedTuple):
    """By symbol, what the service says of ticks that it did not publish, and of those that the stream lacks."""

    conflated: Counter[str]
    unserializable: Counter[str]
    rejected: Counter[str]
    lost: Counter[str]


def sums(sent: Mapping[str, int], received: Mapping[str, int], left_out: LeftOut) -> Figures:
    """What became of all that was sent.

    `lost`: sent, and neither received nor left out for a stated reason. `surplus`: received or left out, and not sent;
    it makes up for no loss. `unaccounted`: instruments with either. `stream_lost`: which the stream lacks.
    """
    missing = Counter(sent)
    for counts in (received, left_out.conflated, left_out.unserializable, left_out.rejected):
        missing.subtract(counts)
    return {
        "sent": float(sum(sent.values())),
        "lost": float((+missing).total()),
        "surplus": float((-missing).total()),
        "unaccounted": float(sum(count != 0 for count in missing.values())),
        "conflated": float(left_out.conflated.total()),
        "unserializable": float(left_out.unserializable.total()),
        "stream_lost": float(left_out.lost.total()),
    }
