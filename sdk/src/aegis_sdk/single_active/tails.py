"""What an instance reads of the ledger: who holds each key, and each key's journal, folded as it comes.

Every instance follows the journals of all keys of its service, so that one it takes over is known already. What is
still missing then the tail brings within milliseconds, of many keys at once. But one node of the cluster serves it: if
that has died, the tail is deaf for seconds, and longer while nobody can give it another one. Then each key that is
waited for is read at the leader of its shard, which has just taken our claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Final, TypeVar

import structlog

from aegis_sdk import clock
from aegis_sdk.election_events import LeaseRead
from aegis_sdk.errors import AegisError, ConnectionUnavailable
from aegis_sdk.ledger.journal import Contradiction, Journal
from aegis_sdk.ledger.ledger import JournalRead, Ledger
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["Tails"]

_log = structlog.get_logger("aegis.active")

Read = TypeVar("Read", LeaseRead, JournalRead)

_AGAIN_S: Final = 0.2
_LOOK_S: Final = 0.025
"""Journals are looked at so often, and at once when one is needed: to follow each write would cost as much as it."""
_IDLE_LOOK_S: Final = 0.25
"""So seldom at last, where nothing is written."""
_LOOK_AGAIN_S: Final = 0.002
_DEAF_S: Final = 0.05
"""A tail that brings nothing for so long, though somebody waits for what is there, is not waited for."""
_ASKED_AT_A_TIME: Final = 16
"""Keys that are read at the leader."""


class Tails:
    """Readers of all shards. `run` them; `on_lease` is given each lease, `on_contradiction` a key not to be touched."""

    def __init__(
        self,
        transport: Transport,
        ledger: Ledger,
        on_lease: Callable[[LeaseRead], None],
        on_contradiction: Callable[[str, Contradiction], None],
    ) -> None:
        self._transport = transport
        self._ledger = ledger
        self._on_lease = on_lease
        self._on_contradiction = on_contradiction
        self._journals: dict[str, Journal] = {}
        self._contradictions: dict[str, Contradiction] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._looks: dict[int, asyncio.Event] = {}  # by shard; set when somebody waits for a journal
        self._look_s = dict.fromkeys(range(ledger.shards), _LOOK_S)  # until the next look
        self._told_at = dict.fromkeys(range(ledger.shards), 0.0)  # when the tail has brought something
        self._asking = asyncio.Semaphore(_ASKED_AT_A_TIME)
        self._read: dict[tuple[str, int], asyncio.Event] = {
            (what, shard): asyncio.Event() for what in ("leases", "journals") for shard in range(ledger.shards)
        }

    async def run(self) -> None:
        """Read until cancelled, or the connection is closed."""
        async with asyncio.TaskGroup() as group:
            for shard in range(self._ledger.shards):
                leases, journals = self._read["leases", shard], self._read["journals", shard]
                group.create_task(self._follow(lambda s=shard: self._ledger.leases(s), self._on_lease, leases))
                self._looks[shard] = asyncio.Event()
                pause = partial(self._pause, shard)
                group.create_task(
                    self._follow(lambda s=shard, p=pause: self._ledger.journals(s, pause=p), self._told, journals)
                )

    async def caught_up(self) -> None:
        """Return when all that there was at the start has been read."""
        for read in self._read.values():
            await read.wait()

    async def journal(self, key: str, epoch: int) -> Journal:
        """The journal of a key as it was when `epoch` began: the caller's own, to be continued.

        Waits for the begin of that epoch. Raises Contradiction, also where the journal is of a later epoch.
        """
        while True:
            if key in self._contradictions:
                raise self._contradictions[key]
            journal = self._journals.get(key)
            if journal is not None and journal.epoch >= epoch:
                break
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(key, []).append(waiting)
            shard = self._ledger.shard(key)
            self._looks[shard].set()
            await asyncio.wait([waiting], timeout=_DEAF_S)
            if not waiting.done() and clock.now() - self._told_at[shard] > _DEAF_S:
                await self._ask(key)
        if journal.epoch > epoch:
            raise Contradiction(f"epoch {journal.epoch} of {key} began behind epoch {epoch}")
        return journal.fork()

    async def _ask(self, key: str) -> None:
        """Read what is missing at the leader; the tail may bring it, too."""
        journal = self._journals.get(key)
        try:
            async with self._asking:
                async for read in self._ledger.entries(key, journal.sequence if journal else 0):
                    self._fold(read)
        except AegisError as error:
            _log.warning("journal_not_read", key=key, reason=str(error))

    def _told(self, read: JournalRead) -> None:
        shard = self._ledger.shard(read.key)
        self._look_s[shard], self._told_at[shard] = _LOOK_S, clock.now()
        self._fold(read)

    def _fold(self, read: JournalRead) -> None:
        if read.key in self._contradictions:
            return
        journal = self._journals.setdefault(read.key, Journal())
        try:
            journal.take(read.entry, read.sequence)
        except Contradiction as problem:
            self._contradictions[read.key] = problem
            self._on_contradiction(read.key, problem)
        for waiting in self._waiting.pop(read.key, ()):
            if not waiting.done():
                waiting.set_result(None)

    async def _pause(self, shard: int) -> None:
        """Between two looks at the journals of a shard, longer from one to the next until something was written."""
        look, pause_s = self._looks[shard], self._look_s[shard]
        self._look_s[shard] = min(2 * pause_s, _IDLE_LOOK_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN_S if self._waiting else pause_s):
                await look.wait()
        look.clear()

    async def _follow(
        self,
        begin: Callable[[], AbstractAsyncContextManager[AsyncIterator[Read | None]]],
        take: Callable[[Read], None],
        caught_up: asyncio.Event,
    ) -> None:
        """Read one tail, and read it again after an error: an instance that does not see the ledger is no standby."""
        while self._transport.state is not ConnectionState.CLOSED:
            try:
                async with begin() as reads:
                    async for read in reads:
                        if read is None:
                            caught_up.set()
                        else:
                            take(read)
            except AegisError as error:
                _log.warning("tail_broken", reason=str(error))
            with suppress(ConnectionUnavailable):
                await self._transport.wait_connected(_AGAIN_S)
            await asyncio.sleep(_AGAIN_S)
