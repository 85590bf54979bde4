"""Of which env a feed set is, for good: `<feed>.env` in the bucket of reference data. Who takes it first writes it."""

from __future__ import annotations

from aegis.contracts.market import Env
from aegis.marketdata.adapters.bus.roll_store import BUCKET
from aegis_sdk.kv import KeyValue, RevisionMismatch
from aegis_sdk.transport import Transport

__all__ = ["EnvStore"]


class EnvStore:
    """Of one feed set. `RollStore.ensure` makes the bucket. Its methods raise what those of the bucket raise."""

    def __init__(self, transport: Transport, feed: str) -> None:
        self._bucket = KeyValue(transport, BUCKET)
        self._key = f"{feed}.env"

    async def find(self) -> str:
        """Empty where nobody has taken the feed set yet."""
        entry = await self._bucket.get(self._key)
        return entry.value.decode(errors="replace") if entry is not None else ""

    async def claim(self, env: Env) -> str:
        """Take the feed set for an env, unless somebody has taken it; whose it is."""
        try:
            await self._bucket.create(self._key, env.encode())
        except RevisionMismatch:
            return await self.find()
        return env
