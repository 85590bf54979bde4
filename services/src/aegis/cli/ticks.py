"""`aegis ticks`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from aegis.cli.desk import run
from aegis_sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from aegis.cli.tick_output import Output


def ticks(
    patterns: Annotated[
        list[str] | None, typer.Argument(metavar="[PATTERN]...", help="SHFE.rb2505, SHFE.*, SHFE or rb*; all without.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-c", min=0, help="End after so many ticks; 0: never.")] = 0,
    latest: Annotated[bool, typer.Option(help="Begin with the latest tick of each instrument.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a tick.")] = False,
) -> None:
    """Show live ticks.

    Times are those of Shanghai. Red is above the settlement of the day before, green below, as these markets have it.
    """
    from aegis.cli.tick_patterns import select
    from aegis.cli.tick_stream import show

    try:
        selection = select(patterns or [])
    except ConfigurationError as error:
        raise typer.BadParameter(error.problem, param_hint="PATTERN") from None
    run(show(selection, count, latest, _output(as_json, count)))


def _output(as_json: bool, count: int) -> Output:
    from aegis.cli.tick_output import Lines, Objects, Screen

    if as_json:
        return Objects()
    if sys.stdout.isatty() and not count:
        return Screen(coloured="NO_COLOR" not in os.environ)
    return Lines()
