"""The directory of a recording: after a death at any moment it holds the old state or the new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from recordings import record, tick

from aegis.contracts.market import Tick
from aegis.recorder.adapters.directory import DirectoryInUse, RecordingDirectory
from aegis.recordings import RecordingDamaged
from aegis.recordings.manifest import FILE, Stretch, path_of
from aegis.recordings.reading import quotes
from aegis.recordings.table import batch_of

EXCHANGES = ("SHFE", "DCE")
OLD = [(exchange, n) for n in (1, 2) for exchange in EXCHANGES]
NEW = [(exchange, n) for n in (3, 4) for exchange in EXCHANGES]


class Died(BaseException):
    """What a SIGKILL would be."""


@contextmanager
def dying(step: int) -> Iterator[None]:
    """The process dies before its n-th sync, rename or removal of a file, if it comes to that."""
    steps = 0

    def before(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps >= step:
                raise Died
            return real(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patched, suppress(Died):
        patched.setattr(os, "fsync", before(os.fsync))
        patched.setattr(Path, "replace", before(Path.replace))
        patched.setattr(Path, "unlink", before(Path.unlink))
        yield


def ticks(which: list[tuple[str, int]]) -> list[Tick]:
    return [tick(n, exchange=exchange) for exchange, n in which]


def write(directory: RecordingDirectory, which: list[tuple[str, int]]) -> None:
    """What a recorder does that goes on where the directory ends."""
    after = directory.stretch.last
    placed = [(one, after + place, 1) for place, one in enumerate(ticks(which), start=1)]
    last = after + len(which)
    directory.write([batch_of(1, placed)], Stretch(generation=1, first=1, last=last, stored_ns=1, ticks=last))


def found(path: Path) -> list[tuple[str, int]]:
    """What is recorded after another start; then no file is there that is not named."""
    directory = RecordingDirectory(path)
    directory.close()
    named = {path_of(path, part) for part in directory.manifest.parts}
    assert {file for file in path.rglob("*") if file.is_file()} == {*named, path / FILE, path / "lock"}
    return [(quote.exchange, quote.ts_received_ns // 10**9) for quote in quotes(path)]


@pytest.mark.parametrize("step", range(1, 12))
def test_a_write_that_dies_at_any_step_is_there_whole_or_not_at_all_and_can_be_done_again(
    tmp_path: Path, step: int
) -> None:
    record(tmp_path, ticks(OLD))
    directory = RecordingDirectory(tmp_path)
    with dying(step):
        write(directory, NEW)
    directory.close()
    if (present := found(tmp_path)) == OLD:
        directory = RecordingDirectory(tmp_path)
        write(directory, NEW)
        directory.close()
        present = found(tmp_path)
    assert present == OLD + NEW


@pytest.mark.parametrize("step", range(1, 11))
def test_a_merge_that_dies_at_any_step_loses_and_doubles_nothing(tmp_path: Path, step: int) -> None:
    record(tmp_path, ticks(OLD), ticks(NEW))
    directory = RecordingDirectory(tmp_path)
    with dying(step):
        directory.merge(directory.manifest.of(exchange="SHFE"))
    directory.close()
    assert found(tmp_path) == OLD + NEW


def test_a_merge_makes_one_part_sorted_by_symbol(tmp_path: Path) -> None:
    symbols = ["rb2505", "ag2506", "cu2505"]
    record(tmp_path, *([tick(n, symbol) for symbol in symbols] for n in (1, 2, 3)))
    directory = RecordingDirectory(tmp_path)
    made = directory.merge(directory.manifest.parts)
    assert directory.manifest.parts == (made,)
    assert (made.first, made.last, made.rows, made.merges) == (1, 9, 9, 1)
    assert made.size == path_of(tmp_path, made).stat().st_size
    directory.close()
    rows = pq.read_table(path_of(tmp_path, made), columns=["symbol", "stream_sequence"]).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["symbol"], row["stream_sequence"]))


def test_a_merge_of_a_part_that_lacks_rows_is_refused(tmp_path: Path) -> None:
    record(tmp_path, ticks(OLD), ticks(NEW))
    directory = RecordingDirectory(tmp_path)
    first, second = directory.manifest.of(exchange="SHFE")
    path = path_of(tmp_path, second)
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(RecordingDamaged):
        directory.merge([first, second])
    assert directory.manifest.of(exchange="SHFE") == [first, second]
    directory.close()


def test_only_one_recorder_writes_to_a_directory(tmp_path: Path) -> None:
    directory = RecordingDirectory(tmp_path)
    with pytest.raises(DirectoryInUse, match=f"pid {os.getpid()}"):
        RecordingDirectory(tmp_path)
    directory.close()
    RecordingDirectory(tmp_path).close()


def test_a_directory_is_not_given_free_before_the_work_in_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads cannot be ended: whoever stopped waiting for one has closed the directory all the same."""
    record(tmp_path, ticks(OLD), ticks(NEW))
    directory = RecordingDirectory(tmp_path)

    def closes(*_: object) -> int:
        directory.close()
        with pytest.raises(DirectoryInUse):
            RecordingDirectory(tmp_path)
        raise OSError("the merge failed")

    monkeypatch.setattr("aegis.recorder.adapters.directory.merge", closes)
    with pytest.raises(OSError, match="the merge failed"):
        directory.merge(directory.manifest.of(exchange="SHFE"))
    assert found(tmp_path) == OLD + NEW
    with pytest.raises(DirectoryInUse, match="was closed"):
        write(directory, NEW)


