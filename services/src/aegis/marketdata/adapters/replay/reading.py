"""Reading recordings: from files to quotes, row by row, in a bounded memory."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from heapq import heappop, heappush
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from msgspec.structs import force_setattr

from aegis.contracts.market import Quote
from aegis.marketdata.adapters.ctp_fields import DepthConverter, RecordError
from aegis.marketdata.adapters.replay.formats import Layout, MissingColumn, layout_of
from aegis.marketdata.adapters.replay.recorded import RecordedTicks
from aegis.recordings import is_recording
from aegis_sdk.errors import ConfigurationError

__all__ = ["OnRejected", "Played", "Recording", "RecordingUnreadable", "merged", "read_quotes", "recordings_in"]

OnRejected = Callable[[str, str], None]
"""Called with (reason, detail) for each row that is skipped: ("malformed_row", "ticks.csv:17: Volume is 'x'")."""

# Only ASCII columns are read, and neither UTF-8 nor GB18030 uses the bytes of comma, quote and newline within another
# character; so every file can be read as if it were Latin-1, which cannot fail.
_ENCODING: Final = "latin-1"
_BOM: Final = b"\xef\xbb\xbf".decode(_ENCODING)
_GZIP: Final = b"\x1f\x8b"
_SUFFIXES: Final = (".csv", ".csv.gz")
_LONGEST_HEADER: Final = 65_536
_DAMAGED: Final = (EOFError, OSError, zlib.error)


class RecordingUnreadable(ConfigurationError):
    """A file, or directory, is no recording: it cannot be opened, or lacks a column. Nothing was replayed."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(str(path), problem)
        self.path = path


def read_quotes(path: Path | str, on_rejected: OnRejected) -> Generator[Quote]:
    """The quotes of a file, or of all files of a directory as one recording, in the order in which they were recorded.

    `ts_received_ns` is the recorder's time where it is in the file, the exchange's otherwise. The files of a directory
    are merged by it; within a file its own order holds, even where a time goes back. Raises RecordingUnreadable.
    """
    return merged(recordings_in(Path(path)), on_rejected)


def recordings_in(path: Path) -> list[Played]:
    """The recordings at a path, by name: the file itself, or each .csv and .csv.gz directly in the directory.

    A directory to which the recorder wrote is one recording.
    """
    if is_recording(path):
        return [RecordedTicks.of(path)]
    if not path.is_dir():
        return [Recording.of(path)]
    files = sorted(file for file in path.iterdir() if file.name.lower().endswith(_SUFFIXES) and file.name[0] != ".")
    if not files:
        raise RecordingUnreadable(path, "there is no .csv or .csv.gz file in the directory")
    return [Recording.of(file) for file in files]


def merged(recordings: Sequence[Played], on_rejected: OnRejected) -> Generator[Quote]:
    """The quotes of several recordings by the time they were received; a file is open only while it is being read."""
    waiting = sorted(((rec.first_ns(), place) for place, rec in enumerate(recordings)), reverse=True)
    open_ones: list[tuple[int, int, Quote, Iterator[Quote]]] = []
    with ExitStack() as files:
        while waiting or open_ones:
            while waiting and (not open_ones or waiting[-1][0] <= open_ones[0][0]):
                _, place = waiting.pop()
                quotes = recordings[place].quotes(on_rejected)
                files.enter_context(closing(quotes))
                _advance(open_ones, place, quotes)
            if open_ones:
                _, place, quote, quotes = heappop(open_ones)
                yield quote
                _advance(open_ones, place, quotes)


def _advance(heap: list[tuple[int, int, Quote, Iterator[Quote]]], place: int, quotes: Iterator[Quote]) -> None:
    quote = next(quotes, None)
    if quote is not None:
        heappush(heap, (quote.ts_received_ns, place, quote, quotes))


@dataclass(frozen=True)
class Recording:
    """A file of ticks whose header was understood."""

    path: Path
    layout: Layout

    @classmethod
    def of(cls, path: Path) -> Recording:
        """Read the header. Raises RecordingUnreadable."""
        try:
            with _text(path) as text:
                header = _fields(text.readline(_LONGEST_HEADER).removeprefix(_BOM))
            return cls(path, layout_of(header))
        except MissingColumn as error:
            raise RecordingUnreadable(path, str(error)) from error
        except _DAMAGED as error:
            raise RecordingUnreadable(path, getattr(error, "strerror", None) or str(error)) from error

    def first_ns(self) -> int:
        """When the first quote was received; 0 if there is none."""
        with closing(self.quotes(_ignore)) as quotes:
            first = next(quotes, None)
        return first.ts_received_ns if first else 0

    def instruments(self) -> Iterator[tuple[str, str]]:
        """(exchange as written, symbol) of each row that has all its columns."""
        symbol, exchange = self.layout.symbol, self.layout.exchange
        for _, row in self._rows(_ignore):
            if len(row) == self.layout.columns:
                yield "" if exchange is None else row[exchange].removeprefix("Exchange."), row[symbol]

    def quotes(self, on_rejected: OnRejected) -> Generator[Quote]:
        """The quotes in the order of the file. A file that breaks off in the middle is reported as one rejection."""
        layout, convert = self.layout, DepthConverter().quote
        for line, row in self._rows(on_rejected):
            try:
                if len(row) != layout.columns:
                    raise RecordError(f"{len(row)} columns instead of {layout.columns}")
                quote = convert(layout.record(row))
                received = layout.received_ns(row, quote.ts_exchange_ns)
            except RecordError as error:
                on_rejected(error.reason, f"{self.path.name}:{line}: {error}")
                continue
            if received != quote.ts_exchange_ns:
                force_setattr(quote, "ts_received_ns", received)  # nobody else has it yet
            yield quote

    def _rows(self, on_rejected: OnRejected) -> Iterator[tuple[int, list[str]]]:
        """Each row below the header that is not blank, with its line number."""
        line = 1
        try:
            with _text(self.path) as text:
                text.readline()
                for line, content in enumerate(text, start=2):
                    if not content.isspace():
                        yield line, _fields(content)
        except _DAMAGED as error:
            on_rejected("damaged_file", f"{self.path.name}:{line}: cannot be read beyond this line: {error}")


Played = Recording | RecordedTicks
"""What can be played."""


def _fields(line: str) -> list[str]:
    """The fields of a line; a quote that is not closed ends with its line, since no field of a tick spans two."""
    if '"' not in line:
        return line.rstrip("\r\n").split(",")
    return next(csv.reader([line.rstrip("\r\n")]))


def _text(path: Path) -> TextIOWrapper:
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    if compressed:
        return gzip.open(path, "rt", encoding=_ENCODING, newline="\n")
    return path.open(encoding=_ENCODING, newline="\n")


def _ignore(_reason: str, _detail: str) -> None:
    """A row that a first look skips is reported when it is replayed."""
