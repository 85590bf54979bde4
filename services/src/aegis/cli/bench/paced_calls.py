"""Calls at a steady pace, whatever becomes of them; and what must not have become of them."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, pairwise
from typing import Final, NamedTuple

from aegis.cli.bench.tally import Add, Total
from aegis_sdk.client import Client
from aegis_sdk.errors import RpcError
from aegis_sdk.ledger.records import Entry, Result
from aegis_sdk.method import Method

PERIOD_S: Final = 0.01
ANSWERED_S: Final = 60.0
_TIMEOUT_S: Final = 10.0
_CALLERS: Final = 64


class Answered(NamedTuple):
    """A call that was answered for good. Times are of `time.perf_counter`."""

    key: str
    began_at: float
    at: float
    epoch: int
    idempotency_key: str


class Failed(NamedTuple):
    """A call that ended with an error."""

    key: str
    began_at: float
    at: float
    error: RpcError


class Calls:
    """What became of calls so far."""

    def __init__(self) -> None:
        self.answered: list[Answered] = []
        self.failed: list[Failed] = []
        self._news = asyncio.Event()

    async def make(self, client: Client, method: Method[Add, Total], key: str, request: Add) -> bool:
        """One call that adds; whether it was answered."""
        began_at = time.perf_counter()
        try:
            answer = await client.call_active(method, key, request, timeout=_TIMEOUT_S)
        except RpcError as error:
            self.failed.append(Failed(key, began_at, time.perf_counter(), error))
            return False
        at = time.perf_counter()
        self.take(Answered(key, began_at, at, answer.epoch, answer.idempotency_key))
        return True

    def take(self, answer: Answered) -> None:
        """Note an answer, and tell who waits for one."""
        self.answered.append(answer)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def answered_by_later(self, epoch: int) -> float:
        """When the first answer of a later epoch came. Raises TimeoutError where none comes."""
        async with asyncio.timeout(_TIMEOUT_S):
            while True:
                later = [answer.at for answer in self.answered if answer.epoch > epoch]
                if later:
                    return min(later)
                await self._news.wait()

    async def each_answered(self, keys: Iterable[str], since: float) -> float:
        """When the last of the keys had answered a call that began after `since`. Raises TimeoutError."""
        missing, seen, last = set(keys), 0, since
        async with asyncio.timeout(ANSWERED_S):
            while missing:
                for answer in self.answered[seen:]:
                    if answer.began_at >= since and answer.key in missing:
                        missing.remove(answer.key)
                        last = max(last, answer.at)
                seen = len(self.answered)
                if missing:
                    await self._news.wait()
        return last

    def seconds(self, began: float, ended: float) -> list[float]:
        """How long each call took that was under way at some time between the two."""
        calls = (*self.answered, *self.failed)
        return [call.at - call.began_at for call in calls if call.began_at < ended and call.at > began]

    def latest_epoch(self, key: str) -> int:
        """In which the call of a key was answered that began last; 0 where none was."""
        answers = [(answer.began_at, answer.epoch) for answer in self.answered if answer.key == key]
        return max(answers, default=(0.0, 0))[1]

    def longest_gap_s(self, began: float, ended: float) -> float:
        """The longest time between two answers that overlaps with what lies between these two, beyond the pace."""
        times = sorted(answer.at for answer in self.answered)
        gaps = (later - earlier for earlier, later in pairwise(times) if later > began and earlier < ended)
        return max(0.0, max(gaps, default=0.0) - PERIOD_S)


@asynccontextmanager
async def paced_calls(
    clients: Sequence[Client], method: Method[Add, Total], keys: Sequence[str]
) -> AsyncGenerator[Calls]:
    """Call every 10 ms, clients and keys in turn, until this is left; all calls have ended then."""
    calls = Calls()

    async def begin_all(group: asyncio.TaskGroup) -> None:
        due = time.perf_counter()
        for client, key in zip(cycle(clients), cycle(keys), strict=True):
            group.create_task(calls.make(client, method, key, Add(amount=1)))
            due += PERIOD_S
            await asyncio.sleep(due - time.perf_counter())

    async with asyncio.TaskGroup() as group:
        pace = group.create_task(begin_all(group))
        try:
            yield calls
        finally:
            pace.cancel()


async def call_each(client: Client, method: Method[Add, Total], keys: Iterable[str], request: Add) -> Calls:
    """Call each key until it answers, 64 at a time. Raises TimeoutError where one does not within a minute."""
    calls, callers = Calls(), asyncio.Semaphore(_CALLERS)

    async def call(key: str) -> None:
        async with callers:
            while not await calls.make(client, method, key, request):
                pass

    async with asyncio.timeout(ANSWERED_S), asyncio.TaskGroup() as group:
        for key in keys:
            group.create_task(call(key))
    return calls


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
        self._begun: defaultdict[str, list[int]] = defaultdict(list)  # epochs, by key
        self._results: set[str] = set()

    def take(self, key: str, entry: Entry, sequence: int) -> None:
        if entry.epoch == 0:
            self._begun[key].append(sequence - 1)
        else:
            self.stale += entry.epoch < max(self._begun[key], default=0)
        self._results.update(record.idempotency_key for record in entry.records if isinstance(record, Result))

    def switches(self, epochs: Mapping[str, int]) -> int:
        """Epochs of the keys of `epochs` that began after those."""
        return sum(epoch > since for key, since in epochs.items() for epoch in self._begun[key])

    def lost(self, answered: Iterable[Answered]) -> int:
        """Calls that were answered, and whose result is not stored."""
        return sum(call.idempotency_key not in self._results for call in answered)
