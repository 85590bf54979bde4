"""A benchmark process: our session, converter, sequencer and codec, and for each tick a coroutine in the event loop.

`run_coroutine_threadsafe` is the usual bridge from a library's thread. It is all that differs here from the service's
way: there is no ring, nothing is conflated, and nothing goes together. It is told how to log in on standard input.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from aegis.cli.bench.plain import connect
from aegis.cli.bench.workers import asked, run, tell
from aegis.contracts.market import Quote
from aegis.contracts.tick_codec import tick_codec
from aegis.ctp.frames import encoded
from aegis.ctp.libraries import load_libraries
from aegis.marketdata.adapters.ctp.frames import FromSession, Ready, Start, Subscribe, Universe
from aegis.marketdata.adapters.ctp.process import Session
from aegis.marketdata.domain.sequencer import Origin, Sequencer

_ORIGIN: Final = Origin(env="sim", feed="bench", source="ctp", session="", epoch=1)


class _Bridge:
    """In the place of a session's outbox: a coroutine for each quote."""

    def __init__(self, publish: Callable[[Quote], Awaitable[None]]) -> None:
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self.symbols: list[str] = []
        self.ready = asyncio.Event()

    def __len__(self) -> int:
        return 0

    def quote(self, quote: Quote) -> None:
        asyncio.run_coroutine_threadsafe(self._published(quote), self._loop)

    async def _published(self, quote: Quote) -> None:
        await self._publish(quote)

    def say(self, frame: FromSession) -> None:
        if isinstance(frame, Universe):
            self.symbols += [one.symbol for one in frame.instruments]
        elif isinstance(frame, Ready):
            self._loop.call_soon_threadsafe(self.ready.set)

    def drain(self, timeout: float) -> None:
        """There is nothing to send: a quote is gone with its call."""


async def _main() -> None:
    tell("started")
    start = msgspec.json.decode(await asked(), type=Start)
    nc = await connect()
    sequencer, encode = Sequencer(_ORIGIN), tick_codec("msgpack").encode

    async def publish(quote: Quote) -> None:
        _, tick = sequencer.stamp(quote)
        await nc.publish(f"stock.{quote.symbol}", encode(tick))

    directory = Path(tempfile.mkdtemp(prefix="aegis-bench-threadsafe-"))
    (directory / ".vntrader").mkdir()
    os.chdir(directory)
    if failed := load_libraries(start.libraries):
        raise RuntimeError(str(failed))
    bridge, (ours, theirs) = _Bridge(publish), socket.socketpair()
    running = asyncio.create_task(asyncio.to_thread(Session(theirs, start, bridge).run))
    await bridge.ready.wait()
    ours.sendall(encoded(Subscribe(bridge.symbols)))
    tell(len(bridge.symbols))
    await asked()  # until we are ended
    running.cancel()


if __name__ == "__main__":
    run(_main())
