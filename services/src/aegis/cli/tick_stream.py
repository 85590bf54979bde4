"""The way of ticks from a desk to an output, ten batches a second."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from aegis.cli.console import duration
from aegis.cli.desk import connect, is_remote
from aegis.cli.feeds import feed_statuses
from aegis.cli.tick_output import Output
from aegis.cli.tick_patterns import Selection
from aegis.contracts.market import InstrumentId, Tick, market_of
from aegis.contracts.marketdata import FeedStatus
from aegis.contracts.tick_codec import decode
from aegis.ticks import TickOptions, subscribe_ticks
from aegis_sdk import subjects
from aegis_sdk.errors import CodecError, RpcError
from aegis_sdk.messages import Message
from aegis_sdk.transport import Transport

__all__ = ["feed_of", "is_present", "may_read_pickle", "show"]

_BATCH_S: Final = 0.1
_QUIET_S: Final = 3.0


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
            sys.stderr.write("No tick yet: `aegis feeds` shows the feed. Ctrl-C ends this.\n")

    def __str__(self) -> str:
        passed = duration(time.monotonic() - self._began)
        return f"{_counted(self._ticks, 'tick')} of {_counted(len(self._instruments), 'instrument')} in {passed}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


async def show(selection: Selection, count: int, latest: bool, output: Output) -> None:
    """Write what is selected, until Ctrl-C or until `count` ticks have come (0: never); then sum up."""
    screenful = _Screenful(selection, count)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, screenful.done.set)
    async with connect() as transport:
        hint = loop.call_later(_QUIET_S, screenful.hint_at_silence)
        try:
            async with _incoming(transport, selection, latest, screenful.take) as malformed:
                await screenful.pour(output)
            refused = malformed()
        finally:
            hint.cancel()
    output.close()
    also = f"; {_counted(refused, 'message')} could not be read as a tick" if refused else ""
    sys.stderr.write(f"{screenful}{also}\n")


@asynccontextmanager
async def _incoming(
    transport: Transport, selection: Selection, latest: bool, take: Callable[[Tick], None]
) -> AsyncIterator[Callable[[], int]]:
    """Hand ticks to `take`: from the latest ones on, or only those that come from now on.

    Yields what counts the messages that were no ticks.
    """
    feed = await feed_of(transport)
    allow_pickle = may_read_pickle(feed)
    if latest:
        options = TickOptions(allow_pickle=allow_pickle)
        present = is_present(feed)

        def take_present(tick: Tick) -> None:
            if present(tick):
                take(tick)

        async with subscribe_ticks(transport, *selection.subscriptions, on_tick=take_present, options=options) as ticks:
            yield lambda: ticks.stats().malformed
        return
    live = _Live(take, allow_pickle)
    for pattern in selection.subscriptions:
        exchange, _, symbol = pattern.partition(".")
        await transport.subscribe(subjects.tick(exchange, symbol), live.receive)
    yield lambda: live.malformed


class _Live:
    """Ticks as they come; what cannot be read is counted."""

    def __init__(self, take: Callable[[Tick], None], allow_pickle: bool) -> None:
        self._take = take
        self._allow_pickle = allow_pickle
        self.malformed = 0

    def receive(self, message: Message) -> None:
        try:
            tick = decode(message.headers, message.payload, self._allow_pickle)
        except CodecError:
            self.malformed += 1
        else:
            self._take(tick)


def may_read_pickle(feed: FeedStatus | None) -> bool:
    """Whether somebody has chosen pickle for this desk, which is ours: nobody else makes us read it."""
    return feed is not None and feed.codec == "pickle" and not is_remote()


async def feed_of(transport: Transport) -> FeedStatus | None:
    """The feed of now; None where its service does not answer."""
    try:
        return next(iter(await feed_statuses(transport)), None)
    except RpcError:
        return None


def is_present(feed: FeedStatus | None) -> Callable[[Tick], bool]:
    """Whether a tick is of the market of now: another source leaves its latest in the stream, be it a replay's."""
    if feed is None:
        return lambda _: True

    market, epoch = market_of(feed.source), feed.epoch  # 0: it has not published yet

    def present(tick: Tick) -> bool:
        return tick.feed != feed.feed or market_of(tick.source) == market or 0 < epoch <= tick.epoch

    return present
