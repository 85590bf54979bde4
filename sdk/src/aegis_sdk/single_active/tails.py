"""What an instance reads of the ledger: who holds each key, and each key's journal, folded as it comes.

Every instance follows the journals of all keys of its service, so that one it takes over is known already. What is
still missing then the tail brings within milliseconds, of many keys at once. But one node of the cluster serves it: if
that has died, the tail is deaf for seconds, and longer while nobody can give it another one. Then each key that is
waited for is read at the leader of its shard, which has just taken our claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from aegis_sdk import clock
from aegis_sdk.election_events import LeaseRead
from aegis_sdk.errors import AegisError
from aegis_sdk.ledger.following import follow
from aegis_sdk.ledger.journal import Contradiction, Journal
from aegis_sdk.ledger.ledger import JournalRead, Ledger
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["Tails"]

_log = structlog.get_logger("aegis.active")

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
        self._arrivals: dict[str, asyncio.Event] = {}  # by key that somebody waits for; set when it has news
        shards = range(ledger.shards)
        self._looks = {shard: asyncio.Event() for shard in shards}  # set when somebody waits for a journal
        self._look_s = dict.fromkeys(shards, _LOOK_S)  # until the next look
        self._told_at = dict.fromkeys(shards, 0.0)  # when the tail has brought something
        self._asking = asyncio.Semaphore(_ASKED_AT_A_TIME)
        self._read = {(what, shard): asyncio.Event() for what in ("leases", "journals") for shard in shards}

    async def run(self) -> None:
        """Read until cancelled, or the connection is closed."""
        async with asyncio.TaskGroup() as group:
            for shard in range(self._ledger.shards):
                leases = partial(self._ledger.leases, shard)
                journals = partial(self._ledger.journals, shard, pause=partial(self._pause, shard))
                group.create_task(follow(self._transport, leases, self._on_lease, self._read["leases", shard]))
                group.create_task(follow(self._transport, journals, self._told, self._read["journals", shard]))

    async def caught_up(self) -> None:
        """Return when all that there was at the start has been read."""
        for read in self._read.values():
            await read.wait()

    async def journal(self, key: str, epoch: int) -> Journal:
        """The journal of a key as it was when `epoch` began: the caller's own, to be continued.

        Waits for the begin of that epoch. Raises Contradiction, also where the journal is of a later epoch.
        """
        try:
            while (journal := self._known(key)) is None or journal.epoch < epoch:
                await self._await_news(key)
        finally:
            self._arrivals.pop(key, None)
        if journal.epoch > epoch:
            raise Contradiction(f"epoch {journal.epoch} of {key} began behind epoch {epoch}")
        return journal.fork()

    def _known(self, key: str) -> Journal | None:
        if key in self._contradictions:
            raise self._contradictions[key]
        return self._journals.get(key)

    async def _await_news(self, key: str) -> None:
        """Return when something of a key was read, or its tail seems to be deaf and its leader was asked."""
        shard, arrival = self._ledger.shard(key), self._arrivals.setdefault(key, asyncio.Event())
        self._looks[shard].set()
        try:
            async with asyncio.timeout(_DEAF_S):
                await arrival.wait()
        except TimeoutError:
            is_deaf = clock.now() - self._told_at[shard] > _DEAF_S
            if is_deaf and self._transport.state is ConnectionState.CONNECTED:
                await self._ask(key)

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
        if arrival := self._arrivals.pop(read.key, None):
            arrival.set()

    async def _pause(self, shard: int) -> None:
        """Between two looks at the journals of a shard, longer from one to the next until something was written."""
        look, pause_s = self._looks[shard], self._look_s[shard]
        self._look_s[shard] = min(2 * pause_s, _IDLE_LOOK_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN_S if self._arrivals else pause_s):
                await look.wait()
        look.clear()
