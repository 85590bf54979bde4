"""Claims of keys: a lease each, and the begin of its epoch behind it, as many as may be in one atomic batch."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from aegis_sdk.election_events import Claim
from aegis_sdk.errors import AegisError, EpochEnded, LedgerUnavailable
from aegis_sdk.ledger.fates import Fate, classify, write_through
from aegis_sdk.ledger.records import Begin, Lease, LeaseState, encode_begin, encode_lease
from aegis_sdk.messages import EXPECTED_SEQUENCE, NO_HEADERS, Headers
from aegis_sdk.transport import Transport

__all__ = ["Claims", "Outcomes"]

_BATCH_KEYS: Final = 400
"""Two messages a key; a batch may have a thousand."""

Outcomes = dict[str, int | AegisError]
"""What became of the claim of each key: its new epoch, EpochEnded or LedgerUnavailable."""


class _Asked(NamedTuple):
    """A claim, and what it stores: the lease, and the begin of its epoch."""

    claim: Claim
    messages: Sequence[tuple[str, bytes, Headers]]


class Claims:
    """The claims that one process has under way; `batches` bounds those in flight."""

    def __init__(
        self,
        transport: Transport,
        shard: Callable[[str], int],
        subject: Callable[[str, str], str],
        batches: asyncio.Semaphore,
    ) -> None:
        self._transport = transport
        self._shard = shard
        self._subject = subject
        self._batches = batches

    async def store(self, claims: Sequence[Claim], begin: Begin, timeout: float) -> Outcomes:
        """`Ledger.claim`."""
        deadline = asyncio.get_running_loop().time() + timeout
        by_shard: defaultdict[int, list[_Asked]] = defaultdict(list)
        for claim in claims:
            by_shard[self._shard(claim.key)].append(_Asked(claim, self._messages(claim, begin)))
        batches = [
            of_shard[first : first + _BATCH_KEYS]
            for of_shard in by_shard.values()
            for first in range(0, len(of_shard), _BATCH_KEYS)
        ]
        return await self._store_each(batches, deadline)

    def _messages(self, claim: Claim, begin: Begin) -> Sequence[tuple[str, bytes, Headers]]:
        """The begin has no guard: with one too, it would be refused for the lease in flight (10164)."""
        lease = Lease(
            LeaseState.ACTIVE, begin.holder, begin.incarnation, begin.attempt, "", claim.proof_ms, claim.gap_ms
        )
        guard = {EXPECTED_SEQUENCE: str(claim.expected)}
        return [
            (self._subject(claim.key, "lease"), encode_lease(lease), guard),
            (self._subject(claim.key, "journal"), encode_begin(begin), NO_HEADERS),
        ]

    async def _store_each(self, batches: Iterable[Sequence[_Asked]], deadline: float) -> Outcomes:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._store(batch, deadline)) for batch in batches]
        return {key: outcome for task in tasks for key, outcome in task.result().items()}

    async def _store(self, batch: Sequence[_Asked], deadline: float) -> Outcomes:
        """Store a batch; where it is refused, each of its claims by itself."""
        claims = [asked.claim for asked in batch]
        try:
            last = await self._append([message for asked in batch for message in asked.messages], deadline)
        except AegisError as error:
            fate = classify(error)
            if fate is not Fate.UNKNOWN and len(batch) > 1:
                return await self._store_each([[asked] for asked in batch], deadline)
            if fate is Fate.ENDED:
                return {claim.key: EpochEnded(claim.key, claim.expected) for claim in claims}
            return {claim.key: LedgerUnavailable(claim.key, error) for claim in claims}
        first = last - 2 * len(batch) + 1
        return {claim.key: first + 2 * position for position, claim in enumerate(claims)}

    async def _append(self, messages: Sequence[tuple[str, bytes, Headers]], deadline: float) -> int:
        async with self._batches:
            timeout = deadline - asyncio.get_running_loop().time()
            return await write_through(lambda left: self._transport.append_batch(messages, left), timeout)
