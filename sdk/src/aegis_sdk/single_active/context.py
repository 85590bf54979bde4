"""What a handler of the active instance knows of its request, and how it commits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from pydantic import BaseModel

from aegis_sdk import clock, codec
from aegis_sdk.errors import InternalError, Moved, Suspended
from aegis_sdk.ledger.records import Intent, Result, Verdict
from aegis_sdk.messages import Headers
from aegis_sdk.single_active.holding import Holding
from aegis_sdk.single_active.key_lock import KeyLock

__all__ = ["ActiveContext", "Held"]

Reply = TypeVar("Reply", bound=BaseModel)
Change = BaseModel | bytes | None


@dataclass(frozen=True)
class Held:
    """A key that this instance holds, for work that is no request's: reports of a venue, timers."""

    key: str
    epoch: int
    _holding: Holding
    _enter: Callable[[], None]  # passes the gate

    @property
    def lock(self) -> KeyLock:
        """For whoever decides by the key's state and then commits: `async with`. Raises Suspended."""
        return self._holding.lock

    @property
    def is_trusted(self) -> bool:
        """Whether nothing happened since the last proof by which this instance may have lost the key unnoticed.

        For what goes on all the time, and shall go on while the ledger is away, such as a feed: its receivers tell
        epochs apart. It passes the gate, and asks for no proof; what must not be done twice needs `prove`.
        """
        self._enter()
        return self._holding.may_go_on

    async def trusted(self) -> None:
        """Return when it is trusted again. Raises Moved or Suspended."""
        await self._holding.proven(self._holding.patience_ends, fresh=False)

    async def commit(self, change: Change) -> int:
        """Commit a change of state; its journal sequence.

        Raises Moved or Suspended where it is not stored, OutcomeUnknown where it is stored as soon as that is possible.
        """
        return await self._holding.written(Result("", Verdict.OK, raw(change)), self._holding.patience_ends, keep=True)

    async def prove(self) -> None:
        """Return when there is a fresh proof that this instance holds the key; needed before each act outside.

        Raises Moved or Suspended.
        """
        await self._holding.proven(self._holding.patience_ends)


@dataclass(slots=True)
class ActiveContext:
    """One request to the active instance. Times are of `aegis_sdk.clock`."""

    key: str
    epoch: int
    idempotency_key: str
    method: str
    headers: Headers
    deadline: float
    _holding: Holding
    _intending: bool = field(default=False, init=False)
    _intended: bool = field(default=False, init=False)
    _committed: bool = field(default=False, init=False)
    _may_be_stored: bool = field(default=False, init=False)

    @property
    def time_left(self) -> float:
        """Seconds until nobody waits for the answer any more; not above zero when it is too late."""
        return self.deadline - clock.now()

    @property
    def lock(self) -> KeyLock:
        """For a handler that decides by the key's state and then commits: `async with`. Raises Suspended."""
        return self._holding.lock

    async def intend(self, data: Change = None) -> None:
        """Commit that something outside is about to be done for this call; it may be begun when this returns.

        Once in a call. Raises Moved or Suspended: then do nothing. Whatever is stored of it is marked as not executed,
        so nothing can be committed for this call any more.
        """
        if self._intending or self._committed:
            raise InternalError("a call intends once, before it commits")
        self._intending = True
        await self._holding.intended(Intent(self.idempotency_key, self.method, raw(data)), self.deadline)
        self._intended = True

    async def prove(self) -> None:
        """Return when there is a fresh proof of the epoch; needed before each further act outside after `intend`."""
        await self._holding.proven(self.deadline)

    async def commit(self, change: Change, reply: Reply) -> Reply:
        """Commit the change and the reply of this call, once; returns the reply.

        Raises Moved or Suspended where nothing is stored, InternalError where it is too large, OutcomeUnknown where it
        may be stored.
        """
        if self._committed:
            raise InternalError("a call commits once")
        if self.has_intended_in_vain:
            raise InternalError("its intent is not stored for certain: a call that could not intend commits nothing")
        self._committed = True
        body = msgspec.Raw(codec.encode_model(reply) or b"null")
        result = Result(self.idempotency_key, Verdict.OK, raw(change), body)
        self._may_be_stored = True
        try:
            await self._holding.written(result, self.deadline, keep=self._intended)
        except (Moved, Suspended, InternalError):
            self._may_be_stored = False
            raise
        return reply

    @property
    def has_acted(self) -> bool:
        """Whether something may have been done for it that a repeated call would do twice."""
        return self._intended or self._may_be_stored

    @property
    def has_tried_to_commit(self) -> bool:
        return self._committed

    @property
    def has_intended_in_vain(self) -> bool:
        """Whether its intent could not be stored, or not in time: it will be marked as not executed."""
        return self._intending and not self._intended

    @property
    def is_open(self) -> bool:
        """Whether it has intended and not committed."""
        return self._intended and not self._committed


def raw(change: Change) -> msgspec.Raw:
    """A change as JSON. Raises InternalError for bytes that are none: no journal could be read with them."""
    if change is None:
        return msgspec.Raw(b"null")
    if not isinstance(change, bytes):
        return msgspec.Raw(codec.encode_model(change))
    try:
        return msgspec.json.decode(change, type=msgspec.Raw)
    except msgspec.MsgspecError as error:
        raise InternalError(f"a change in bytes is JSON; this is none: {error}") from error
