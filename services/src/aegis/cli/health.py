"""`aegis health`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from aegis.cli.console import AsJson, fail, print_json
from aegis.cli.desk import connect, run
from aegis.cli.health_view import lines_of
from aegis_sdk.errors import AegisError

if TYPE_CHECKING:
    from aegis.cli.health_source import Source
    from aegis.contracts.health import HealthReport, HealthUnknown

    Told = HealthReport | HealthUnknown
    Show = Callable[[Told], None]

_UNKNOWN: Final = 3
_WATCH_S: Final = 1.0


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
    except Exception as error:  # whatever it is, 1 or 2 would say that something is wrong with the feed
        _could_not(error, feed, as_json)
    if not watch:
        _print(report, as_json)
    raise typer.Exit(report.exit_code)


def _could_not(error: Exception, feed: str, as_json: bool) -> NoReturn:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    unknown = _unknown(feed, "check_failed", text=str(error) if isinstance(error, AegisError) else repr(error))
    if as_json:
        _print(unknown, as_json)
    fail(str(unknown.why[0]), _UNKNOWN)


def _unknown(feed: str, code: str, **places: str) -> HealthUnknown:
    from aegis.contracts.health import HealthUnknown
    from aegis.contracts.reasons import Reason

    return HealthUnknown(feed=feed, why=[Reason(code, {**places})])


def _print(report: Told, as_json: bool) -> None:
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        sys.stdout.write("\n".join(lines_of(report)) + "\n")
    sys.stdout.flush()


async def _once(feed: str, read_only: bool, look_s: float) -> HealthReport:
    from aegis.cli.health_source import Source

    async with connect() as transport, Source.open(transport, feed, read_only, look_s) as source:
        return await source.report()


async def _watch(feed: str, read_only: bool, look_s: float, as_json: bool) -> Told:
    """Show it until Ctrl-C; what was shown last."""
    import asyncio
    import signal

    from aegis.cli.health_source import Source

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    told: Told = _unknown(feed, "not_asked_yet")
    async with connect() as transport, Source.open(transport, feed, read_only, look_s) as source:
        with _output(as_json) as show:
            while not stop.is_set():
                show(told := await _next(source, feed))
                with suppress(TimeoutError):
                    async with asyncio.timeout(_WATCH_S):
                        await stop.wait()
    return told


async def _next(source: Source, feed: str) -> Told:
    """The next report. Where there is none, what was before says nothing of how it is now."""
    try:
        return await source.report()
    except AegisError as error:
        return _unknown(feed, "said", text=str(error))


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
