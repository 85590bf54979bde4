"""`aegis health`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from aegis.cli.console import AsJson, print_json
from aegis.cli.desk import connect, run
from aegis.cli.health_view import lines_of
from aegis_sdk.errors import AegisError

if TYPE_CHECKING:
    from aegis.cli.health_source import Source
    from aegis.contracts.health import HealthReport

_UNKNOWN: Final = 3
_WATCH_S: Final = 1.0

Show = Callable[["HealthReport"], None]


def health(
    feed: Annotated[str, typer.Option(metavar="NAME", help="Which feed set.")] = "main",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on, and show it anew; Ctrl-C ends it.")] = False,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Ask no agent: look at ticks and subscriptions, and touch nothing.")
    ] = False,
    look: Annotated[float, typer.Option(min=1, max=3600, help="Seconds to look for, where no agent is asked.")] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Whether the feed brings the ticks that are wanted.

    It ends with 0 where all is healthy, 1 degraded, 2 critical, and 3 where that could not be found out. It asks the
    health agent; where none runs, it looks for some seconds itself.
    """
    try:
        report = run(_watch(feed, read_only, look, as_json) if watch else _once(feed, read_only, look))
    except AegisError as error:
        _could_not(error)
    except ExceptionGroup as errors:
        _could_not(errors.exceptions[0])
    if report is None:
        raise typer.Exit(_UNKNOWN)
    if not watch:
        _print(report, as_json)
    raise typer.Exit(report.exit_code)


def _could_not(error: Exception) -> NoReturn:
    from aegis.cli.console import fail

    fail(f"the check could not run: {error}", _UNKNOWN)


def _print(report: HealthReport, as_json: bool) -> None:
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        sys.stdout.write("\n".join(lines_of(report)) + "\n")
    sys.stdout.flush()


async def _once(feed: str, read_only: bool, look_s: float) -> HealthReport:
    from aegis.cli.health_source import Source

    async with connect() as transport, Source.open(transport, feed, read_only, look_s) as source:
        return await source.report()


async def _watch(feed: str, read_only: bool, look_s: float, as_json: bool) -> HealthReport | None:
    """Show it until Ctrl-C; the last report."""
    import asyncio
    import signal

    from aegis.cli.health_source import Source

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    report: HealthReport | None = None
    async with connect() as transport, Source.open(transport, feed, read_only, look_s) as source:
        with _output(as_json) as show:
            while not stop.is_set():
                report = await _next(source, report, show)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_WATCH_S):
                        await stop.wait()
    return report


async def _next(source: Source, before: HealthReport | None, show: Show) -> HealthReport | None:
    """The next report, shown; what it was before where there is none for a moment."""
    try:
        report = await source.report()
    except AegisError as error:
        sys.stderr.write(f"{error}\n")
        return before
    show(report)
    return report


@contextmanager
def _output(as_json: bool) -> Iterator[Show]:
    """A table that changes in its place, or, for programs and pipes, all of it anew."""
    if as_json or not sys.stdout.isatty():
        yield lambda report: _print(report, as_json)
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        yield lambda report: live.update(Text("\n".join(lines_of(report)), no_wrap=True), refresh=True)
