"""Recordings for tests: messages of a stream, ticks of two exchanges, and directories that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace
from samples import TICK

from aegis.contracts.market import Level, Tick
from aegis.contracts.tick_codec import MSGPACK
from aegis.recorder.adapters.directory import RecordingDirectory
from aegis.recordings.manifest import Stretch
from aegis.recordings.table import batch_of
from aegis_sdk.messages import StoredMessage

SECOND_NS = 1_000_000_000


def tick(sequence: int = 1, symbol: str = "rb2505", **fields: object) -> Tick:
    """One with a book, received a second after the one of the sequence before."""
    book = {"bids": (Level(3309.0, sequence),), "asks": (Level(3311.0, 2), Level(3312.0, 3))}
    given = {"ts_received_ns": sequence * SECOND_NS, **book, **fields}
    return replace(TICK, symbol=symbol, sequence=sequence, **given)


def stored(sequence: int, content: Tick | bytes, subject: str = "tick.SHFE.rb2505") -> StoredMessage:
    payload = content if isinstance(content, bytes) else MSGPACK.encode(content)
    headers = {} if isinstance(content, bytes) else MSGPACK.headers
    return StoredMessage(subject, payload, headers, sequence, sequence * SECOND_NS)


def marker(sequence: int, epoch: int, feed: str = "main") -> StoredMessage:
    return stored(sequence, msgspec.json.encode({"feed": feed, "epoch": epoch, "marker": 1}), f"tickmark.{feed}")


def record(path: Path, *batches: Sequence[Tick], generation: int = 1) -> None:
    """One part an exchange for each batch; the stream has nothing else, and ticks in this order."""
    directory = RecordingDirectory(path)
    last = 0
    for batch in batches:
        placed = [(one, last + place, place) for place, one in enumerate(batch, start=1)]
        last += len(batch)
        stretch = Stretch(generation=generation, first=1, last=last, stored_ns=last, ticks=last)
        directory.write([batch_of(generation, placed)], stretch)
    directory.close()
