"""Shows what a supervisor says, one line a note, as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aegis.cli.log_lines import parse, shown

if TYPE_CHECKING:
    from rich.console import Console

    from aegis.operations.notes import Note

__all__ = ["NotePrinter"]

_MARKS: Final = {
    "step": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failure": ("✗", "bold red"),
    "up": ("✓", "bold green"),
    "degraded": ("✗", "bold red"),
}


class NotePrinter:
    """Called with each note."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, note: Note) -> None:
        from rich.text import Text

        mark, style = _MARKS[note.kind]
        line = Text.assemble(
            (f"{note.after_s:6.1f} s  ", "dim"), (f"{mark} ", style), f"{note.process or 'desk':<14}", "  "
        )
        line.append(note.text, style="" if note.kind == "step" else style)
        if self._console.is_terminal:
            self._console.file.write("\r")  # over the ^C that the terminal shows
        self._console.print(line)
        for raw in note.detail:
            self._console.print(Text.assemble("            │ ", shown(parse(raw, note.process))))
