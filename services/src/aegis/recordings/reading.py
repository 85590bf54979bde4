"""A recording read again in the order of the stream, in a bounded memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb

from aegis.contracts.market import Quote
from aegis.recordings.columns import COLUMNS, quote_maker
from aegis.recordings.manifest import Part, load, paths_of

__all__ = ["IN_ORDER", "database", "first_received_ns", "instruments", "overlapping", "quotes"]

_MEMORY: Final = "1GB"
_FETCHED: Final = 4_096
IN_ORDER: Final = "ORDER BY generation, stream_sequence"


@contextmanager
def database(threads: int = 2) -> Iterator[Any]:
    """A database of its own, that keeps what does not fit in memory in a directory that is gone afterwards."""
    with TemporaryDirectory(prefix="aegis-query-") as spill:
        settings: dict[str, Any] = {"memory_limit": _MEMORY, "threads": threads, "temp_directory": spill}
        with duckdb.connect(config={**settings, "autoinstall_known_extensions": False}) as connection:
            yield connection


def quotes(directory: Path) -> Generator[Quote]:
    """All quotes of a recording, exactly as they were, in the order in which the stream had their ticks."""
    parts = load(directory).parts
    make = quote_maker(COLUMNS)
    names = ", ".join(COLUMNS)
    with database() as connection:
        for group in overlapping(parts):
            query = f"SELECT {names} FROM read_parquet(?) {IN_ORDER}"  # noqa: S608 (our own names)
            rows = connection.execute(query, [paths_of(directory, group)])
            while batch := rows.fetchmany(_FETCHED):
                yield from map(make, batch)


def instruments(directory: Path) -> list[tuple[str, str]]:
    """(exchange, symbol) of all that is recorded."""
    return _asked(directory, "SELECT DISTINCT exchange, symbol FROM read_parquet(?) ORDER BY ALL")


def first_received_ns(directory: Path) -> int:
    """When the first quote was received; 0 if there is none."""
    found = _asked(directory, f"SELECT ts_received_ns FROM read_parquet(?) {IN_ORDER} LIMIT 1")  # noqa: S608 (ours)
    return found[0][0] if found else 0


def _asked(directory: Path, query: str) -> list[Any]:
    parts = load(directory).parts
    if not parts:
        return []
    with database() as connection:
        return connection.execute(query, [paths_of(directory, parts)]).fetchall()


def overlapping(parts: Iterable[Part]) -> list[list[Part]]:
    """Parts in groups, in the order of the stream: all rows of a group come before those of the next one."""
    groups: list[list[Part]] = []
    reached = (0, 0)
    for part in sorted(parts, key=lambda one: (one.generation, one.first)):
        if not groups or (part.generation, part.first) > reached:
            groups.append([])
        groups[-1].append(part)
        reached = max(reached, (part.generation, part.last))
    return groups
