"""The `ctpsim` command."""

from __future__ import annotations

import typer

from ctpsim import building

__all__ = ["app"]

app = typer.Typer(
    name="ctpsim",
    help="A CTP counter on this machine.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def main() -> None: ...


@app.command()
def build(check: bool = False) -> None:
    if check:
        for lack in building.missing():
            typer.echo(lack)
        raise typer.Exit(bool(building.missing()))
    for made in building.build():
        typer.echo(made)
