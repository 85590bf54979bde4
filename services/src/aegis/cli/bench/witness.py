"""A process that does nothing beside a benchmark, and says for how long it could not: what the machine did, not we.

A healthy process that gets no processor, or whose disk does not answer, cannot be told from a stopped one. These two
figures tell a run that was disturbed from one that is bad.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from threading import Thread
from typing import Final, NamedTuple

import msgspec

from aegis.cli.bench.figures import Figures
from aegis.cli.bench.workers import Worker, asked, run, tell, worker
from aegis_sdk.server import EmbeddedServer

__all__ = ["Witness", "witness"]

_SLEEP_S: Final = 0.01
_SYNC_AGAIN_S: Final = 0.05
_BLOCK: Final = bytes(4096)


class _Worst(NamedTuple):
    """Since the last time that it was asked, in seconds."""

    gap_s: float
    sync_s: float


class Witness:
    def __init__(self, process: Worker) -> None:
        self._process = process

    async def worst(self) -> Figures:
        """Since it was asked last: how long it was kept from running, and how long a write of 4 kB took to the disk."""
        await self._process.say("worst")
        found = msgspec.convert(await self._process.hear(), _Worst)
        return {"machine_gap_max_ms": found.gap_s * 1e3, "disk_sync_max_ms": found.sync_s * 1e3}


@asynccontextmanager
async def witness(server: EmbeddedServer) -> AsyncGenerator[Witness]:
    async with worker(server, "aegis.cli.bench.witness") as process:
        yield Witness(process)


class _Observed:
    def __init__(self) -> None:
        self._gap_s = self._sync_s = 0.0

    def worst(self) -> _Worst:
        found, self._gap_s, self._sync_s = _Worst(self._gap_s, self._sync_s), 0.0, 0.0
        return found

    def watch_processor(self) -> None:
        last = time.monotonic()
        while True:
            time.sleep(_SLEEP_S)
            now = time.monotonic()
            self._gap_s, last = max(self._gap_s, now - last - _SLEEP_S), now

    def watch_disk(self) -> None:
        with TemporaryFile() as file:
            while True:
                file.seek(0)
                file.write(_BLOCK)
                file.flush()
                began_at = time.monotonic()
                os.fsync(file.fileno())
                self._sync_s = max(self._sync_s, time.monotonic() - began_at)
                time.sleep(_SYNC_AGAIN_S)


async def _main() -> None:
    observed = _Observed()
    for watch in (observed.watch_processor, observed.watch_disk):
        Thread(target=watch, daemon=True).start()
    tell("ready")
    while await asked():
        tell(observed.worst())


if __name__ == "__main__":
    run(_main())
