"""A recording read again in the order of the stream, in a bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import duckdb

from aegis.contracts.market import Quote
from aegis.recordings.columns import COLUMNS, quote_maker
from aegis.recordings.manifest import Manifest, Part, load, paths_of
from aegis_sdk.errors import AegisError

__all__ = ["IN_ORDER", "ask", "database", "first_received_ns", "instruments", "overlapping", "quotes"]

T = TypeVar("T")

_MEMORY: Final = "1GB"
_FETCHED: Final = 4_096
_TRIES: Final = 5
IN_ORDER: Final = "ORDER BY generation, stream_sequence"


@contextmanager
def database(threads: int = 2) -> Iterator[Any]:
    """A database of its own, that keeps what does not fit in memory in a directory that is gone afterwards."""
    with TemporaryDirectory(prefix="aegis-query-") as spill:
        settings: dict[str, Any] = {"memory_limit": _MEMORY, "threads": threads, "temp_directory": spill}
        with duckdb.connect(config={**settings, "autoinstall_known_extensions": False}) as connection:
            yield connection


def ask(directory: Path, question: Callable[[Manifest], T]) -> T:
    """What a question finds in a recording; it is asked again where parts were merged into others meanwhile.

    Raises RecordingDamaged, and AegisError where parts are away or cannot be read.
    """
    problem: Exception | None = None
    for _ in range(_TRIES):
        try:
            return question(load(directory))
        except duckdb.IOException as error:
            problem = error
        except duckdb.Error as error:  # what can be opened and is no part of ours: cut off, or other bytes
            problem = error
            break
    raise AegisError(f"the recording in {directory} cannot be read: {problem}; aegis record --check says more")


def quotes(directory: Path) -> Generator[Quote]:
    """All quotes of a recording, exactly as they were, in the order in which the stream had their ticks.

    It may be recorded to meanwhile. Raises RecordingDamaged, and AegisError where parts are away or cannot be read.
    """
    make = quote_maker(COLUMNS)
    reached = (0, 0)

    def rest(manifest: Manifest) -> Iterator[list[Any]]:
        """The first rows are read here and now, so that parts which are gone by now are asked for again."""
        batches = _batches(directory, manifest, reached)
        first = next(batches, [])
        return chain([first], batches)

    while True:
        try:
            for batch in ask(directory, rest):
                yield from map(make, batch)
                reached = batch[-1][:2] if batch else reached
            return
        except duckdb.Error:  # a part was merged into another one since; what cannot be read is said when asked again
            continue


def _batches(directory: Path, manifest: Manifest, reached: tuple[int, int]) -> Iterator[list[Any]]:
    """The rows behind a generation and a sequence of the stream."""
    names, behind = ", ".join(COLUMNS), "(generation, stream_sequence) > (?, ?)"
    query = f"SELECT {names} FROM read_parquet(?) WHERE {behind} {IN_ORDER}"  # noqa: S608 (our own names)
    with database() as connection:
        for group in overlapping(part for part in manifest.parts if (part.generation, part.last) > reached):
            rows = connection.execute(query, [paths_of(directory, group), *reached])
            while batch := rows.fetchmany(_FETCHED):
                yield batch


def instruments(directory: Path) -> list[tuple[str, str]]:
    """(exchange, symbol) of all that is recorded."""
    return _asked(directory, "SELECT DISTINCT exchange, symbol FROM read_parquet(?) ORDER BY ALL")


def first_received_ns(directory: Path) -> int:
    """When the first quote was received; 0 if there is none."""
    found = _asked(directory, f"SELECT ts_received_ns FROM read_parquet(?) {IN_ORDER} LIMIT 1")  # noqa: S608 (ours)
    return found[0][0] if found else 0


def _asked(directory: Path, query: str) -> list[Any]:
    def found(manifest: Manifest) -> list[Any]:
        if not manifest.parts:
            return []
        with database() as connection:
            return connection.execute(query, [paths_of(directory, manifest.parts)]).fetchall()

    return ask(directory, found)


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