def test_parts_without_their_manifest_are_neither_used_nor_removed(tmp_path: Path) -> None:
    record(tmp_path, ticks(OLD))
    (tmp_path / FILE).unlink()
    before = sorted(tmp_path.rglob("*.parquet"))
    with pytest.raises(RecordingDamaged, match="nothing is changed"):
        RecordingDirectory(tmp_path)
    assert sorted(tmp_path.rglob("*.parquet")) == before


def test_files_that_are_none_of_ours_are_left_alone(tmp_path: Path) -> None:
    record(tmp_path, ticks(OLD))
    mine = [tmp_path / "20250102" / "SHFE" / name for name in ("notes.txt", "mine.parquet")]
    copied = tmp_path / "20250102" / "INE" / "part-1-2-3.parquet"  # not beyond the end, and nothing beside it
    copied.parent.mkdir()
    for path in (*mine, copied):
        path.write_bytes(b"x")
    RecordingDirectory(tmp_path).close()
    assert all(path.exists() for path in (*mine, copied))


def test_a_damaged_part_is_merged_with_no_other_and_counts_as_not_recorded(tmp_path: Path) -> None:
    record(tmp_path, [tick(1)], [tick(2)])
    directory = RecordingDirectory(tmp_path)
    first, second = directory.manifest.parts
    path = path_of(tmp_path, second)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(RecordingDamaged, match=path.name):
        directory.merge([first, second])
    assert list(directory.recorded().values()) == [[(1, 1)]]
    directory.close()


def test_of_a_part_that_is_lost_between_others_no_tick_counts_as_recorded(tmp_path: Path) -> None:
    record(tmp_path, [tick(1), tick(3)], [tick(4), tick(5)], [tick(6), tick(7)])
    directory = RecordingDirectory(tmp_path)
    assert list(directory.recorded().values()) == [[(1, 7)]], "2 was left out by the feed"
    first, lost, last = directory.manifest.parts
    path_of(tmp_path, lost).unlink()
    directory.merge([first, last])
    assert list(directory.recorded().values()) == [[(1, 1), (3, 3), (6, 7)]]
    directory.close()


def test_the_sequences_are_those_of_each_session(tmp_path: Path) -> None:
    record(tmp_path, [tick(1), tick(2)], [tick(1, session="s2"), tick(3)])
    directory = RecordingDirectory(tmp_path)
    directory.close()
    assert directory.recorded() == {
        ("main", "s1", 1, "SHFE", "rb2505"): [(1, 3)],
        ("main", "s2", 1, "SHFE", "rb2505"): [(1, 1)],
    }
