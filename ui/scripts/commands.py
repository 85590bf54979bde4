"""Read command lines of `aegis`, one a line; print each that it would not take, and why. None of them is run."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import typer.main

from aegis.cli.main import app


def trouble_of(line: str) -> str:
    """What the parser says; empty where it takes the line."""
    _, *words = shlex.split(line)
    command: Any = typer.main.get_command(app)
    name, parent = "aegis", None
    try:
        while True:
            context = command.make_context(name, words, parent=parent)
            if not hasattr(command, "resolve_command"):
                return ""
            left = [*context._protected_args, *context.args]
            name, command, words = command.resolve_command(context, left)
            parent = context
    except Exception as error:
        return getattr(error, "message", "") or str(error) or repr(error)


for line in sys.stdin.read().splitlines():
    if why := trouble_of(line):
        print(f"{line}: {why}")
