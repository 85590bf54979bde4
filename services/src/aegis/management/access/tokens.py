"""API tokens of programs, in the KV bucket `aegis_tokens`, keyed by their SHA-256; each is shown once."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from aegis.management.access.roles import Role
from aegis.management.access.sessions import digest
from aegis.management.access.users import UserName
from aegis_sdk import codec
from aegis_sdk.kv import KeyValue
from aegis_sdk.transport import Transport

__all__ = ["BUCKET", "MOST_TOKENS", "ApiToken", "StoredToken", "TokenName", "Tokens", "secret_of"]

BUCKET: Final = "aegis_tokens"
_MOST_BYTES: Final = 4 << 20
MOST_TOKENS: Final = 20
"""Of a user, that have not ended."""
_PREFIX: Final = "aegis_"
_LONGEST: Final = 128
_BEARER: Final = "bearer "

TokenName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}$")]


class ApiToken(BaseModel):
    """What one may do: what its role may, but no more than the role of its user, and nothing without that user."""

    model_config = ConfigDict(frozen=True)

    name: TokenName
    user: UserName
    user_id: str
    role: Role
    created_at: datetime
    ends_at: datetime


class StoredToken(NamedTuple):
    """`key` is the hash of the token."""

    key: str
    token: ApiToken


class Tokens:
    """`now` is always the caller's. All methods raise what the streams of the transport raise."""

    def __init__(self, transport: Transport, *, replicas: int = 1) -> None:
        self._bucket = KeyValue(transport, BUCKET)
        self._replicas = replicas

    async def ensure(self) -> None:
        await self._bucket.ensure(max_bytes=_MOST_BYTES, replicas=self._replicas)

    async def create(self, token: ApiToken) -> tuple[str, StoredToken]:
        """The secret, which is kept nowhere, and what is kept."""
        secret = _PREFIX + secrets.token_urlsafe(32)
        key = digest(secret)
        left_s = int((token.ends_at - token.created_at).total_seconds()) + 1
        await self._bucket.create(key, codec.encode_model(token), left_s)
        return secret, StoredToken(key, token)

    async def find(self, secret: str, now: datetime) -> StoredToken | None:
        """The token, if it has not ended."""
        if not secret.startswith(_PREFIX) or len(secret) > _LONGEST:
            return None
        entry = await self._bucket.get(digest(secret))
        if entry is None:
            return None
        token = codec.decode_model(ApiToken, entry.value)
        return StoredToken(entry.key, token) if now < token.ends_at else None

    async def all(self, now: datetime) -> list[StoredToken]:
        """Those that have not ended, by user and name."""
        all_of_them = [
            StoredToken(entry.key, codec.decode_model(ApiToken, entry.value)) for entry in await self._bucket.entries()
        ]
        found = [one for one in all_of_them if now < one.token.ends_at]
        return sorted(found, key=lambda one: (one.token.user, one.token.name, one.key))

    async def delete(self, key: str) -> None:
        await self._bucket.delete(key, ttl_s=86_400)


def secret_of(authorization: str) -> str | None:
    """The token of an Authorization header; None where there is none.

    One of another kind is somebody else's: browsers send it along to us after an outer gate has asked for it.
    """
    return authorization[len(_BEARER) :].strip() if authorization.lower().startswith(_BEARER) else None
