"""Users, in the KV bucket `aegis_users`: one key each."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

from aegis.management.access.roles import Role
from aegis.management.problems import Problem
from aegis_sdk import codec, subjects
from aegis_sdk.errors import StreamError
from aegis_sdk.kv import KeyValue, RevisionMismatch
from aegis_sdk.messages import NO_HEADERS, Headers
from aegis_sdk.transport import Transport

__all__ = ["BUCKET", "StoredUser", "User", "UserName", "Users"]

BUCKET: Final = "aegis_users"
_MOST_BYTES: Final = 4 << 20
_TRIES: Final = 5
_DELETION: Final = {"KV-Operation": "DEL"}
_OTHERS_WROTE: Final = (10071, 10164)

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
        self._transport = transport
        self._bucket = KeyValue(transport, BUCKET)
        self._replicas = replicas

    async def ensure(self) -> None:
        await self._bucket.ensure(max_bytes=_MOST_BYTES, replicas=self._replicas)

    async def get(self, name: str) -> StoredUser | None:
        entry = await self._bucket.get(name)
        return None if entry is None else StoredUser(codec.decode_model(User, entry.value), entry.revision)

    async def all(self) -> list[StoredUser]:
        """By name."""
        found, _ = await self._read()
        return sorted(found, key=lambda one: one.user.name)

    async def create(self, user: User) -> StoredUser:
        return StoredUser(user, await self._bucket.create(user.name, codec.encode_model(user)))

    async def replace(self, user: User, revision: int) -> StoredUser:
        return StoredUser(user, await self._bucket.update(user.name, codec.encode_model(user), revision))

    async def change(self, user: User, revision: int) -> StoredUser:
        """As `replace`, for who may be an administrator then no more. Raises Problem where no other one is left."""
        return StoredUser(user, await self._leave_one(user.name, revision, codec.encode_model(user)))

    async def delete(self, name: str, revision: int) -> None:
        """Raises Problem where no administrator who may sign in is left."""
        await self._leave_one(name, revision, b"", _DELETION)

    async def _leave_one(self, name: str, revision: int, value: bytes, headers: Headers = NO_HEADERS) -> int:
        """Write while nobody else does: two administrators may be about to take the role from each other."""
        refusal = StreamError("others write all the time")
        for _ in range(_TRIES):
            stored, last = await self._read()
            if not any(one.user.name != name and one.user.role is Role.ADMIN and one.user.enabled for one in stored):
                raise Problem("conflict", "last_administrator")
            if not any((one.user.name, one.revision) == (name, revision) for one in stored):
                break
            try:
                expected = {**headers, "Nats-Expected-Last-Sequence": str(last)}
                return await self._transport.append(subjects.kv(BUCKET, name), value, expected)
            except StreamError as error:
                if error.code not in _OTHERS_WROTE:
                    raise
                refusal = error
        raise RevisionMismatch(name, revision, refusal)

    async def _read(self) -> tuple[list[StoredUser], int]:
        """All, and the revision of the bucket with which they were so."""
        found, last = list[StoredUser](), 0
        async with self._bucket.watch() as entries:
            async for entry in entries:
                if entry is None:
                    break
                last = max(last, entry.revision)
                if not entry.deleted:
                    found.append(StoredUser(codec.decode_model(User, entry.value), entry.revision))
        return found, last
