"""Sessions of people, in the KV bucket `aegis_sessions`, keyed by the SHA-256 of their token, which nobody keeps.

A session ends by a sign-out, a change of its user, when nothing was asked for a while, and for certain after hours.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from aegis.management.access.users import User
from aegis_sdk import codec
from aegis_sdk.kv import KeyValue, RevisionMismatch
from aegis_sdk.transport import Transport

__all__ = ["BUCKET", "MOST_SESSIONS", "OpenSession", "Session", "Sessions", "digest", "short"]

BUCKET: Final = "aegis_sessions"
MOST_SESSIONS: Final = 20
"""Of a user, that go on."""
_MOST_BYTES: Final = 16 << 20
_TOUCH: Final = timedelta(seconds=60)
_TOKEN_BYTES: Final = 32
_LONGEST_TOKEN: Final = 128


class Session(BaseModel):
    """Of one sign-in. `seen_at` lags up to a minute behind."""

    model_config = ConfigDict(frozen=True)

    user: str
    user_id: str
    generation: int
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str


class OpenSession(NamedTuple):
    """`key` is the hash of its token."""

    key: str
    session: Session
    revision: int


class Sessions:
    """`now` is always the caller's. All methods raise what the streams of the transport raise."""

    def __init__(self, transport: Transport, *, idle: timedelta, longest: timedelta, replicas: int = 1) -> None:
        self._bucket = KeyValue(transport, BUCKET)
        self._idle = idle
        self._longest = longest
        self._replicas = replicas

    async def ensure(self) -> None:
        await self._bucket.ensure(
            max_bytes=_MOST_BYTES, max_age_s=self._longest.total_seconds(), replicas=self._replicas
        )

    async def begin(self, user: User, now: datetime, *, address: str, agent: str) -> str:
        """A new session; its token, 256 random bits. Of a user 20 go on: the oldest ends for another one."""
        for one in (await self.of(user.name, now))[MOST_SESSIONS - 1 :]:
            await self.end(one.key)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        session = Session(
            user=user.name,
            user_id=user.id,
            generation=user.generation,
            created_at=now,
            seen_at=now,
            address=address,
            agent=agent[:200],
        )
        await self._bucket.create(digest(token), codec.encode_model(session), self._idle_s)
        return token

    async def find(self, token: str, now: datetime, *, is_seen: bool = True) -> OpenSession | None:
        """The session of a token, if it goes on; it has been seen then, or was only looked at."""
        if not 0 < len(token) <= _LONGEST_TOKEN:
            return None
        entry = await self._bucket.get(digest(token))
        if entry is None:
            return None
        session = codec.decode_model(Session, entry.value)
        if not self._goes_on(session, now):
            return None
        found = OpenSession(entry.key, session, entry.revision)
        return await self._touched(found, now) if is_seen else found

    async def _touched(self, found: OpenSession, now: datetime) -> OpenSession:
        if now - found.session.seen_at < _TOUCH:
            return found
        session = found.session.model_copy(update={"seen_at": now})
        try:  # guarded by the revision: what has been ended stays so
            value = codec.encode_model(session)
            revision = await self._bucket.update(found.key, value, found.revision, self._idle_s)
        except RevisionMismatch:
            return found
        return OpenSession(found.key, session, revision)

    async def end(self, key: str) -> None:
        await self._bucket.delete(key, ttl_s=self._idle_s)

    async def of(self, user: str, now: datetime) -> list[OpenSession]:
        """Those of a user that go on, the latest first."""
        all_of_them = [
            OpenSession(entry.key, codec.decode_model(Session, entry.value), entry.revision)
            for entry in await self._bucket.entries()
        ]
        found = [one for one in all_of_them if one.session.user == user and self._goes_on(one.session, now)]
        return sorted(found, key=lambda one: one.session.created_at, reverse=True)

    def _goes_on(self, session: Session, now: datetime) -> bool:
        return now - session.seen_at < self._idle and now - session.created_at < self._longest

    @property
    def _idle_s(self) -> int:
        """The server forgets a session a little later than we do."""
        return int(self._idle.total_seconds()) + int(_TOUCH.total_seconds())


def digest(token: str) -> str:
    """Under what a token is kept: who reads the bucket learns no token."""
    return hashlib.sha256(token.encode()).hexdigest()


def short(key: str) -> str:
    """What a session or a token is called where people see it."""
    return key[:16]
