"""Whether a recording is complete: against the stream's sequences, and against those of each instrument."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from aegis.recordings.manifest import Manifest, Stretch, is_whole, load, paths_of
from aegis.recordings.reading import database

__all__ = ["Findings", "InstrumentDay", "check"]


@dataclass(frozen=True, kw_only=True)
class InstrumentDay:
    """The ticks of one instrument and trading day in one epoch of a feed."""

    feed: str
    epoch: int
    trading_day: str
    instrument: str
    ticks: int
    first: int  # sequence
    last: int
    missing: int  # between these, and since its last tick of the day before: never stored, or not recorded
    duplicates: int


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a look at all files found."""

    stretches: tuple[Stretch, ...]
    unaccounted: tuple[int, ...]  # generations with sequences of which nobody knows what became of them
    damaged: tuple[str, ...]  # parts that are away, or not as they were written
    ticks: int  # rows
    duplicates: int  # rows whose place in the stream another row has
    days: tuple[InstrumentDay, ...]

    @property
    def lost(self) -> int:
        return sum(stretch.lost for stretch in self.stretches)

    @property
    def is_complete(self) -> bool:
        """Whether all that the stream had is recorded, once. What the feed itself left out is no fault of that."""
        repeated = self.duplicates or any(day.duplicates for day in self.days)
        return not (self.unaccounted or self.damaged or self.lost or repeated)


def check(directory: Path) -> Findings:
    """Read all files, and look at all rows; some seconds per ten million. Raises RecordingDamaged."""
    manifest = load(directory)
    whole = [part for part in manifest.parts if is_whole(directory, part)]
    ticks, duplicates, days = 0, 0, []
    if whole:
        with database() as connection:
            paths = paths_of(directory, whole)
            [(ticks, places)] = connection.execute(_PLACES, [paths]).fetchall()
            duplicates = ticks - places
            days = list(_days(connection.execute(_DAYS, [paths]).fetchall()))
    return Findings(
        stretches=manifest.stretches,
        unaccounted=tuple(_unaccounted(manifest)),
        damaged=tuple(paths_of(directory, (part for part in manifest.parts if part not in whole))),
        ticks=ticks,
        duplicates=duplicates,
        days=tuple(days),
    )


_PLACES = "SELECT count(*), count(DISTINCT (generation, stream_sequence)) FROM read_parquet(?)"
_DAYS = """
    SELECT feed, epoch, exchange, symbol, trading_day, count(*), min(sequence), max(sequence), count(DISTINCT sequence)
    FROM read_parquet(?) GROUP BY feed, epoch, exchange, symbol, trading_day
    ORDER BY feed, epoch, exchange, symbol, min(sequence)
"""


def _unaccounted(manifest: Manifest) -> Iterator[int]:
    """Generations whose messages do not add up, or whose parts have other numbers of rows than ticks were recorded."""
    for stretch in manifest.stretches:
        rows = sum(part.rows for part in manifest.parts if part.generation == stretch.generation)
        if rows != stretch.ticks or not stretch.is_accounted_for:
            yield stretch.generation


def _days(rows: list[Any]) -> Iterator[InstrumentDay]:
    """A sequence goes on over the days of an epoch: what is missing before the first tick of a day belongs to it."""
    for (feed, epoch, exchange, symbol), days in groupby(rows, key=lambda row: row[:4]):
        reached = None
        for *_, trading_day, ticks, first, last, different in days:
            begins = first if reached is None else min(first, reached + 1)
            yield InstrumentDay(
                feed=feed,
                epoch=epoch,
                trading_day=trading_day,
                instrument=f"{exchange}.{symbol}",
                ticks=ticks,
                first=first,
                last=last,
                missing=max(0, last - begins + 1 - different),
                duplicates=ticks - different,
            )
            reached = last if reached is None else max(reached, last)
