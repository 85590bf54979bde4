"""When a service is loaded, and when it is ready: by its record in the registry.

Heartbeats are not listened to. Each instance says up to twenty times a second that it lives; of its own processes a
supervisor knows that from the kernel.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

import structlog

from aegis.operations.plan import ServicePlan
from aegis_sdk import codec
from aegis_sdk.errors import STREAM_NOT_FOUND, AegisError, InvalidRequest, StreamError
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.kv import KeyValue, KeyValueEntry
from aegis_sdk.registry import INSTANCES
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["Registered"]

_log = structlog.get_logger("aegis.supervisor")

_POLL_S: Final = 0.05
_AGAIN_S: Final = 0.1
_READY: Final = (InstanceStatus.ACTIVE, InstanceStatus.STANDBY, InstanceStatus.UNHEALTHY)
"""Unhealthy is who does his work but lacks something outside: a feed behind a front that is closed for the night."""


class Registered:
    """The latest record of each instance. Make it with `open`, which keeps it up to date."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], InstanceRecord] = {}
        self._news = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, transport: Transport) -> AsyncGenerator[Self]:
        """There need not be a registry yet: the first instance makes it."""
        registered = cls()
        following = asyncio.create_task(registered._follow(transport), name="registry")
        try:
            yield registered
        finally:
            following.cancel()
            await asyncio.wait({following})
            if not following.cancelled():
                following.result()

    async def serves(self, service: ServicePlan, since: float) -> None:
        """Return when the instance that was started at `since`, in seconds since 1970, or later, says that it serves.

        The time tells it from the one before it, whose record may still be there. What is no service of ours has
        written its ready file by then.
        """
        await self._seen(service, since, _READY)

    async def is_loaded(self, service: ServicePlan, since: float) -> None:
        """Return when its program is read, and it has come as far as to register; see `serves`."""
        await self._seen(service, since, tuple(InstanceStatus))

    async def _seen(self, service: ServicePlan, since: float, statuses: tuple[InstanceStatus, ...]) -> None:
        if service.ready_file:
            await _written(Path(service.ready_file), since)
            return
        name = service.service, service.instance
        while not (
            (record := self._records.get(name)) and record.status in statuses and record.started_at.timestamp() >= since
        ):
            await self._news.wait()

    async def _follow(self, transport: Transport) -> None:
        while transport.state is not ConnectionState.CLOSED:
            try:
                async with KeyValue(transport, INSTANCES).watch() as entries:
                    async for entry in entries:
                        if entry is not None and not entry.deleted:
                            self._take(entry)
            except AegisError as error:
                if not (isinstance(error, StreamError) and error.code == STREAM_NOT_FOUND):
                    _log.warning("registry_unread", reason=str(error))
            await asyncio.sleep(_AGAIN_S)

    def _take(self, entry: KeyValueEntry) -> None:
        try:
            record = codec.decode_model(InstanceRecord, entry.value)
        except InvalidRequest as error:
            _log.warning("record_unreadable", key=entry.key, problem=str(error.details))
            return
        self._records[record.service, record.instance] = record
        news, self._news = self._news, asyncio.Event()
        news.set()


async def _written(file: Path, since: float) -> None:
    while not await asyncio.to_thread(_is_newer, file, since):  # noqa: ASYNC110 (whoever writes it tells nobody)
        await asyncio.sleep(_POLL_S)


def _is_newer(file: Path, since: float) -> bool:
    try:
        return file.stat().st_mtime >= since
    except OSError:
        return False
