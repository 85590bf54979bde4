"""The universe that was known last, in the bucket `aegis_universe`: for a start while the front is closed."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
import structlog

from aegis.contracts.market import Instrument
from aegis.marketdata.domain.universe import Universe
from aegis.marketdata.domain.wishes import PARTS, by_part
from aegis_sdk.kv import KeyValue
from aegis_sdk.transport import Transport

__all__ = ["UniverseStore"]

_log = structlog.get_logger("aegis.subscriptions")

BUCKET: Final = "aegis_universe"
_MAX_BYTES: Final = 256 << 20


class _Part(msgspec.Struct, frozen=True):
    """A sixteenth of the instruments: 25,000 of them are 4 MB, more than fits one message."""

    source: str
    instruments: tuple[Instrument, ...]


class UniverseStore:
    """The instruments of one feed set, in parts `<feed>.<part>`. What has not changed is not written again."""

    def __init__(self, transport: Transport, feed: str, *, replicas: int = 1) -> None:
        self._bucket = KeyValue(transport, BUCKET)
        self._feed = feed
        self._replicas = replicas
        self._stored: dict[str, bytes] = {}

    async def load(self, source: str) -> Universe:
        """What was stored of this source; nothing where that is of another one, or cannot be read."""
        await self._bucket.ensure(replicas=self._replicas, max_bytes=_MAX_BYTES)
        for number in range(PARTS):
            entry = await self._bucket.get(self._key(f"{number:x}"))
            if entry is not None:
                self._stored[f"{number:x}"] = entry.value
        return await asyncio.to_thread(_decoded, list(self._stored.values()), source)

    async def save(self, source: str, universe: Universe) -> None:
        """Store all of them, part by part."""
        for part, payload in (await asyncio.to_thread(_encoded, source, universe)).items():
            if self._stored.get(part) != payload:
                await self._bucket.put(self._key(part), payload)
                self._stored[part] = payload

    def _key(self, part: str) -> str:
        return f"{self._feed}.{part}"


def _encoded(source: str, universe: Universe) -> dict[str, bytes]:
    parts = by_part(universe.names)
    listed = {str(one.id): one for one in universe}
    return {
        part: msgspec.json.encode(_Part(source, tuple(listed[name] for name in sorted(parts.get(part, ())))))
        for part in (f"{number:x}" for number in range(PARTS))
    }


def _decoded(payloads: list[bytes], source: str) -> Universe:
    try:
        parts = [msgspec.json.decode(payload, type=_Part) for payload in payloads]
    except msgspec.MsgspecError as error:
        _log.warning("universe_malformed", reason=str(error), hint="it is stored anew with the next session")
        return Universe(())
    return Universe(one for part in parts if part.source == source for one in part.instruments)
