"""How often somebody may try to sign in: counted in the KV bucket `aegis_attempts`, so that all instances count as one.

An attempt is counted before its password is looked at, so that many at once are not more than one after the other, and
by the name that was given, whether there is such a user or not: else the count would tell. A count is forgotten after
five minutes, and of an address there are few: the bucket stays small.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel

from aegis.management.access.sessions import digest
from aegis.management.problems import Problem
from aegis_sdk import codec
from aegis_sdk.kv import KeyValue, RevisionMismatch
from aegis_sdk.transport import Transport

__all__ = ["BUCKET", "Attempts"]

BUCKET: Final = "aegis_attempts"
WINDOW: Final = timedelta(minutes=5)
OF_A_USER: Final = 10
OF_AN_ADDRESS: Final = 50
TOKENS_OF_A_USER: Final = 20
_MOST_BYTES: Final = 8 << 20
_TRIES: Final = 20


class _Count(BaseModel):
    since: datetime
    count: int


class Attempts:
    """Ten for a user and fifty from an address, in five minutes; an IPv6 address is its /64."""

    def __init__(self, transport: Transport, *, replicas: int = 1) -> None:
        self._bucket = KeyValue(transport, BUCKET)
        self._replicas = replicas

    async def ensure(self) -> None:
        await self._bucket.ensure(
            max_bytes=_MOST_BYTES, max_age_s=WINDOW.total_seconds(), replicas=self._replicas, storage="memory"
        )

    async def count(self, user: str, address: str, now: datetime) -> None:
        """Count one by the name that was given, any text, and its address. Raises Problem `too_many_attempts`."""
        await self._one(_key("address", _network(address)), OF_AN_ADDRESS, now)
        await self._one(_key("user", user), OF_A_USER, now)

    async def count_token(self, user: str, now: datetime) -> None:
        """Count an API token that is to be made: who makes and deletes them fills the audit trail."""
        await self._one(_key("token", user), TOKENS_OF_A_USER, now)

    async def forget(self, user: str) -> None:
        """He has signed in. His address is not forgotten: else his own name would let him try others for ever."""
        await self._bucket.delete(_key("user", user), ttl_s=int(WINDOW.total_seconds()))

    async def _one(self, key: str, most: int, now: datetime) -> None:
        for _ in range(_TRIES):
            entry = await self._bucket.get(key)
            counted = None if entry is None else codec.decode_model(_Count, entry.value)
            if counted is None or now - counted.since >= WINDOW:
                counted = _Count(since=now, count=0)
            if counted.count >= most:
                wait_s = max(1, round((counted.since + WINDOW - now).total_seconds()))
                raise Problem("too_many_attempts", "wait", headers={"Retry-After": str(wait_s)}, wait_s=wait_s)
            value = codec.encode_model(counted.model_copy(update={"count": counted.count + 1}))
            try:
                if entry is None:
                    await self._bucket.create(key, value)
                else:
                    await self._bucket.update(key, value, entry.revision)
                return
            except RevisionMismatch:
                continue  # another attempt was counted just now
        raise Problem("too_many_attempts", "many_at_once", headers={"Retry-After": "1"}, wait_s=1)


def _key(kind: str, what: str) -> str:
    return f"{kind}-{digest(what)}"


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)
