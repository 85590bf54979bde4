"""The ledger's edge: who holds a key, and what its holders did, in streams.

Nobody writes for a key whose epoch has ended, and it is the server that sees to this: each write of a holder names the
lease it relies on, by subject and sequence, and is refused where another lease came after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Final, NamedTuple, Self, TypeVar

import structlog

from aegis_sdk import subjects
from aegis_sdk.election_events import Claim, LeaseRead
from aegis_sdk.errors import AegisError, CodecError, ConfigurationError
from aegis_sdk.ledger.claims import Claims
from aegis_sdk.ledger.epoch import HeldEpoch
from aegis_sdk.ledger.records import Begin, Entry, Lease, decode_entry, decode_lease
from aegis_sdk.ledger.streams import open_streams, shard_of, stream_of
from aegis_sdk.ledger.writes import Writes
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import Transport

__all__ = ["JournalRead", "Ledger"]

_log = structlog.get_logger("aegis.ledger")

LEAST_PAYLOAD_BYTES: Final = 2**20
_BATCHES: Final = 16
"""In flight at a time: a stream admits 50 open batches, of all processes together."""

Read = TypeVar("Read")


class JournalRead(NamedTuple):
    """A journal entry of the ledger, in order of `sequence` for each key."""

    key: str
    entry: Entry
    sequence: int


class Ledger:
    """The ledger of one service. Make one with `open`.

    Its streams belong to all services. What readers cannot read they log and leave out.
    """

    def __init__(self, transport: Transport, service: str, shards: int) -> None:
        self.service = subjects.token(service, "service")
        self.shards = shards
        self._transport = transport
        batches = asyncio.Semaphore(_BATCHES)
        self._writes = Writes(transport, batches)
        self._claims = Claims(transport, self.shard, self._subject, batches)

    @classmethod
    async def open(cls, transport: Transport, service: str, *, replicas: int = 1) -> Self:
        """Open the ledger, and make it where there is none: one shard, or three with `replicas`.

        Waits up to 15 s for a JetStream that only starts; raises what the streams of the port raise, and
        ConfigurationError where a server takes smaller messages than entries may be, or a shard is gone.
        """
        if transport.max_payload_bytes < LEAST_PAYLOAD_BYTES:
            problem = f"{transport.max_payload_bytes} bytes are too few for a ledger: {LEAST_PAYLOAD_BYTES} at least"
            raise ConfigurationError("max_payload", f"{problem}, on every server")
        return cls(transport, service, await open_streams(transport, replicas))

    def shard(self, key: str) -> int:
        """The shard that keeps a key, for as long as the ledger lives."""
        return shard_of(key, self.shards)

    def _subject(self, key: str, part: str) -> str:
        if key == subjects.ANY:
            raise ConfigurationError("key", "'*' is no key")
        return subjects.ledger(self.shard(key), self.service, key, part)

    # Writing

    async def claim(
        self, claims: Sequence[Claim], *, holder: str, incarnation: str, attempt: str, timeout: float
    ) -> Mapping[str, int | AegisError]:
        """Claim keys, at most one claim each, many at a time: the new epoch of each, or why there is none.

        EpochEnded: the key's latest lease is not the expected one. LedgerUnavailable: the claim may be stored, now or
        later; `attempt` tells it from others. A batch is stored as a whole or, where one of its claims is refused, key
        by key.
        """
        return await self._claims.store(claims, Begin(holder, incarnation, attempt), timeout)

    def epoch(self, key: str, epoch: int) -> HeldEpoch:
        """The writes under an epoch: to be kept as long as it is held."""
        return HeldEpoch(self._writes, self.shard(key), key, epoch, partial(self._subject, key))

    async def compact(self, key: str, before: int) -> int:
        """Delete the journal's entries below sequence `before`, a journal's `snapshot_sequence`; how many they were."""
        return await self._transport.purge(stream_of(self.shard(key)), self._subject(key, "journal"), before)

    # Reading. Authority never comes from it: a leader that lost its followers goes on answering for seconds.

    async def lease(self, key: str) -> tuple[Lease, int] | None:
        """The latest lease of a key and its sequence; None where it never had one. Raises CodecError for what is none.

        Raises what the streams of the port raise.
        """
        message = await self._transport.last(stream_of(self.shard(key)), self._subject(key, "lease"))
        return None if message is None else (decode_lease(message.payload), message.sequence)

    async def entries(self, key: str, after: int) -> AsyncGenerator[JournalRead]:
        """The entries of a key behind a sequence, one by one, up to the last that the leader of its shard has.

        Raises what the streams of the port raise.
        """
        async for read in _decoded(self._messages(key, after), _journal_read):
            if read is not None:
                yield read

    async def _messages(self, key: str, after: int) -> AsyncGenerator[StoredMessage]:
        stream, subject = stream_of(self.shard(key)), self._subject(key, "journal")
        while (message := await self._transport.next(stream, subject, after)) is not None:
            after = message.sequence
            yield message

    @asynccontextmanager
    async def leases(self, shard: int) -> AsyncGenerator[AsyncIterator[LeaseRead | None]]:
        """The latest lease of each key of a shard, then each new one; None as `Transport.read` yields it."""
        subject = subjects.ledger(shard, self.service, subjects.ANY, "lease")
        async with (
            self._transport.read(stream_of(shard), subject, last_per_subject=True) as messages,
            aclosing(_decoded(messages, _lease_read)) as leases,
        ):
            yield leases

    @asynccontextmanager
    async def journals(
        self,
        shard: int,
        key: str = subjects.ANY,
        after: int = 0,
        pause: Callable[[], Awaitable[None]] | None = None,
    ) -> AsyncGenerator[AsyncIterator[JournalRead | None]]:
        """The entries of one key, or of all of a shard, behind sequence `after`; None and `pause` as in `read`."""
        subject = subjects.ledger(shard, self.service, key, "journal")
        async with (
            self._transport.read(stream_of(shard), subject, after=after, pause=pause) as messages,
            aclosing(_decoded(messages, _journal_read)) as entries,
        ):
            yield entries


async def _decoded(
    messages: AsyncIterator[StoredMessage | None], decode: Callable[[StoredMessage], Read]
) -> AsyncGenerator[Read | None]:
    async for message in messages:
        if message is None:
            yield None
            continue
        try:
            read = decode(message)
        except CodecError as error:
            _log.error("ledger_unreadable", subject=message.subject, sequence=message.sequence, problem=str(error))
            continue
        yield read


def _lease_read(message: StoredMessage) -> LeaseRead:
    return LeaseRead(subjects.ledger_key(message.subject), decode_lease(message.payload), message.sequence)


def _journal_read(message: StoredMessage) -> JournalRead:
    return JournalRead(subjects.ledger_key(message.subject), decode_entry(message.payload), message.sequence)
