"""How commands speak: to people on the terminal, to programs in JSON, and of errors in one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["AsJson", "duration", "fail", "print_json", "print_lines", "table", "terminal"]

_WIDE: Final = 1_000

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def terminal() -> Console:
    """Standard output, with colours where it is a terminal, and without an end to its lines where it is not."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Columns without lines around them; those named in `right` hold numbers, the last one may be folded."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        is_last = column == columns[-1]
        made.add_column(column, justify="right" if column in right else "left", no_wrap=not is_last, overflow="fold")
    return made


def print_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], right: tuple[str, ...] = ()) -> None:
    """Rows under their columns, as `table` shows them, but without colours: it needs 1 ms for each of thousands."""
    from rich.cells import cell_len

    lines = [columns, *rows]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells: list[str] = []
        for column, text, width in zip(columns, line, widths, strict=True):
            room = " " * (width - cell_len(text))
            cells.append(room + text if column in right else text + room)
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def print_json(value: Any) -> None:
    """One JSON document on a line of its own."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def fail(problem: str, code: int = 1) -> NoReturn:
    """End with one line on standard error."""
    red, plain = ("\033[31m", "\033[0m") if sys.stderr.isatty() and "NO_COLOR" not in os.environ else ("", "")
    sys.stderr.write(f"{red}aegis: {' '.join(problem.split())}{plain}\n")
    sys.exit(code)


def duration(seconds: float) -> str:
    """A length of time in at most two units: 4.2 s, 3 m 20 s, 5 h 12 m, 2 d 3 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for size, large, small, divisor in ((86_400, "d", "h", 3_600), (3_600, "h", "m", 60), (60, "m", "s", 1)):
        if whole >= size:
            return f"{whole // size} {large} {whole % size // divisor} {small}"
    raise AssertionError(whole)
