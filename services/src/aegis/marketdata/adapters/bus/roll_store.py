"""Roll histories, in the bucket `aegis_reference`: one key a product, written by whoever decides, guarded by revision.

A key is `<feed>.<market>.<exchange>.<product>`: a replay's days are not those of a live market. The market is the
source's name up to its first dot, so the primary and the backup front of a profile are one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
import structlog

from aegis.marketdata.domain.closes import ProductId
from aegis.marketdata.domain.rolls import Close, Rolls, decide
from aegis_sdk import subjects
from aegis_sdk.kv import KeyValue, KeyValueEntry, RevisionMismatch
from aegis_sdk.transport import Transport

__all__ = ["RollStore", "StoredRolls"]

_log = structlog.get_logger("aegis.reference")

BUCKET: Final = "aegis_reference"
_MAX_BYTES: Final = 64 << 20  # then writes are refused: a hundred products of some 50 markets
_ATTEMPTS: Final = 5

_decoder: Final = msgspec.json.Decoder(Rolls)


class StoredRolls(NamedTuple):
    """A history and the revision of its key."""

    rolls: Rolls
    revision: int


class RollStore:
    """The histories of one feed set."""

    def __init__(self, transport: Transport, feed: str, *, replicas: int = 1) -> None:
        self._bucket = KeyValue(transport, BUCKET)
        self._feed = feed
        self._replicas = replicas

    async def ensure(self) -> None:
        """Create the bucket where it is missing."""
        await self._bucket.ensure(replicas=self._replicas, max_bytes=_MAX_BYTES)

    async def find(self, source: str, exchange: str = "", product: str = "") -> list[StoredRolls]:
        """The histories of the source's market that fit, by exchange and product."""
        parts = (exchange or subjects.ANY, product or subjects.ANY)
        found: list[StoredRolls] = []
        async with self._bucket.watch(f"{self._market(source)}.{parts[0]}.{parts[1]}") as entries:
            async for entry in entries:
                if entry is None:
                    break
                rolls = self._decoded(entry)
                if rolls is not None:
                    found.append(StoredRolls(rolls, entry.revision))
        return sorted(found, key=lambda one: (one.rolls.exchange, one.rolls.product))

    async def decide(self, source: str, product: ProductId, day: str, closes: Iterable[Close]) -> Rolls | None:
        """Store what is known after the close of a day; None where nothing new is.

        Of two that decide the same day the second finds it decided. Raises RevisionMismatch where others write without
        an end.
        """
        key, closes = f"{self._market(source)}.{product.exchange}.{product.code}", tuple(closes)
        for attempt in range(_ATTEMPTS):
            entry = await self._bucket.get(key)
            before = self._decoded(entry) if entry is not None else None
            rolls = decide(before, product.exchange, product.code, day, closes)
            if rolls is None or rolls is before:
                return None
            try:
                payload = msgspec.json.encode(rolls)
                if entry is None:
                    await self._bucket.create(key, payload)
                else:
                    await self._bucket.update(key, payload, entry.revision)
                return rolls
            except RevisionMismatch:
                if attempt == _ATTEMPTS - 1:
                    raise
        return None

    def _decoded(self, entry: KeyValueEntry) -> Rolls | None:
        if entry.deleted:
            return None
        try:
            return _decoder.decode(entry.value)
        except msgspec.MsgspecError as error:
            _log.error("rolls_malformed", key=entry.key, reason=str(error), hint="the history begins anew")
            return None

    def _market(self, source: str) -> str:
        return f"{self._feed}.{subjects.escape(source.partition('.')[0])}"
