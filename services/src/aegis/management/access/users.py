"""Users, in the KV bucket `aegis_users`: one key each."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

from aegis.management.access.roles import Role
from aegis_sdk import codec
from aegis_sdk.kv import KeyValue
from aegis_sdk.transport import Transport

__all__ = ["BUCKET", "StoredUser", "User", "UserName", "Users"]

BUCKET: Final = "aegis_users"
_MOST_BYTES: Final = 4 << 20

UserName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class User(BaseModel):
    """Who may sign in. Sessions of another `generation` have ended: it grows with each change of password or role.

    `id` is another one for who gets the name of somebody who was deleted: sessions and tokens are not inherited.
    """

    model_config = ConfigDict(frozen=True)

    name: UserName
    id: str = Field(default_factory=lambda: secrets.token_hex(8))
    role: Role
    password_hash: str
    must_change: bool = True  # the password was set by somebody else
    enabled: bool = True
    generation: int = 1
    created_at: datetime
    changed_at: datetime

    def given(self, password_hash: str, now: datetime) -> Self:
        """With a password that somebody else made up: it must be changed, and the sessions end."""
        return self.model_copy(
            update={
                "password_hash": password_hash,
                "must_change": True,
                "generation": self.generation + 1,
                "changed_at": now,
            }
        )


class StoredUser(NamedTuple):
    user: User
    revision: int


class Users:
    """All methods raise what the streams of the transport raise; those that write, RevisionMismatch too."""

    def __init__(self, transport: Transport, *, replicas: int = 1) -> None:
        self._bucket = KeyValue(transport, BUCKET)
        self._replicas = replicas

    async def ensure(self) -> None:
        await self._bucket.ensure(max_bytes=_MOST_BYTES, replicas=self._replicas)

    async def get(self, name: str) -> StoredUser | None:
        entry = await self._bucket.get(name)
        return None if entry is None else StoredUser(codec.decode_model(User, entry.value), entry.revision)

    async def all(self) -> list[StoredUser]:
        """By name."""
        found = [
            StoredUser(codec.decode_model(User, entry.value), entry.revision) for entry in await self._bucket.entries()
        ]
        return sorted(found, key=lambda one: one.user.name)

    async def create(self, user: User) -> StoredUser:
        return StoredUser(user, await self._bucket.create(user.name, codec.encode_model(user)))

    async def replace(self, user: User, revision: int) -> StoredUser:
        return StoredUser(user, await self._bucket.update(user.name, codec.encode_model(user), revision))

    async def delete(self, name: str, revision: int) -> None:
        await self._bucket.delete(name, revision)
