"""The way of ticks from the intake to the files: columns in memory, then one write at a time in a thread.

While a write is under way the next batch grows; when that is full too, reading waits, and the stream keeps the rest. A
write that fails, on a full disk say, is tried again until it succeeds.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final

import pyarrow as pa
import structlog

from aegis.recorder.adapters.directory import RecordingDirectory
from aegis.recorder.domain.intake import Intake
from aegis.recordings.columns import Placed
from aegis.recordings.manifest import Stretch
from aegis.recordings.table import UNFIT, batch_of

__all__ = ["Writing"]

_log = structlog.get_logger("aegis.recorder")
_RETRY_S: Final = 0.5
_MAX_RETRY_S: Final = 10.0
_MOST_PARTITIONS: Final = 64
_MOST_BYTES: Final = 64 << 20


class Writing:
    """Batches of at most `part_ticks` ticks, or of `part_s` seconds."""

    def __init__(self, directory: RecordingDirectory, part_ticks: int, part_s: float) -> None:
        self._directory = directory
        self._part_ticks = part_ticks
        self._part_s = part_s
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self._in_writing = 0
        self._began = time.monotonic()
        self._turn = asyncio.Lock()
        self._under_way: asyncio.Task[None] | None = None
        self.blocked = ""  # why nothing can be written now
        self.written = 0  # ticks in files since the start
        self.grew: dict[tuple[str, str], float] = {}  # when each trading day and exchange last got a part
        self.news = asyncio.Event()  # there are new parts

    @property
    def waiting(self) -> int:
        """Ticks in columns that are not in a file yet."""
        return self._rows + self._in_writing

    async def collect(self, intake: Intake) -> None:
        """Take the intake's ticks; returns when there is room for more."""
        self._convert(intake)
        if self._is_full(intake):
            await self.flush(intake)

    async def flush(self, intake: Intake) -> None:
        """Begin to write all that the intake has settled, once the write before is done."""
        async with self._turn:
            await self.done()
            self._convert(intake)
            self._began = time.monotonic()
            if intake.is_settled:
                return
            batches, self._batches = self._batches, []
            self._in_writing, self._rows = self._rows, 0
            self._under_way = asyncio.create_task(self._write(batches, intake.settle()), name="write parts")

    async def begin(self, stretch: Stretch) -> None:
        """Record where a stretch begins before anything of it is read: a recorder that is killed goes on from there."""
        async with self._turn:
            await self.done()
            self._under_way = asyncio.create_task(self._write([], stretch), name="write the beginning")
            await self.done()

    async def done(self) -> None:
        """Return when the write under way is done; raises what ended it."""
        if self._under_way is not None:
            await asyncio.shield(self._under_way)

    async def flush_by_time(self, current: deque[Intake]) -> None:
        """Let no tick wait for longer than `part_s`; `current` holds the intake of the present generation."""
        while True:
            await asyncio.sleep(max(0.01, self._began + self._part_s - time.monotonic()))
            await self.flush(current[-1])

    async def cancel(self) -> None:
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait({self._under_way})

    def _is_full(self, intake: Intake) -> bool:
        rows, partitions = self._rows, len(intake.partitions)
        return rows >= self._part_ticks or partitions >= _MOST_PARTITIONS or intake.size >= _MOST_BYTES

    def _convert(self, intake: Intake) -> None:
        if ticks := intake.take():
            for batch in _batches(intake, ticks):
                self._batches.append(batch)
                self._rows += batch.num_rows

    async def _write(self, batches: list[pa.RecordBatch], stretch: Stretch) -> None:
        pause = _RETRY_S
        while True:
            try:
                parts = await asyncio.to_thread(self._directory.write, batches, stretch)
                break
            except OSError as error:
                if not self.blocked:
                    _log.error("recording_blocked", reason=str(error), todo="make room on the disk")
                self.blocked = str(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_RETRY_S)
        if self.blocked:
            _log.warning("recording_goes_on", sequence=stretch.last)
            self.blocked = ""
        self.written += self._in_writing
        self._in_writing = 0
        for part in parts:
            self.grew[part.trading_day, part.exchange] = time.monotonic()
        self.news.set()


def _batches(intake: Intake, ticks: list[Placed]) -> list[pa.RecordBatch]:
    """Ticks as columns. One with a number that no column can hold is left out, and counted as malformed."""
    try:
        return [batch_of(intake.generation, ticks)]
    except UNFIT:
        if len(ticks) == 1:
            intake.refuse(1)
            return []
    middle = len(ticks) // 2
    return [*_batches(intake, ticks[:middle]), *_batches(intake, ticks[middle:])]
