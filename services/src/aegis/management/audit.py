"""The audit trail: stream AUDIT, append-only. Who did what, when, from where, on what, and with which result.

What cannot be stored at once is kept and stored later; while too much of it waits, nothing may be done: Problem
`unavailable`. Refusals are bounded by caller, so that nobody can push out the rest.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import secrets
import socket
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple

import structlog
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from aegis.management.access.roles import Role
from aegis.management.problems import Problem, problem_of
from aegis.management.stored import first_since
from aegis_sdk import codec, subjects
from aegis_sdk.errors import AegisError, InvalidRequest
from aegis_sdk.instances import masked
from aegis_sdk.messages import MESSAGE_ID, StoredMessage
from aegis_sdk.transport import StreamConfig, Transport

__all__ = ["NOBODY", "STREAM", "AuditEntry", "AuditPage", "Caller", "Filter", "Trail", "of_this_machine"]

_log = structlog.get_logger("aegis.audit")

STREAM: Final = "AUDIT"
NOBODY: Final = "_"
"""Who is not signed in, as a token of a subject."""
_MOST_BYTES: Final = 1 << 30
_MOST_WAITING: Final = 1_000
_AGAIN_S: Final = 1.0
_STORED_S: Final = 5.0
_CLOCKS: Final = timedelta(minutes=1)
"""So far ours may be ahead of that of NATS."""
_LATE: Final = timedelta(hours=1)
"""So late an entry may be stored, and be found by its time."""
_WINDOW: Final = 1_000
_MOST_READ: Final = 20_000
_REFUSALS_A_MINUTE: Final = 120

Result = Literal["done", "refused", "failed", "unknown"]


class Caller(NamedTuple):
    """Who asks, and from where. `way` is session or token with its short name, empty for who is not signed in."""

    name: str
    role: Role | None
    way: str
    address: str


def of_this_machine(way: str) -> Caller:
    """Who acts without having signed in, because the machine lets him: its user, and where."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # of a container, which has none of that number
        user = str(os.getuid())
    return Caller(NOBODY, None, way, f"{user}@{socket.gethostname()}")


