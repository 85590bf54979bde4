"""Calls of one key at a steady pace, whatever becomes of them; and what must not have become of them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, pairwise
from typing import Final, NamedTuple

from aegis.cli.bench.tally import Add, Total
from aegis_sdk.client import Client
from aegis_sdk.errors import RpcError
from aegis_sdk.ledger.records import Entry, Result
from aegis_sdk.method import Method

PERIOD_S: Final = 0.01
_TIMEOUT_S: Final = 10.0


class Answered(NamedTuple):
    """A call that was answered for good. Times are of `time.perf_counter`."""

    key: str
    began_at: float
    at: float
    epoch: int
    idempotency_key: str


class Calls:
    """What became of calls so far."""

    def __init__(self) -> None:
        self.answered: list[Answered] = []
        self.failed = 0
        self._news = asyncio.Event()

    async def make(self, client: Client, method: Method[Add, Total], key: str, request: Add) -> bool:
        """One call that adds; whether it was answered. Its error is counted."""
        began_at = time.perf_counter()
        try:
            answer = await client.call_active(method, key, request, timeout=_TIMEOUT_S)
        except RpcError:
            self.failed += 1
            return False
        at = time.perf_counter()
        self.answered.append(Answered(key, began_at, at, answer.epoch, answer.idempotency_key))
        news, self._news = self._news, asyncio.Event()
        news.set()
        return True

    async def answered_by_later(self, epoch: int) -> float:
        """When the first answer of a later epoch came. Raises TimeoutError where none comes."""
        async with asyncio.timeout(_TIMEOUT_S):
            while True:
                later = [answer.at for answer in self.answered if answer.epoch > epoch]
                if later:
                    return min(later)
                await self._news.wait()

    @property
    def longest_gap_s(self) -> float:
        """The longest time between two answers, beyond the pace of the calls."""
        times = sorted(answer.at for answer in self.answered)
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0) - PERIOD_S


@asynccontextmanager
async def paced_calls(clients: Sequence[Client], method: Method[Add, Total], key: str) -> AsyncGenerator[Calls]:
    """Call every 10 ms, the clients in turn, until this is left; all calls have ended then."""
    calls = Calls()

    async def begin_all(group: asyncio.TaskGroup) -> None:
        due = time.perf_counter()
        for client in cycle(clients):
            group.create_task(calls.make(client, method, key, Add(amount=1)))
            due += PERIOD_S
            await asyncio.sleep(due - time.perf_counter())

    async with asyncio.TaskGroup() as group:
        pace = group.create_task(begin_all(group))
        try:
            yield calls
        finally:
            pace.cancel()


def stale_answers(answered: Iterable[Answered]) -> int:
    """Answers of an epoch, to calls which began when there had been an answer of a later one for their key."""
    calls = list(answered)
    ended = deque(sorted(calls, key=lambda call: call.at))
    latest: dict[str, int] = {}
    stale = 0
    for call in sorted(calls, key=lambda call: call.began_at):
        while ended[0].at < call.began_at:
            earlier = ended.popleft()
            latest[earlier.key] = max(latest.get(earlier.key, 0), earlier.epoch)
        stale += call.epoch < latest.get(call.key, 0)
    return stale


class JournalCheck:
    """Reads what is stored of all keys, each in order: what should not be there, and what should."""

    def __init__(self) -> None:
        self.stale = 0  # entries of an epoch behind the begin of a later one
        self._begun: dict[str, int] = {}
        self._results: set[str] = set()

    def take(self, key: str, entry: Entry, sequence: int) -> None:
        begun = self._begun.get(key, 0)
        if entry.epoch == 0:
            self._begun[key] = max(begun, sequence - 1)
        else:
            self.stale += entry.epoch < begun
        self._results.update(record.idempotency_key for record in entry.records if isinstance(record, Result))

    def lost(self, answered: Iterable[Answered]) -> int:
        """Calls that were answered, and whose result is not stored."""
        return sum(call.idempotency_key not in self._results for call in answered)
