"""The writes of one epoch, each refused by the server once the epoch has ended."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable

from aegis_sdk.errors import AegisError, EpochEnded, LedgerUnavailable
from aegis_sdk.ledger.fates import Fate, classify, write_through
from aegis_sdk.ledger.records import Lease, LeaseState, encode_lease
from aegis_sdk.ledger.writes import Writes
from aegis_sdk.messages import EXPECTED_SEQUENCE, EXPECTED_SUBJECT, ROLLUP, Headers

__all__ = ["HeldEpoch"]


class HeldEpoch:
    """The writes under one epoch of a key, by its holder or by who probes it. Make one with `Ledger.epoch`.

    Subjects and headers are made once: a commit is nothing but a publish. At most one write is in flight at a time;
    a second one would be refused (AGAIN).
    """

    def __init__(self, writes: Writes, shard: int, key: str, epoch: int, subject: Callable[[str], str]) -> None:
        if epoch < 1:
            raise ValueError(f"{epoch} is no epoch: as a guard it would hold where there is no lease")
        self.key = key
        self.epoch = epoch
        self._append = writes.append
        self._prove = writes.prove
        self._shard = shard
        self._journal, self._proof, self._lease = subject("journal"), subject("proof"), subject("lease")
        self._guard: Headers = {EXPECTED_SEQUENCE: str(epoch), EXPECTED_SUBJECT: self._lease}
        self._proof_headers: Headers = {**self._guard, ROLLUP: "sub"}

    def commit(self, entry: bytes, timeout: float) -> Future[int]:
        """Store a journal entry, sent before this returns; its sequence. `classify` tells what an error means."""
        return self._append(self._journal, entry, self._guard, timeout)

    def prove(self, timeout: float) -> Future[int]:
        """Store an empty proof in the place of the last one: when this was sent, the epoch had not ended."""
        return self._prove(self._shard, self._proof, self._proof_headers, timeout)

    async def end(self, lease: Lease, timeout: float) -> int:
        """Store the lease that ends the epoch, HANDOVER or VACANT; its sequence.

        Raises EpochEnded where it has ended, if only by an earlier try of this whose answer was lost, and
        LedgerUnavailable where that is not known.
        """
        if lease.state is LeaseState.ACTIVE:
            raise ValueError("an ACTIVE lease would begin an epoch")
        payload = encode_lease(lease)

        def write(left: float) -> Future[int]:
            return self._append(self._lease, payload, self._guard, left)

        try:
            return await write_through(write, timeout)
        except AegisError as error:
            if classify(error) is Fate.ENDED:
                raise EpochEnded(self.key, self.epoch) from error
            raise LedgerUnavailable(self.key, error) from error