class AuditEntry(BaseModel):
    """One action, or one refusal. `sequence` is its place in the stream; `code` says why it was not done."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sequence": 41,
                    "at": "2026-11-28T09:30:00.120Z",
                    "who": "anna",
                    "role": "operator",
                    "way": "session 3fd2a0c14b7e9a10",
                    "address": "127.0.0.1",
                    "action": "hand_over",
                    "on": "trading/paper",
                    "result": "done",
                    "code": "",
                    "details": {"to": "trading-2"},
                    "instance": "management-1",
                }
            ]
        }
    )

    sequence: int = 0
    at: datetime
    who: str
    role: Role | None = None
    way: str = ""
    address: str
    action: str
    on: str = ""
    result: Result
    code: str = ""
    details: dict[str, JsonValue] = {}
    instance: str


class AuditPage(BaseModel):
    """Entries, the latest first. `next` is the `before` of the following page, None on the last."""

    entries: list[AuditEntry]
    next: int | None = Field(default=None, examples=[41])


class Filter(BaseModel):
    """Which entries; what is empty stands for any."""

    who: Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,32}$")] = ""
    action: Annotated[str, Field(pattern=r"^[a-z_]{0,64}$")] = ""
    on: Annotated[str, Field(max_length=256)] = ""  # its beginning
    result: Result | None = None
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, entry: AuditEntry) -> bool:
        return (
            entry.on.startswith(self.on)
            and self.result in (None, entry.result)
            and (self.since is None or entry.at >= _aware(self.since))
            and (self.until is None or entry.at < _aware(self.until))
        )


class Trail:
    """Writes and reads. `run` stores what could not be stored at once."""

    def __init__(self, transport: Transport, instance: str, *, replicas: int = 1) -> None:
        self._transport = transport
        self._instance = instance
        self._replicas = replicas
        self._waiting: deque[tuple[str, bytes, str]] = deque()
        self._news = asyncio.Event()
        self._minute = 0
        self._refusals: Counter[str] = Counter()  # of this minute, by who
        self.suppressed = 0
        """Refusals that were only counted."""

    async def ensure(self) -> None:
        await self._transport.ensure_stream(
            StreamConfig(
                name=STREAM,
                subjects=[subjects.audit(subjects.ANY, subjects.ANY)],
                replicas=self._replicas,
                max_bytes=_MOST_BYTES,
                deny_delete=True,
                deny_purge=True,
            )
        )

    # Writing

    @asynccontextmanager
    async def action(
        self, caller: Caller, action: str, on: str = "", details: Mapping[str, Any] | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """What is done inside is an action: it is written down when it ends, with what was added to the yielded."""
        if len(self._waiting) >= _MOST_WAITING:
            raise Problem("unavailable", "audit_away")
        said: dict[str, Any] = dict(details or {})
        try:
            yield said
        except (Problem, AegisError) as error:
            problem = error if isinstance(error, Problem) else problem_of(error)
            result = _result(problem)
            if result == "refused":
                await self.refused(caller, action, on, problem.code, said)
            else:
                await self.record(caller, action, on, result, problem.code, said)
            raise
        except BaseException as error:
            await self.record(caller, action, on, "unknown", type(error).__name__, said)
            raise
        await self.record(caller, action, on, "done", "", said)

    async def refused(
        self, caller: Caller, action: str, on: str, code: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """A refusal; of each caller's, and of all strangers' together, 120 a minute are written, the rest counted."""
        if not self._has_room(NOBODY if caller.role is None else caller.name):
            self.suppressed += 1
            return
        await self.record(caller, action, on, "refused", code, details or {})

    async def record(
        self, caller: Caller, action: str, on: str, result: Result, code: str, details: Mapping[str, Any]
    ) -> None:
        """Write one entry down. Raises nothing: what cannot be stored now waits."""
        entry = AuditEntry(
            at=datetime.now(UTC),
            who=caller.name,
            role=caller.role,
            way=caller.way,
            address=caller.address,
            action=action,
            on=on[:256],
            result=result,
            code=code,
            details=masked(dict(details)),
            instance=self._instance,
        )
        _log.info("audit", **entry.model_dump(mode="json", exclude={"sequence"}))
        subject = subjects.audit(caller.name or NOBODY, action)
        self._waiting.append((subject, codec.encode_model(entry), secrets.token_hex(12)))
        if len(self._waiting) > 1 or not await self._store_first():
            self._news.set()

    def _has_room(self, who: str) -> bool:
        minute = int(asyncio.get_running_loop().time() // 60)
        if minute != self._minute:
            self._minute = minute
            self._refusals.clear()
        self._refusals[who] += 1
        return self._refusals[who] <= _REFUSALS_A_MINUTE

    async def run(self) -> None:
        """Store in order what waits, again and again."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self._store_all()

    async def stored(self) -> bool:
        """Whether all is stored, after five seconds at most; for who ends then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_STORED_S):
                await self._store_all()
        return not self._waiting

    async def _store_all(self) -> None:
        while self._waiting:
            if not await self._store_first():
                await asyncio.sleep(_AGAIN_S)

    async def _store_first(self) -> bool:
        first = self._waiting[0]
        subject, payload, name = first
        try:
            await self._transport.append(subject, payload, {MESSAGE_ID: name})
        except (AegisError, TimeoutError) as error:
            _log.error("audit_not_stored", subject=subject, waiting=len(self._waiting), reason=str(error))
            return False
        if self._waiting and self._waiting[0] is first:
            self._waiting.popleft()
        return True

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    # Reading

    async def page(self, wanted: Filter, before: int, limit: int) -> AuditPage:
        """Up to `limit` entries before a sequence, the latest first; 0: the latest of all.

        Looks at 20,000 sequences at most: a page may be short, and yet have a next one.
        """
        pattern = subjects.audit(wanted.who or subjects.ANY, wanted.action or subjects.ANY)
        first, end = await self._between(pattern, wanted)
        end = min(before or end, end)
        found: list[AuditEntry] = []
        looked = 0
        while end > first and looked < _MOST_READ:
            begin = max(first, end - _WINDOW)
            window = await asyncio.to_thread(_entries, await self._read(pattern, begin, end), wanted)
            room = limit - len(found)
            found += reversed(window[-room:])
            if len(window) >= room:
                return AuditPage(entries=found, next=found[-1].sequence if found[-1].sequence > first else None)
            looked, end = looked + end - begin, begin
        return AuditPage(entries=found, next=end if end > first else None)

    async def _between(self, pattern: str, wanted: Filter) -> tuple[int, int]:
        """Where in the stream what is wanted may be: from a sequence to before one. No entry is stored before it is."""
        first, end = 1, await self._transport.last_sequence(STREAM) + 1
        if wanted.since is not None:
            found = await first_since(self._transport, STREAM, pattern, _aware(wanted.since) - _CLOCKS)
            first = end if found is None else found.sequence
        if wanted.until is not None:
            found = await first_since(self._transport, STREAM, pattern, _aware(wanted.until) + _LATE)
            end = end if found is None else found.sequence
        return first, end

    async def _read(self, pattern: str, begin: int, end: int) -> list[StoredMessage]:
        """Those of [begin, end), in order."""
        found: list[StoredMessage] = []
        async with self._transport.read(STREAM, pattern, after=begin - 1) as messages:
            async for message in messages:
                if message is None or message.sequence >= end:
                    break
                found.append(message)
                if message.sequence == end - 1:
                    break
        return found


def _entries(messages: list[StoredMessage], wanted: Filter) -> list[AuditEntry]:
    """Those that fit, in order."""
    found: list[AuditEntry] = []
    for message in messages:
        try:
            entry = codec.decode_model(AuditEntry, message.payload)
        except InvalidRequest:
            _log.error("audit_unreadable", sequence=message.sequence)
            continue
        if wanted.fits(entry):
            found.append(entry.model_copy(update={"sequence": message.sequence}))
    return found


def _result(problem: Problem) -> Result:
    status = problem.body.status
    return "unknown" if problem.code == "outcome_unknown" else "failed" if status >= 500 else "refused"


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
