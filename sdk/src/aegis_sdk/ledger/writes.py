"""All guarded writes of one process: so many in flight at a time, and many proofs that are wanted at once in one batch.

A server that is behind must not be sent everything again and again: what has no place in the window waits here, and
the time of a write begins when it is sent.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from aegis_sdk.errors import AegisError
from aegis_sdk.ledger.fates import Fate, classify
from aegis_sdk.messages import Headers
from aegis_sdk.transport import Transport

__all__ = ["Writes"]

_IN_FLIGHT: Final = 128
_LEAST_BATCH: Final = 6
"""Of fewer proofs each goes alone: the files that a server makes for a batch cost more than their writes."""
_MOST_BATCH: Final = 400


class _Proof(NamedTuple):
    subject: str
    headers: Headers
    timeout: float
    done: Future[int]


class Writes:
    """`append` and `prove` return at once, with a future of the sequence; its errors are those of `append_now`.

    `batches` bounds the batches in flight, of proofs and of claims.
    """

    def __init__(self, transport: Transport, batches: asyncio.Semaphore) -> None:
        self._transport = transport
        self._batches = batches
        self._loop = asyncio.get_running_loop()
        self._in_flight = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._proofs: dict[int, list[_Proof]] = {}  # by shard, of this turn of the loop
        self._sending: set[asyncio.Task[None]] = set()

    def append(self, subject: str, payload: bytes, headers: Headers, timeout: float) -> Future[int]:
        if self._in_flight < _IN_FLIGHT:
            return self._send(subject, payload, headers, timeout)
        done: Future[int] = self._loop.create_future()
        self._waiting.append(lambda: _pass_on(self._send(subject, payload, headers, timeout), done))
        return done

    def prove(self, shard: int, subject: str, headers: Headers, timeout: float) -> Future[int]:
        """An empty write; many of one shard in one turn of the loop go together."""
        proof = _Proof(subject, headers, timeout, self._loop.create_future())
        if not self._proofs:
            self._loop.call_soon(self._send_proofs)
        self._proofs.setdefault(shard, []).append(proof)
        return proof.done

    def _send(self, subject: str, payload: bytes, headers: Headers, timeout: float) -> Future[int]:
        self._in_flight += 1
        sent = self._transport.append_now(subject, payload, headers, timeout)
        sent.add_done_callback(self._answered)
        return sent

    def _answered(self, sent: Future[int]) -> None:
        self._in_flight -= 1
        if self._waiting and self._in_flight < _IN_FLIGHT:
            self._waiting.popleft()()

    def _send_proofs(self) -> None:
        by_shard, self._proofs = self._proofs, {}
        for proofs in by_shard.values():
            for first in range(0, len(proofs), _MOST_BATCH):
                batch = proofs[first : first + _MOST_BATCH]
                if len(batch) < _LEAST_BATCH:
                    self._send_singly(batch)
                else:
                    task = self._loop.create_task(self._send_batch(batch), name="proofs")
                    self._sending.add(task)
                    task.add_done_callback(self._sending.discard)

    def _send_singly(self, proofs: list[_Proof]) -> None:
        for proof in proofs:
            _pass_on(self.append(proof.subject, b"", proof.headers, proof.timeout), proof.done)

    async def _send_batch(self, proofs: list[_Proof]) -> None:
        """One write for all; where one of them is refused, each on its own."""
        try:
            messages = [(proof.subject, b"", proof.headers) for proof in proofs]
            async with self._batches:
                last = await self._transport.append_batch(messages, min(proof.timeout for proof in proofs))
        except AegisError as error:
            if classify(error) is not Fate.UNKNOWN:
                self._send_singly(proofs)
                return
            for proof in proofs:
                if not proof.done.done():
                    proof.done.set_exception(error)
        else:
            for position, proof in enumerate(reversed(proofs)):
                if not proof.done.done():
                    proof.done.set_result(last - position)


def _pass_on(source: Future[int], target: Future[int]) -> None:
    def settle(source: Future[int]) -> None:
        error = None if source.cancelled() else source.exception()
        if target.done() or source.cancelled():  # nobody waits any more
            target.cancel()
        elif error is not None:
            target.set_exception(error)
        else:
            target.set_result(source.result())

    source.add_done_callback(settle)
