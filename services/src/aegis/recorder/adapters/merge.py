"""What needs a database: merging parts in a bounded memory, and what they hold of each instrument."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aegis.recorder.domain.intake import Identity, Recorded
from aegis.recordings.columns import COLUMNS
from aegis.recordings.reading import database
from aegis.recordings.table import COMPRESSION_LEVEL, ROW_GROUP

__all__ = ["merge", "runs"]

_IDENTITY: Final = "feed, session, epoch, exchange, symbol"

_UP_TO_THE_HIGHEST: Final = f"SELECT {_IDENTITY}, 1, max(sequence) FROM read_parquet(?) GROUP BY {_IDENTITY}"  # noqa: S608 (our own names)
_RUN_BY_RUN: Final = f"""
    SELECT {_IDENTITY}, min(sequence), max(sequence) FROM (
        SELECT {_IDENTITY}, sequence,
            sequence - dense_rank() OVER (PARTITION BY {_IDENTITY} ORDER BY sequence) AS run
        FROM read_parquet(?))
    GROUP BY {_IDENTITY}, run ORDER BY min(sequence)
"""  # noqa: S608


def merge(parts: Sequence[Path], into: Path) -> int:
    """Write the rows of parts to a file, by symbol and then by sequence, and sync it; how many they are."""
    target = str(into).replace("'", "''")
    query = f"""
        COPY (SELECT {", ".join(COLUMNS)} FROM read_parquet(?) ORDER BY symbol, stream_sequence) TO '{target}'
        (FORMAT parquet, PARQUET_VERSION v2, ROW_GROUP_SIZE {ROW_GROUP},
         COMPRESSION zstd, COMPRESSION_LEVEL {COMPRESSION_LEVEL})
    """  # noqa: S608 (our own names, and a quoted path)
    with database(threads=1) as connection:
        [(rows,)] = connection.execute(query, [[str(part) for part in parts]]).fetchall()
    with open(into, "rb") as written:
        os.fsync(written.fileno())
    return rows


def runs(parts: Sequence[Path], *, are_all: bool) -> Recorded:
    """The sequences that parts hold. Where they are all that there were, those before them and between count as held.

    Otherwise these may be of a part that is lost: each row is looked at, some seconds per ten million.
    """
    if not parts:
        return {}
    query = _UP_TO_THE_HIGHEST if are_all else _RUN_BY_RUN
    found: defaultdict[Identity, list[tuple[int, int]]] = defaultdict(list)
    with database(threads=1) as connection:
        for *named, first, last in connection.execute(query, [[str(part) for part in parts]]).fetchall():
            found[tuple(named)].append((first, last))
    return found
