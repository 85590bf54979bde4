"""The latest ticks of instruments that rest: what a snapshot has of them once the stream TICKS has discarded them.

They are in the bucket `aegis_resting`, those of a sixteenth of an exchange's instruments together, so that a late
joiner reads few messages: key `<feed>.<exchange>.<part>`, a MessagePack array of ticks. Whoever publishes a feed set
stores them when they are some minutes old, so an instrument costs nothing while it ticks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Final, NamedTuple
from zlib import crc32

import msgspec
import structlog

from aegis.contracts.market import Tick
from aegis_sdk import subjects
from aegis_sdk.errors import STREAM_NOT_FOUND, StreamError
from aegis_sdk.kv import KeyValue
from aegis_sdk.transport import Transport

__all__ = ["RestingPart", "RestingTicks", "part_of"]

_log = structlog.get_logger("aegis.ticks")

BUCKET: Final = "aegis_resting"
_PARTS: Final = 16
_MAX_BYTES: Final = 256 << 20  # then writes are refused: half a million instruments
_decode: Final = msgspec.msgpack.Decoder(list[Tick]).decode


class RestingPart(NamedTuple):
    """What is stored under one key, and the key's revision."""

    key: str
    ticks: list[Tick]
    revision: int


class RestingTicks:
    """Of all feed sets. Its methods raise what those of the bucket raise."""

    def __init__(self, transport: Transport, *, replicas: int = 1) -> None:
        self._bucket = KeyValue(transport, BUCKET)
        self._replicas = replicas

    async def ensure(self) -> None:
        """Create the bucket where it is missing."""
        await self._bucket.ensure(replicas=self._replicas, max_bytes=_MAX_BYTES)

    async def put(self, key: str, ticks: Iterable[Tick], revision: int = 0) -> int:
        """Store a part that is at `revision`, 0: there is none; the new revision. At most 40,000 of an exchange fit."""
        value = msgspec.msgpack.encode(list(ticks))
        return await (self._bucket.update(key, value, revision) if revision else self._bucket.create(key, value))

    async def parts(self, feed: str, exchange: str = subjects.ANY, part: str = subjects.ANY) -> list[RestingPart]:
        """Those that fit; none where there is no bucket yet. One that cannot be read is said, and is empty."""
        try:
            found = await self._bucket.entries(f"{feed}.{exchange}.{part}")
        except StreamError as error:
            if error.code == STREAM_NOT_FOUND:
                return []
            raise
        return [RestingPart(entry.key, _ticks(entry.key, entry.value), entry.revision) for entry in found]

    async def read(self, pattern: str) -> AsyncIterator[tuple[str, Tick]]:
        """The subject and the tick of each instrument that a subject fits, or a pattern of subjects."""
        _, exchange, symbol = pattern.split(".")
        part = subjects.ANY if symbol == subjects.ANY else _part(symbol)
        for one in await self.parts(subjects.ANY, exchange, part):
            for tick in one.ticks:
                subject = subjects.tick(tick.exchange, tick.symbol)
                if symbol in (subjects.ANY, subject.rpartition(".")[2]):
                    yield subject, tick


def part_of(feed: str, subject: str) -> str:
    """The key of the part in which the tick of a subject is."""
    _, exchange, symbol = subject.split(".")
    return f"{feed}.{exchange}.{_part(symbol)}"


def _part(symbol: str) -> str:
    return f"{crc32(symbol.encode()) % _PARTS:x}"


def _ticks(key: str, value: bytes) -> list[Tick]:
    try:
        return _decode(value)
    except msgspec.MsgspecError as error:
        _log.error("resting_malformed", key=key, reason=str(error), hint="it is stored anew, of what rests from now on")
        return []
