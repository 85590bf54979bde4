"""The `aegis` command."""

import typer

app = typer.Typer()
