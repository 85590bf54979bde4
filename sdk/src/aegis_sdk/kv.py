"""A key-value bucket over the Transport port, the same on the wire as that of other NATS clients and tools (ADR-8).

A bucket is the stream `KV_<bucket>` of the subjects `$KV.<bucket>.<key>`. A value is a message, its revision the
message's sequence; a deleted key is a message that says so in a header.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final, Literal, NamedTuple

from aegis_sdk import subjects
from aegis_sdk.errors import ConfigurationError, StreamError
from aegis_sdk.messages import EXPECTED_SEQUENCE, StoredMessage
from aegis_sdk.transport import StreamConfig, Transport

__all__ = ["KeyValue", "KeyValueEntry", "RevisionMismatch"]

_BUCKET: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_HISTORY: Final = 64

_OPERATION: Final = "KV-Operation"
_DELETED: Final = {"DEL", "PURGE"}
_MARKER: Final = "Nats-Marker-Reason"  # the server itself removed the last value, e.g. by its age

_WRONG_REVISION: Final = 10071
_WRITE_IN_FLIGHT: Final = 10164


class RevisionMismatch(StreamError):
    """The key is not, or was not for certain, at the revision that was expected; nothing was stored."""

    def __init__(self, key: str, expected: int, refusal: StreamError) -> None:
        super().__init__(f"{key} is not at revision {expected}: {refusal.description}", refusal.code)
        self.key = key
        self.expected = expected


class KeyValueEntry(NamedTuple):
    """One revision of a key. `value` is empty where the key was deleted or has expired; `created_ns` is UTC."""

    key: str
    value: bytes
    revision: int
    created_ns: int
    deleted: bool = False


class KeyValue:
    """A bucket. All methods raise what the streams of the port raise; ConfigurationError for a name that is none."""

    def __init__(self, transport: Transport, bucket: str) -> None:
        if not _BUCKET.fullmatch(bucket):
            raise ConfigurationError("bucket", f"{bucket!r} is not 1 to 64 of letters, digits, '-' and '_'")
        self._transport = transport
        self._bucket = bucket
        self._stream = f"KV_{bucket}"

    async def ensure(
        self,
        *,
        history: int = 1,
        max_age_s: float = 0,
        max_bytes: int = -1,
        marker_ttl_s: float = 0,
        replicas: int = 1,
        storage: Literal["file", "memory"] = "file",
        forgets: bool = False,
    ) -> None:
        """Create the bucket, or change it where it differs.

        It keeps the last `history` values of a key, 1 to 64, for at most `max_age_s` seconds (0: no bound). With
        `marker_ttl_s` watchers hear of a key that has expired; no value lives shorter than that then. When it is full
        a value is refused; one that `forgets` loses its oldest values for it, as an archive does.
        """
        if not 1 <= history <= _MAX_HISTORY:
            raise ConfigurationError("history", f"{history} is not 1 to {_MAX_HISTORY}")
        await self._transport.ensure_stream(
            StreamConfig(
                name=self._stream,
                subjects=[subjects.kv(self._bucket, subjects.REST)],
                storage=storage,
                replicas=replicas,
                max_bytes=max_bytes,
                max_age_s=max_age_s,
                max_per_subject=history,
                discard_new=not forgets,
                deny_delete=True,
                message_ttl=True,
                marker_ttl_s=marker_ttl_s,
                rollup=True,
            )
        )

    # Values

    async def get(self, key: str) -> KeyValueEntry | None:
        """The value of a key, read at the stream's leader; None where it has none."""
        entry = await self._last(key)
        return None if entry is None or entry.deleted else entry

    async def put(self, key: str, value: bytes, ttl_s: int = 0) -> int:
        """Set a value, whatever it was; the new revision. It expires after `ttl_s` seconds, 0: never."""
        return await self._write(key, value, ttl_s=ttl_s)

    async def create(self, key: str, value: bytes, ttl_s: int = 0) -> int:
        """Set the value of a key that has none; the new revision. Raises RevisionMismatch where it has one."""
        try:
            return await self._write(key, value, expected=0, ttl_s=ttl_s)
        except RevisionMismatch:
            entry = await self._last(key)
            if entry is None or not entry.deleted:
                raise
            return await self._write(key, value, expected=entry.revision, ttl_s=ttl_s)

    async def update(self, key: str, value: bytes, revision: int, ttl_s: int = 0) -> int:
        """Set a value that is at `revision`; the new revision. Raises RevisionMismatch where it is not."""
        return await self._write(key, value, expected=revision, ttl_s=ttl_s)

    async def delete(self, key: str, revision: int | None = None, ttl_s: int = 0) -> None:
        """Delete a key; raises RevisionMismatch where it is not at `revision`, if that is given.

        What says that it was deleted stays for `ttl_s` seconds, 0: for ever. Of a key that never comes again it only
        takes room; who watches later hears nothing of it.
        """
        await self._write(key, b"", {_OPERATION: "DEL"}, expected=revision, ttl_s=ttl_s)

    async def _last(self, key: str) -> KeyValueEntry | None:
        message = await self._transport.last(self._stream, self._subject(key))
        return None if message is None else self._entry(message)

    async def _write(
        self,
        key: str,
        value: bytes,
        headers: dict[str, str] | None = None,
        *,
        expected: int | None = None,
        ttl_s: int = 0,
    ) -> int:
        headers = dict(headers or {})
        if ttl_s:
            headers["Nats-TTL"] = f"{ttl_s}s"
        if expected is None:
            return await self._transport.append(self._subject(key), value, headers)
        headers[EXPECTED_SEQUENCE] = str(expected)
        try:
            return await self._transport.append(self._subject(key), value, headers)
        except StreamError as error:
            if error.code in (_WRONG_REVISION, _WRITE_IN_FLIGHT):
                raise RevisionMismatch(key, expected, error) from error
            raise

    # Listing and watching

    async def keys(self, pattern: str = subjects.REST) -> list[str]:
        """The keys that have a value now, of those that `pattern` matches."""
        return [entry.key for entry in await self.entries(pattern)]

    async def entries(self, pattern: str = subjects.REST) -> list[KeyValueEntry]:
        """The values that there are now, of those keys that `pattern` matches."""
        found: list[KeyValueEntry] = []
        async with self.watch(pattern) as entries:
            async for entry in entries:
                if entry is None:
                    break
                if not entry.deleted:
                    found.append(entry)
        return found

    async def history(self, key: str) -> list[KeyValueEntry]:
        """The revisions of a key that are kept, deletions too, in their order."""
        found: list[KeyValueEntry] = []
        async with self._transport.read(self._stream, self._subject(key)) as messages:
            async for message in messages:
                if message is None:
                    break
                found.append(self._entry(message))
        return found

    @asynccontextmanager
    async def watch(self, pattern: str = subjects.REST) -> AsyncGenerator[AsyncIterator[KeyValueEntry | None]]:
        """The last entry of each key that `pattern` matches, then each new one as it comes, deletions too.

        None says that all that was there at the start, or came during an outage, has been yielded. Ends when the
        connection is closed.
        """
        reading = self._transport.read(self._stream, subjects.kv(self._bucket, pattern), last_per_subject=True)
        async with reading as messages, aclosing(self._entries(messages)) as entries:
            yield entries

    async def _entries(self, messages: AsyncIterator[StoredMessage | None]) -> AsyncGenerator[KeyValueEntry | None]:
        async for message in messages:
            yield None if message is None else self._entry(message)

    def _entry(self, message: StoredMessage) -> KeyValueEntry:
        headers = message.headers
        return KeyValueEntry(
            key=subjects.kv_key(message.subject),
            value=message.payload,
            revision=message.sequence,
            created_ns=message.timestamp_ns,
            deleted=headers.get(_OPERATION) in _DELETED or _MARKER in headers,
        )

    def _subject(self, key: str) -> str:
        if subjects.ANY in key or subjects.REST in key:
            raise ConfigurationError("key", f"{key!r} has a wildcard, which stands for many keys")
        return subjects.kv(self._bucket, key)
