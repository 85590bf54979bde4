"""The writes of one epoch, each refused by the server once the epoch has ended; and what a refusal means."""

from __future__ import annotations

import asyncio
import itertools
from asyncio import Future
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Final

from aegis_sdk.errors import AegisError, DeadlineExceeded, EpochEnded, LedgerUnavailable, StreamError
from aegis_sdk.ledger.records import Lease, LeaseState, encode_lease
from aegis_sdk.messages import EXPECTED_SEQUENCE, EXPECTED_SUBJECT, ROLLUP, Headers
from aegis_sdk.transport import Transport

__all__ = ["Fate", "HeldEpoch", "classify", "write_through"]

_WRONG_LAST_SEQUENCE: Final = 10071
_PASSING: Final = {10164, 10210}
"""Another guarded write is in flight for the key; more batches are open than the stream admits."""
_TRIES: Final = 20
_AT_ONCE: Final = 5
_PAUSE_S: Final = 0.002
"""A claim meets about two writes of a busy holder before it comes between them; a claim in flight takes some 25 ms."""


class Fate(Enum):
    """What a write that failed has come to."""

    ENDED = auto()  # refused for good, nothing was stored: another lease came first
    AGAIN = auto()  # refused for now, nothing was stored: to be repeated at once
    UNKNOWN = auto()  # it may be stored, now or later


def classify(error: BaseException) -> Fate:
    """The fate of a guarded write that ended with this error."""
    code = error.code if isinstance(error, StreamError) else 0
    if code == _WRONG_LAST_SEQUENCE:
        return Fate.ENDED
    return Fate.AGAIN if code in _PASSING else Fate.UNKNOWN


async def write_through(write: Callable[[float], Awaitable[int]], timeout: float) -> int:
    """The result of `write`, which is given the seconds left, and made again some times where its fate is AGAIN."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    for tries in itertools.count(1):
        left = deadline - loop.time()
        if left <= 0:
            break
        try:
            return await write(left)
        except AegisError as error:
            if classify(error) is not Fate.AGAIN or tries == _TRIES:
                raise
        await asyncio.sleep(0 if tries < _AT_ONCE else _PAUSE_S)
    raise DeadlineExceeded(f"not stored within {timeout * 1000:.0f} ms")


class HeldEpoch:
    """The writes under one epoch of a key, by its holder or by who probes it. Make one with `Ledger.epoch`.

    Subjects and headers are made once: a commit is nothing but a publish. At most one write is in flight at a time;
    a second one would be refused (AGAIN).
    """

    def __init__(self, transport: Transport, key: str, epoch: int, subject: Callable[[str], str]) -> None:
        if epoch < 1:
            raise ValueError(f"{epoch} is no epoch: as a guard it would hold where there is no lease")
        self.key = key
        self.epoch = epoch
        self._append = transport.append_now
        self._journal, self._proof, self._lease = subject("journal"), subject("proof"), subject("lease")
        self._guard: Headers = {EXPECTED_SEQUENCE: str(epoch), EXPECTED_SUBJECT: self._lease}
        self._proof_headers: Headers = {**self._guard, ROLLUP: "sub"}

    def commit(self, entry: bytes, timeout: float) -> Future[int]:
        """Store a journal entry, sent before this returns; its sequence. `classify` tells what an error means."""
        return self._append(self._journal, entry, self._guard, timeout)

    def prove(self, timeout: float) -> Future[int]:
        """Store an empty proof in the place of the last one: when this was sent, the epoch had not ended."""
        return self._append(self._proof, b"", self._proof_headers, timeout)

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
