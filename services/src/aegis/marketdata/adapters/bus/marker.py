"""The marker: the message that ends a batch of ticks in the stream. The first of an epoch is the border before it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.ports import Outgoing
from aegis_sdk import codec, subjects

__all__ = ["Border", "border", "marker"]


class Border(msgspec.Struct, frozen=True):
    """What a marker says of the ticks behind it."""

    epoch: int
    market: str = ""


def marker(origin: Origin, number: int, batch: Sequence[Outgoing]) -> bytes:
    """JSON: {feed, epoch, market, session, marker, ticks, instruments: {"SHFE.rb2505": [count, last sequence], ...}}.

    Counts and sequences are those of this batch; an instrument is written as in its subject. Markers are numbered from
    1 in each process.
    """
    instruments: dict[str, tuple[int, int]] = {}
    for subject, _, sequence in batch:
        instrument = _instrument(subject)
        before = instruments.get(instrument)
        instruments[instrument] = (1 if before is None else before[0] + 1, sequence)
    return codec.encode_json(
        {
            "feed": origin.feed,
            "epoch": origin.epoch,
            "market": origin.market,
            "session": origin.session,
            "marker": number,
            "ticks": len(batch),
            "instruments": instruments,
        }
    )


def border(payload: bytes) -> Border:
    """Raises MsgspecError for what is no marker."""
    return msgspec.json.decode(payload, type=Border)


@lru_cache(maxsize=65_536)
def _instrument(subject: str) -> str:
    _, exchange, symbol = subjects.split(subject)
    return f"{exchange}.{symbol}"
