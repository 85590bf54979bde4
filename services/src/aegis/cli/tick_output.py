"""Where ticks go: a terminal, which shows no more than can be seen, or a pipe, which gets every one."""

from __future__ import annotations

import shutil
import sys
from typing import Final, Protocol

from aegis.cli.tick_lines import HEADER, TickLines
from aegis.contracts.market import InstrumentId, Tick

__all__ = ["Lines", "Objects", "Output", "Screen"]

_CLEAR: Final = "\r\033[2K"


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
        self._foot = ""
        sys.stdout.write(f"{HEADER}\n")

    def write(self, batch: list[Tick]) -> None:
        rows = max(5, shutil.get_terminal_size().lines - 2)
        shown = batch
        if len(batch) > rows:
            latest: dict[InstrumentId, Tick] = {}
            for tick in batch:
                latest.pop(tick.instrument_id, None)  # so that it stands where its latest does
                latest[tick.instrument_id] = tick
            shown = list(latest.values())[-rows:]
        self._hidden += len(batch) - len(shown)
        text = "".join(f"{self._lines.line(tick)}\n" for tick in shown)
        sys.stdout.write((_CLEAR if self._foot else "") + text + self._new_foot())
        sys.stdout.flush()

    def _new_foot(self) -> str:
        if self._hidden:
            self._foot = f"-- too many to show: {self._hidden:,} left out, the latest of each instrument shown --"
        return self._foot

    def close(self) -> None:
        if self._foot:
            sys.stdout.write("\n")
            sys.stdout.flush()
