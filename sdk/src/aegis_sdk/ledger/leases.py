"""Who holds which key, of all services, for those who only look: tools and consoles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, NamedTuple, Self

import structlog

from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, CodecError
from aegis_sdk.ledger.following import follow
from aegis_sdk.ledger.records import Lease, LeaseState, decode_lease
from aegis_sdk.ledger.streams import present_streams, stream_of
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import Transport

__all__ = ["KeyName", "Leases", "StoredLease"]

_log = structlog.get_logger("aegis.ledger")

_LOOK_S: Final = 1.0


class KeyName(NamedTuple):
    service: str
    key: str


class StoredLease(NamedTuple):
    """A lease as the ledger holds it. `sequence` is the epoch where the lease is ACTIVE; `timestamp_ns` is UTC."""

    service: str
    key: str
    lease: Lease
    sequence: int
    timestamp_ns: int

    @classmethod
    def of(cls, message: StoredMessage) -> Self:
        """The lease that a message holds. Raises CodecError where it holds none."""
        _, _, service, key, _ = subjects.split(message.subject)
        return cls(service, key, decode_lease(message.payload), message.sequence, message.timestamp_ns)

    @property
    def name(self) -> KeyName:
        return KeyName(self.service, self.key)

    @property
    def is_active(self) -> bool:
        return self.lease.state is LeaseState.ACTIVE


class Leases:
    """The latest lease of each key, kept up to date. Make it with `open`; reading it costs no message.

    Reading is no authority: a leader that lost its followers goes on answering for seconds.
    """

    def __init__(self, transport: Transport, service: str) -> None:
        self._transport = transport
        self._service = subjects.token(service, "service")
        self._found: dict[KeyName, StoredLease] = {}
        self._news = asyncio.Event()
        self.shards: tuple[int, ...] = ()
        """Those of the ledger; none where no single-active service has run yet. It is looked for once a second then."""
        self._readers: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, transport: Transport, service: str = subjects.ANY, *, timeout: float = 5.0
    ) -> AsyncGenerator[Self]:
        """All leases that are stored now, of all services or of one, and each new one from then on. Makes no ledger.

        Raises TimeoutError where they cannot be read within `timeout` seconds.
        """
        leases = cls(transport, service)
        try:
            async with asyncio.timeout(timeout):
                for caught_up in await leases._begin():
                    await caught_up.wait()
            if 0 not in leases.shards:
                leases._start(leases._await_ledger(), "ledger")
            yield leases
        finally:
            for reader in leases._readers:
                reader.cancel()
            await asyncio.gather(*leases._readers, return_exceptions=True)

    async def _begin(self) -> list[asyncio.Event]:
        """Read each shard that was not there before; an event for each, set when all that it holds has been read."""
        present = await present_streams(self._transport)
        new = {shard: asyncio.Event() for shard in present if shard not in self.shards}
        self.shards = tuple(present)
        for shard, caught_up in new.items():
            subject = subjects.ledger(shard, self._service, subjects.ANY, "lease")
            reading = partial(self._transport.read, stream_of(shard), subject, last_per_subject=True)
            self._start(follow(self._transport, reading, self._take, caught_up), f"shard {shard}")
        return list(new.values())

    def _start(self, work: Coroutine[Any, Any, None], what: str) -> None:
        self._readers.add(asyncio.create_task(work, name=f"leases of {what}"))

    async def _await_ledger(self) -> None:
        """Begin to read as soon as somebody has made the ledger, of which the shard 0 is the last."""
        while 0 not in self.shards:
            await asyncio.sleep(_LOOK_S)
            try:
                await self._begin()
            except (AegisError, TimeoutError) as error:
                _log.warning("ledger_unseen", reason=str(error))

    @property
    def latest(self) -> Mapping[KeyName, StoredLease]:
        return self._found

    async def wait_for(self, predicate: Callable[[Self], bool], timeout: float) -> None:
        """Return when `predicate` holds for these leases; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while not predicate(self):
                self._news.clear()
                await self._news.wait()

    def _take(self, message: StoredMessage) -> None:
        try:
            stored = StoredLease.of(message)
        except CodecError as error:
            _log.error("ledger_unreadable", subject=message.subject, sequence=message.sequence, problem=str(error))
            return
        known = self._found.get(stored.name)
        if known is None or known.sequence < stored.sequence:
            self._found[stored.name] = stored
            self._news.set()
