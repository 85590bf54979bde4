"""What is recorded: the file `recording.json` of a directory, which names every part that counts.

A part is a Parquet file `TRADING_DAY/EXCHANGE/part-GENERATION-FIRST-LAST.parquet`. First and last are sequences of the
stream TICKS. A stream that was made anew, or that forgot its end, gives its sequences again: then a new generation
begins. Each generation is one stretch, which accounts for every sequence from its first to its last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from aegis_sdk.errors import ConfigurationError

__all__ = [
    "FILE",
    "Manifest",
    "Part",
    "RecordingDamaged",
    "Stretch",
    "digest_of",
    "is_recording",
    "is_whole",
    "load",
    "path_of",
    "paths_of",
]

FILE: Final = "recording.json"
_VERSION: Final = 1


class RecordingDamaged(ConfigurationError):
    """A directory is no recording, or its `recording.json` cannot be read."""

    def __init__(self, directory: Path, problem: str) -> None:
        super().__init__(str(directory), problem)


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One file, sorted by symbol and then by sequence. It is named by what it holds, so no two have one name."""

    trading_day: str
    exchange: str
    generation: int
    first: int  # the lowest and the highest sequence of its rows
    last: int
    rows: int
    size: int  # bytes
    sha256: str  # of the file, in hexadecimal
    merges: int = 0  # of its rows, how often they were merged with others


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the messages of one generation, from sequence `first` on; every one is counted once.

    last - first + 1 == ticks + markers + void + malformed + repeated + other + lost
    """

    generation: int
    first: int = 0  # 0: no message was read yet
    last: int = 0  # the highest sequence that is settled
    stored_ns: int = 0  # when the stream had stored it, UTC: tells it from another message of that sequence
    ticks: int = 0  # recorded
    markers: int = 0
    void: int = 0  # ticks of an epoch lower than one that had been read
    malformed: int = 0  # no ticks at all, or ones that no column can hold
    repeated: int = 0  # recorded in an earlier generation
    other: int = 0  # messages of other subjects
    lost: int = 0  # messages that the stream had discarded before they were read
    gaps: tuple[tuple[int, int], ...] = ()  # first and last of these; at most the first 1,000 gaps
    epochs: dict[str, int] = {}  # the highest of each feed

    @property
    def is_accounted_for(self) -> bool:
        settled = self.ticks + self.markers + self.void + self.malformed + self.repeated + self.other + self.lost
        return settled == (self.last - self.first + 1 if self.first else 0)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All of a recording. `stretches` are in the order of their generations; the last one goes on."""

    version: int = _VERSION
    stretches: tuple[Stretch, ...] = ()
    parts: tuple[Part, ...] = ()

    def of(self, *, day: str = "", exchange: str = "") -> list[Part]:
        """The parts of a trading day and an exchange; of all, where one is empty."""
        return [one for one in self.parts if day in ("", one.trading_day) and exchange in ("", one.exchange)]

    @property
    def ticks(self) -> int:
        return sum(stretch.ticks for stretch in self.stretches)


def path_of(directory: Path, part: Part) -> Path:
    name = f"part-{part.generation}-{part.first}-{part.last}.parquet"
    return directory / part.trading_day / part.exchange / name


def paths_of(directory: Path, parts: Iterable[Part]) -> list[str]:
    return [str(path_of(directory, part)) for part in parts]


def is_whole(directory: Path, part: Part) -> bool:
    """Whether a part's file is as it was written. All of it is read: about a second for half a gigabyte."""
    try:
        return digest_of(path_of(directory, part)) == part.sha256
    except OSError:
        return False


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_recording(path: Path) -> bool:
    """Whether somebody recorded to this directory."""
    return (path / FILE).is_file()


def load(directory: Path) -> Manifest:
    """What is recorded in a directory. Raises RecordingDamaged."""
    try:
        manifest = msgspec.json.decode((directory / FILE).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise RecordingDamaged(directory, f"is no recording: it has no {FILE}") from None
    except OSError as error:
        raise RecordingDamaged(directory, f"{FILE} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise RecordingDamaged(directory, f"{FILE} cannot be understood: {error}") from None
    if manifest.version != _VERSION:
        raise RecordingDamaged(directory, f"{FILE} is of version {manifest.version}, this program knows {_VERSION}")
    return manifest
