"""The directory of a recording: one writer, and a state that is the old or the new one whenever the process dies.

Parts are written and synced first; then `recording.json` names them, and says up to where the stream is settled. So a
part counts from then on, together with the sequences that it settles. Parts that are not named are of a write or a
merge that did not come to its end: their ticks are read again, or are in named parts.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
import structlog

from aegis.recorder.adapters.files import make_directories, put, sync_directory
from aegis.recorder.adapters.merge import merge, runs
from aegis.recorder.domain.intake import Recorded
from aegis.recordings.manifest import (
    FILE,
    Manifest,
    Part,
    RecordingDamaged,
    Stretch,
    digest_of,
    is_recording,
    is_whole,
    load,
    path_of,
)
from aegis.recordings.table import parquet, split
from aegis_sdk.errors import AegisError

__all__ = ["DirectoryInUse", "RecordingDirectory"]

_log = structlog.get_logger("aegis.recorder")
_NAME: Final = re.compile(r"\.?part-(\d{1,18})-(\d{1,18})-(\d{1,18})\.parquet(\.new)?")
_DAYS_BACK: Final = 5
_PARTS: Final = "[0-9]*/*/*part-*.parquet*"


class DirectoryInUse(AegisError):
    """Another recorder writes to the directory."""


class RecordingDirectory:
    """Its methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Lock it, know what is recorded, remove what a killed recorder left behind.

        Raises DirectoryInUse, RecordingDamaged, and OSError where it cannot be written.
        """
        self.path = path.absolute()
        make_directories(self.path)
        self._lock = _locked(self.path)
        self._changing = threading.RLock()
        self._at_work = 0
        self._closed = False
        try:
            self.manifest = self._known()
            self._clean()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the directory free, as soon as no write or merge is under way."""
        with self._changing:
            self._closed = True
            if not self._at_work:
                os.close(self._lock)

    @contextmanager
    def _work(self) -> Iterator[None]:
        """While it lasts nobody else gets the directory, even if whoever waited for the work has given up."""
        with self._changing:
            if self._closed:
                raise DirectoryInUse(f"the recording in {self.path} was closed")
            self._at_work += 1
        try:
            yield
        finally:
            with self._changing:
                self._at_work -= 1
                if self._closed and not self._at_work:
                    os.close(self._lock)

    @property
    def stretch(self) -> Stretch:
        """The last one, which goes on."""
        return self.manifest.stretches[-1]

    def write(self, batches: Sequence[pa.RecordBatch], stretch: Stretch) -> list[Part]:
        """Record ticks, and what is settled with them; the new parts. Raises OSError; may then be called again."""
        with self._work():
            return self._write(batches, stretch)

    def _write(self, batches: Sequence[pa.RecordBatch], stretch: Stretch) -> list[Part]:
        parts: list[Part] = []
        for day, exchange, rows in split(batches) if batches else ():
            sequences = rows["stream_sequence"].to_numpy()
            content = parquet(rows)
            part = Part(
                trading_day=day,
                exchange=exchange,
                generation=stretch.generation,
                first=int(sequences.min()),
                last=int(sequences.max()),
                rows=rows.num_rows,
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
            path = path_of(self.path, part)
            make_directories(path.parent)
            put(path, content)
            parts.append(part)
        with self._changing:
            earlier = [one for one in self.manifest.stretches if one.generation != stretch.generation]
            self._store(Manifest(stretches=(*earlier, stretch), parts=(*self.manifest.parts, *parts)))
        return parts

    def merge(self, parts: Sequence[Part]) -> Part:
        """Make one part of several of one trading day, exchange and generation.

        Raises OSError or a duckdb.Error, and RecordingDamaged where one is not as it was written.
        """
        with self._work():
            return self._merge(parts)

    def _merge(self, parts: Sequence[Part]) -> Part:
        for part in parts:
            if not is_whole(self.path, part):
                raise RecordingDamaged(self.path, f"{path_of(self.path, part)} is away, or not as it was written")
        first, last = min(one.first for one in parts), max(one.last for one in parts)
        merges = max(one.merges for one in parts) + 1
        made = msgspec.structs.replace(parts[0], first=first, last=last, merges=merges)
        path = path_of(self.path, made)
        new = path.with_name(f".{path.name}.new")
        try:
            rows = merge([path_of(self.path, part) for part in parts], new)
            if rows != sum(part.rows for part in parts):
                raise RecordingDamaged(self.path, f"{path.parent} has parts with fewer or more rows than they should")
            made = msgspec.structs.replace(made, rows=rows, size=new.stat().st_size, sha256=digest_of(new))
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
        sync_directory(path.parent)
        with self._changing:
            kept = [one for one in self.manifest.parts if one not in parts]
            self._store(Manifest(stretches=self.manifest.stretches, parts=(*kept, made)))
        for part in parts:
            path_of(self.path, part).unlink(missing_ok=True)
        return made

    def recorded(self) -> Recorded:
        """The sequences of each instrument, epoch and session on the newest trading days.

        A part that is damaged is left out, and said: what the stream still has of its ticks is recorded again.
        """
        days = sorted({part.trading_day for part in self.manifest.parts})[-_DAYS_BACK:]
        named = [part for part in self.manifest.parts if part.trading_day in days]
        whole: list[Path] = []
        for part in named:
            path = path_of(self.path, part)
            if is_whole(self.path, part):
                whole.append(path)
            else:
                _log.error("part_damaged", path=str(path), hint="its ticks count as not recorded: aegis record --check")
        return runs(whole, are_all=len(whole) == len(named))

    def _store(self, manifest: Manifest) -> None:
        put(self.path / FILE, msgspec.json.encode(manifest))
        self.manifest = manifest

    def _known(self) -> Manifest:
        if is_recording(self.path):
            return load(self.path)
        if any(self.path.glob(_PARTS)):
            raise RecordingDamaged(self.path, f"holds parts of a recording, but no {FILE}: nothing is changed in it")
        manifest = Manifest(stretches=(Stretch(generation=1),))
        put(self.path / FILE, msgspec.json.encode(manifest))
        return manifest

    def _clean(self) -> None:
        """Remove the files of writes and merges that did not come to their end."""
        (self.path / f".{FILE}.new").unlink(missing_ok=True)
        named = {path_of(self.path, part) for part in self.manifest.parts}
        for path in self.path.glob(_PARTS):
            found = _NAME.fullmatch(path.name)
            if not found or path in named:
                continue
            if found[4] or self._is_left_over(path, *map(int, found.group(1, 2, 3))):
                path.unlink()
            else:
                _log.warning("part_unknown", path=str(path), hint=f"{FILE} does not name it; it is left alone")

    def _is_left_over(self, path: Path, generation: int, first: int, last: int) -> bool:
        """Whether its ticks are not settled yet, or are in parts that are named."""
        settled = {stretch.generation: stretch.last for stretch in self.manifest.stretches}
        if first > settled.get(generation, 0):
            return True
        beside = self.manifest.of(day=path.parent.parent.name, exchange=path.parent.name)
        return any(one.generation == generation and first <= one.last and one.first <= last for one in beside)


def _locked(path: Path) -> int:
    held = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = os.pread(held, 20, 0).decode(errors="replace").strip()
        os.close(held)
        raise DirectoryInUse(f"another recorder writes to {path}{f' (pid {who})' if who else ''}") from None
    os.ftruncate(held, 0)
    os.pwrite(held, str(os.getpid()).encode(), 0)
    return held
