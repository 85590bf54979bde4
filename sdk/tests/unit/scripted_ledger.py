"""A ledger that answers when the test says so, and a holding that writes to it."""

from __future__ import annotations

import asyncio
from asyncio import Future
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from aegis_sdk import clock
from aegis_sdk.errors import DeadlineExceeded, StreamError
from aegis_sdk.gate import Gate
from aegis_sdk.ledger.journal import Contradiction, Journal
from aegis_sdk.ledger.records import Begin, Entry, Intent, Result, Verdict, decode_entry
from aegis_sdk.ledger.snapshot import Committed
from aegis_sdk.single_active.holding import Holding
from aegis_sdk.single_active.trace import Trace, Wrote
from aegis_sdk.timers import AGGRESSIVE

DEADLINE_S = 5.0
EPOCH = 7
TIMERS = replace(AGGRESSIVE, write_s=0.04, outcome_s=0.06)
"""A caller hears within 60 ms that nobody knows."""


class Clock:
    """The real one, which the test can put forward."""

    def __init__(self) -> None:
        self._real = clock.now
        self._ahead_s = 0.0

    def now(self) -> float:
        return self._real() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds


@dataclass(eq=False)
class Sent:
    """A write that the holding has sent. `entry` is None for a proof."""

    payload: bytes
    entry: Entry | None
    answer: Future[int]

    @property
    def n(self) -> int:
        assert self.entry is not None
        return self.entry.n

    @property
    def names(self) -> list[str]:
        """The idempotency keys of its records."""
        assert self.entry is not None
        return [record.idempotency_key for record in self.entry.records if isinstance(record, Intent | Result)]

    def acknowledge(self, sequence: int) -> None:
        self.answer.set_result(sequence)

    def lose(self) -> None:
        self.answer.set_exception(DeadlineExceeded("no answer"))

    def refuse(self, code: int) -> None:
        self.answer.set_exception(StreamError("refused", code))


class ScriptedLedger:
    """Of `sent`, the test answers each."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self._arrived = asyncio.Event()

    def commit(self, entry: bytes, timeout: float) -> Future[int]:
        return self._take(entry, decode_entry(entry))

    def prove(self, timeout: float) -> Future[int]:
        return self._take(b"", None)

    def _take(self, payload: bytes, entry: Entry | None) -> Future[int]:
        self.sent.append(Sent(payload, entry, asyncio.get_running_loop().create_future()))
        self._arrived.set()
        return self.sent[-1].answer

    async def at(self, position: int) -> Sent:
        """The write at that position, as soon as it is sent."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.sent) <= position:
                self._arrived.clear()
                await self._arrived.wait()
        return self.sent[position]

    @property
    def unanswered(self) -> int:
        return sum(not sent.answer.done() for sent in self.sent)


@dataclass
class Owner:
    """What a holding tells, kept."""

    told: list[str] = field(default_factory=list[str])
    changes: list[Committed] = field(default_factory=list[Committed])
    compacted: list[int] = field(default_factory=list[int])
    write_times: list[float] = field(default_factory=list[float])
    snapshot_every: int = 1_000_000
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def heard(self, what: str) -> None:
        """Return when that was told."""
        async with asyncio.timeout(DEADLINE_S):
            while what not in self.told:
                self._news.clear()
                await self._news.wait()

    def _hear(self, what: str) -> None:
        self.told.append(what)
        self._news.set()

    def wrote(self, seconds: float) -> None:
        self.write_times.append(seconds)

    def suspended(self, holding: Holding) -> None:
        self._hear("suspended")

    def proved(self, holding: Holding) -> None:
        self._hear("proved")

    def ended(self, holding: Holding) -> None:
        self._hear("ended")

    def contradicted(self, holding: Holding, problem: Contradiction) -> None:
        self._hear("contradicted")

    def committed(self, holding: Holding, change: Committed) -> None:
        self.changes.append(change)

    def snapshot_due(self, holding: Holding) -> bytes | None:
        due = len(holding.journal.changes) >= self.snapshot_every
        return b",".join(change.data for change in self.changes) if due else None

    def snapshot_stored(self, holding: Holding, sequence: int) -> None:
        self.compacted.append(sequence)


class Scene:
    """One holding, and all around it."""

    def __init__(self, fake: Clock) -> None:
        self.clock = fake
        self.ledger = ScriptedLedger()
        self.owner = Owner()
        self.gate = Gate(TIMERS.gate_s, fake.now())
        self.traces: list[Trace] = []
        self.tasks: list[asyncio.Task[Any]] = []
        ledger: Any = self.ledger
        self.holding = Holding(
            key="k",
            epoch=EPOCH,
            ledger=ledger,
            gate=self.gate,
            timers=TIMERS,
            owner=self.owner,
            observer=self.traces.append,
        )
        journal = Journal()
        journal.take(Entry(0, 0, (Begin("a", "i", "t"),)), EPOCH + 1)
        self.holding.begin(journal)
        self.holding.open()

    @property
    def soon(self) -> float:
        """A deadline that leaves enough time."""
        return self.clock.now() + DEADLINE_S

    def write(self, name: str, *, keep: bool = False, change: str = "1") -> asyncio.Task[int]:
        return self._do(self.holding.written(result(name, change), self.soon, keep=keep))

    def intend(self, name: str) -> asyncio.Task[None]:
        return self._do(self.holding.intended(Intent(name, "order"), self.soon))

    def prove(self) -> asyncio.Task[None]:
        return self._do(self.holding.proven(self.soon))

    def trust(self) -> asyncio.Task[None]:
        return self._do(self.holding.proven(self.soon, fresh=False))

    def _do(self, work: Any) -> asyncio.Task[Any]:
        self.tasks.append(asyncio.ensure_future(work))
        return self.tasks[-1]

    async def close(self) -> None:
        self.holding.end()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def written(self) -> list[tuple[str, int, int]]:
        return [(each.what, each.n, each.sequence) for each in self.traces if isinstance(each, Wrote)]


def result(name: str, change: str = "1") -> Result:
    return Result(name, Verdict.OK, msgspec.Raw(change.encode()))


async def settled(*tasks: asyncio.Task[Any]) -> list[Any]:
    async with asyncio.timeout(DEADLINE_S):
        return await asyncio.gather(*tasks, return_exceptions=True)
