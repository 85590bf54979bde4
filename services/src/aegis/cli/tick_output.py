"""Where ticks go: a terminal, which shows no more than can be seen, or a pipe, which gets every one."""

from __future__ import annotations

import shutil
import sys
from typing import Final, Protocol

from aegis.cli.tick_lines import TickLines
from aegis.contracts.market import InstrumentId, Tick

__all__ = ["Lines", "Objects", "Output", "Screen", "latest_that_fit"]

_CLEAR: Final = "\r\033[2K"
_FOOT_BATCHES: Final = 10


class Output(Protocol):
    """Gets the ticks in batches, ten times a second."""

    def write(self, batch: list[Tick]) -> None: ...

    def close(self) -> None: ...


class Objects:
    """One JSON object a line."""

    def write(self, batch: list[Tick]) -> None:
        from aegis.contracts.tick_codec import JSON

        sys.stdout.buffer.write(b"".join(JSON.encode(tick) + b"\n" for tick in batch))
        sys.stdout.buffer.flush()

    def close(self) -> None:
        """Nothing is held back."""


class Lines:
    """Every tick as a line, for a pipe or a file."""

    def __init__(self) -> None:
        self._lines = TickLines(coloured=False)

    def write(self, batch: list[Tick]) -> None:
        sys.stdout.write("".join(f"{self._lines.line(tick)}\n" for tick in batch))
        sys.stdout.flush()

    def close(self) -> None:
        """Nothing is held back."""


class Screen:
    """A terminal. Of a batch that is longer than it is high, only the latest of each instrument, and it says so."""

    def __init__(self, coloured: bool) -> None:
        self._lines = TickLines(coloured)
        self._hidden = 0
        self._batches_since_hidden = _FOOT_BATCHES
        self._foot = ""
        sys.stdout.write(f"{self._lines.header(shutil.get_terminal_size().columns)}\n")

    def write(self, batch: list[Tick]) -> None:
        size = shutil.get_terminal_size()
        shown = latest_that_fit(batch, max(5, size.lines - 2))
        clear = _CLEAR if self._foot else ""
        self._note_hidden(len(batch) - len(shown))
        text = "".join(f"{self._lines.line(tick, size.columns)}\n" for tick in shown)
        sys.stdout.write(f"{clear}{text}{self._foot[: size.columns - 1]}")
        sys.stdout.flush()

    def _note_hidden(self, count: int) -> None:
        self._hidden += count
        self._batches_since_hidden = 0 if count else self._batches_since_hidden + 1
        recent = self._batches_since_hidden < _FOOT_BATCHES
        self._foot = f"-- too many to show: only the latest of each; {self._hidden:,} left out --" if recent else ""

    def close(self) -> None:
        sys.stdout.write(_CLEAR if self._foot else "")
        sys.stdout.flush()


def latest_that_fit(batch: list[Tick], rows: int) -> list[Tick]:
    """The batch, if it has at most so many ticks; else the latest of each instrument, the newest `rows` of these."""
    if len(batch) <= rows:
        return batch
    latest: dict[InstrumentId, Tick] = {}
    for tick in batch:
        latest.pop(tick.instrument_id, None)  # so that it stands where its latest does
        latest[tick.instrument_id] = tick
    return list(latest.values())[-rows:]
