"""What needs a database: merging parts in a bounded memory, and what they hold of each instrument."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aegis.recorder.domain.intake import Identity
from aegis.recordings.columns import COLUMNS
from aegis.recordings.reading import database
from aegis.recordings.table import COMPRESSION_LEVEL, ROW_GROUP

__all__ = ["highest_sequences", "merge"]

_IDENTITY: Final = "feed, session, epoch, exchange, symbol"


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


def highest_sequences(parts: Sequence[Path]) -> dict[Identity, int]:
    """Of each instrument in each epoch and session."""
    if not parts:
        return {}
    query = f"SELECT {_IDENTITY}, max(sequence) FROM read_parquet(?) GROUP BY {_IDENTITY}"  # noqa: S608 (our own names)
    with database(threads=1) as connection:
        found = connection.execute(query, [[str(part) for part in parts]]).fetchall()
    return {tuple(named): highest for *named, highest in found}
