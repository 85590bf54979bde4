"""The recorder: the stream TICKS to Parquet files, complete and without repeats."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import duckdb
import structlog

from aegis.contracts.recorder import SERVICE, STATUS, RecorderStatus
from aegis.recorder.adapters.directory import RecordingDirectory
from aegis.recorder.adapters.reading import STREAM, read
from aegis.recorder.domain.intake import Intake, StreamChanged
from aegis.recorder.domain.merging import due
from aegis.recorder.metrics import figures
from aegis.recorder.settings import RecorderSettings
from aegis.recorder.writing import Writing
from aegis.recordings.manifest import Part, RecordingDamaged, Stretch
from aegis_sdk.errors import STREAM_NOT_FOUND, AegisError, StreamError, Unavailable
from aegis_sdk.handler import rpc
from aegis_sdk.method import Empty
from aegis_sdk.metrics import Metric
from aegis_sdk.service import Service

__all__ = ["Recorder"]

_log = structlog.get_logger("aegis.recorder")
_RETRY_S: Final = 0.5
_LOOK_S: Final = 1.0
_QUIET_S: Final = 600.0
"""A trading day that got no tick for so long, while a later one did, has ended."""
_MERGE_AGAIN_S: Final = 60.0
_PUT_ASIDE_S: Final = 600.0
"""Parts that could not be merged, on a full disk or because one is damaged, are tried again after so long."""
_LAST_WRITE_S: Final = 8.0


class Recorder(Service):
    """Records what the stream TICKS has and gets."""

    name = SERVICE
    description = "The stream TICKS to Parquet files."

    def __init__(self, settings: RecorderSettings) -> None:
        self.settings = settings
        self._directory: RecordingDirectory | None = None
        self._intakes: deque[Intake] = deque(maxlen=1)  # that of the present generation
        self._merging: asyncio.Task[Part] | None = None
        self._behind = 0

    @property
    def _intake(self) -> Intake:
        return self._intakes[-1]

    async def on_start(self) -> None:
        """Raises DirectoryInUse, RecordingDamaged, or AegisError where the directory cannot be written."""
        try:
            directory = await asyncio.to_thread(RecordingDirectory, self.settings.directory)
        except OSError as error:
            where = self.settings.directory
            raise AegisError(f"the recording in {where} cannot be written: {error.strerror or error}") from None
        self._directory = directory
        self._writing = Writing(directory, self.settings.part_ticks, self.settings.part_s)
        stretch = directory.stretch
        again = await asyncio.to_thread(directory.recorded) if stretch.generation > 1 else {}
        self._intakes.append(Intake(stretch, again, _ended_ns(directory)))
        _log.info("recording", directory=str(directory.path), generation=stretch.generation, after=stretch.last)

    async def run(self) -> None:
        """Record until it is cancelled; an error that is neither the disk's nor the stream's ends it."""
        assert self._directory is not None, "not started"
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read())
                group.create_task(self._writing.flush_by_time(self._intakes))
                group.create_task(self._merge(self._directory))
                group.create_task(self._look())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def on_stop(self) -> None:
        """Record what was read; wait for a merge. What is not done after 8 s is done again at the next start."""
        directory, self._directory = self._directory, None
        if directory is None:
            return
        try:
            async with asyncio.timeout(_LAST_WRITE_S):
                await self._writing.flush(self._intake)
                await self._writing.done()
                if self._merging is not None:
                    await asyncio.wait({self._merging})
        except TimeoutError:
            _log.warning("ticks_not_written", ticks=self._writing.waiting, hint="they are read again at the next start")
        finally:
            await self._writing.cancel()
            directory.close()

    @rpc(STATUS)
    async def status(self, _: Empty) -> RecorderStatus:
        if (now := self.look()) is None:
            raise Unavailable("the recorder has stopped")
        return now

    def configuration(self) -> Mapping[str, Any]:
        return self.settings.model_dump(mode="json")

    def metrics(self) -> Iterable[Metric]:
        if (now := self.look()) is not None:
            yield from figures(now, self._intake.markers, self._writing.written)

    def look(self) -> RecorderStatus | None:
        """The recording as it is now; None before the start and after the end."""
        if self._directory is None or not self._intakes:
            return None
        intake, manifest = self._intake, self._directory.manifest
        return RecorderStatus(
            directory=str(self._directory.path),
            generation=intake.generation,
            sequence=intake.last,
            behind=self._behind,
            recorded=sum(part.rows for part in manifest.parts),
            waiting=self._writing.waiting + intake.waiting,
            void=intake.void,
            malformed=intake.malformed,
            repeated=intake.repeated,
            lost=intake.lost,
            blocked=self._writing.blocked,
            parts=len(manifest.parts),
            size=sum(part.size for part in manifest.parts),
        )

    # Reading

    async def _read(self) -> None:
        """Read on whatever happens to the connection, or to the stream."""
        reason = ""
        while True:
            try:
                await self._begin()
                await read(self.transport, self._intake, self._collect)
                reason = ""
            except StreamChanged as changed:
                await self._begin_anew(str(changed))
            except (AegisError, TimeoutError) as error:
                if str(error) != reason:
                    reason = str(error)
                    nothing_yet = isinstance(error, StreamError) and error.code == STREAM_NOT_FOUND
                    log = _log.info if nothing_yet else _log.warning
                    log("stream_awaited", stream=STREAM, reason=reason)
                await asyncio.sleep(_RETRY_S)

    async def _begin(self) -> None:
        """A recording of what comes from now on begins behind what the stream has."""
        if self.settings.begin == "now" and not self._intake.first and self._intake.generation == 1:
            last = await self.transport.last_sequence(STREAM)
            begun = Stretch(generation=1, first=last + 1, last=last)
            await self._writing.begin(begun)
            self._intakes.append(Intake(begun))

    async def _collect(self) -> None:
        await self._writing.collect(self._intake)

    async def _begin_anew(self, reason: str) -> None:
        """Go on with the next generation, from the beginning of the stream; what is recorded already is left out."""
        assert self._directory is not None, "not started"
        before = self._intake
        _log.error("stream_changed", reason=reason, generation=before.generation + 1)
        await self._writing.flush(before)
        await self._writing.done()
        recorded = await asyncio.to_thread(self._directory.recorded)
        self._intakes.append(Intake(Stretch(generation=before.generation + 1), recorded, before.stored_ns))

    async def _look(self) -> None:
        """Tell what is lost, and see how much is still to be read."""
        told = self._intake.lost
        while True:
            await asyncio.sleep(_LOOK_S)
            lost = self._intake.lost
            if lost > told:
                _log.error("messages_lost", messages=lost - told, reason="the stream had discarded them", in_all=lost)
            told = lost
            with suppress(AegisError, TimeoutError):
                self._behind = max(0, await self.transport.last_sequence(STREAM) - self._intake.last)

    # Merging

    async def _merge(self, directory: RecordingDirectory) -> None:
        """Merge what is due. Parts that cannot be merged are put aside for a while, and said."""
        put_aside: dict[Part, float] = {}  # and until when
        while True:
            self._writing.news.clear()
            now = time.monotonic()
            growing = {which for which, since in self._writing.grew.items() if now - since < _QUIET_S}
            parts = due([part for part in directory.manifest.parts if put_aside.get(part, now) <= now], growing)
            if not parts:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_MERGE_AGAIN_S):
                        await self._writing.news.wait()
                continue
            try:
                self._merging = asyncio.create_task(asyncio.to_thread(directory.merge, parts), name="merge parts")
                await asyncio.shield(self._merging)
            except (OSError, duckdb.Error, RecordingDamaged) as error:
                where = f"{parts[0].trading_day}/{parts[0].exchange}"
                _log.error("parts_not_merged", where=where, parts=len(parts), reason=str(error))
                put_aside.update(dict.fromkeys(parts, now + _PUT_ASIDE_S))


def _ended_ns(directory: RecordingDirectory) -> int:
    """When the stream had stored the last message of the generation before this one."""
    earlier = directory.manifest.stretches[:-1]
    return earlier[-1].stored_ns if earlier else 0
