"""`aegis ticks`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aegis.cli.console import duration
from aegis.cli.desk import connect, is_remote, run
from aegis_sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from aegis.cli.tick_output import Output
    from aegis.cli.tick_patterns import Selection
    from aegis.contracts.market import InstrumentId, Tick
    from aegis_sdk.transport import Transport

_BATCH_S: Final = 0.1
_QUIET_S: Final = 3.0


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

    try:
        selection = select(patterns or [])
    except ConfigurationError as error:
        raise typer.BadParameter(error.problem, param_hint="PATTERN") from None
    run(_show(selection, count, latest, _output(as_json, count)))


def _output(as_json: bool, count: int) -> Output:
    from aegis.cli.tick_output import Lines, Objects, Screen

    if as_json:
        return Objects()
    if sys.stdout.isatty() and not count:
        return Screen(coloured="NO_COLOR" not in os.environ)
    return Lines()


class _Screenful:
    """Counts what comes, holds it for a tenth of a second, and is full when `count` ticks have come."""

    def __init__(self, selection: Selection, count: int) -> None:
        self._selection = selection
        self._count = count
        self._began = time.monotonic()
        self._ticks = 0
        self._instruments: set[InstrumentId] = set()
        self._waiting: list[Tick] = []
        self.done = asyncio.Event()

    def take(self, tick: Tick) -> None:
        instrument = tick.instrument_id
        if self.done.is_set() or not self._selection.wanted(instrument):
            return
        self._ticks += 1
        self._instruments.add(instrument)
        self._waiting.append(tick)
        if self._ticks == self._count:
            self.done.set()

    async def pour(self, output: Output) -> None:
        """Write what has come, ten times a second, until it is done."""
        while not self.done.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_BATCH_S):
                    await self.done.wait()
            if self._waiting:
                batch, self._waiting = self._waiting, []
                output.write(batch)

    def hint_at_silence(self) -> None:
        if not self._ticks and sys.stderr.isatty():
            sys.stderr.write("No tick yet: `aegis call marketdata.status` shows the feed. Ctrl-C ends this.\n")

    def __str__(self) -> str:
        passed = duration(time.monotonic() - self._began)
        return f"{self._ticks:,} ticks of {len(self._instruments):,} instruments in {passed}"


async def _show(selection: Selection, count: int, latest: bool, output: Output) -> None:
    screenful = _Screenful(selection, count)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, screenful.done.set)
    async with connect() as transport:
        hint = loop.call_later(_QUIET_S, screenful.hint_at_silence)
        try:
            async with _incoming(transport, selection, latest, screenful.take):
                await screenful.pour(output)
        finally:
            hint.cancel()
    output.close()
    sys.stderr.write(f"{screenful}\n")


@asynccontextmanager
async def _incoming(
    transport: Transport, selection: Selection, latest: bool, take: Callable[[Tick], None]
) -> AsyncIterator[None]:
    """Hand ticks to `take`: from the latest ones on, or only those that come from now on."""
    from aegis.contracts.tick_codec import decode
    from aegis.ticks import TickOptions, subscribe_ticks
    from aegis_sdk import subjects

    allow_pickle = not is_remote()  # our own desk may be trusted
    if latest:
        options = TickOptions(allow_pickle=allow_pickle)
        async with subscribe_ticks(transport, *selection.subscriptions, on_tick=take, options=options):
            yield
        return
    for pattern in selection.subscriptions:
        exchange, _, symbol = pattern.partition(".")
        await transport.subscribe(
            subjects.tick(exchange, symbol),
            lambda message: take(decode(message.headers, message.payload, allow_pickle)),
        )
    yield
