"""Events of all accounts of an instance on their way into the stream: a few one by one, many as one batch.

They want the disk that orders wait for, and each of them is written and synced by itself. A batch of 32 costs one
server half of what its events cost one by one, one of 64 a quarter; one of 8 costs more than they do. So the more there
were, the longer the next ones wait for each other.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog

from aegis_sdk.errors import AegisError
from aegis_sdk.events import Events, NewEvent

__all__ = ["Posting"]

_log = structlog.get_logger("aegis.trading")

_BATCH: Final = (16, 512)
"""From so many events on, and up to so many, they go as one batch."""
_REST_S: Final = (0.005, 0.030)
"""Between two sendings: behind the journal's writes of the same order, and at most."""
_REST_EACH_S: Final = 0.001

Outcome = tuple[int, AegisError | None]


class _Parcel(NamedTuple):
    events: Sequence[NewEvent]
    outcome: Future[Outcome]


class Posting:
    """Stores events of several senders; those of one in their order."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._waiting: list[_Parcel] = []
        self._sending: asyncio.Task[None] | None = None
        self._rest_s = _REST_S[0]

    async def post(self, events: Sequence[NewEvent]) -> Outcome:
        """How many of them are stored for certain, from the first on, and what became of the one behind these.

        Each may be posted again, with its id. At most 64 at a time of one sender.
        """
        parcel = _Parcel(events, asyncio.get_running_loop().create_future())
        self._waiting.append(parcel)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name="events")
        return await parcel.outcome

    async def close(self) -> None:
        """What was not sent is not sent any more."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])

    async def _send(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(self._rest_s)
                parcels, self._waiting = self._waiting, []
                shortest, longest = _REST_S
                self._rest_s = min(max(shortest, _REST_EACH_S * sum(len(one.events) for one in parcels)), longest)
                try:
                    await self._store(parcels)
                except Exception as error:  # whose events cannot be published says so to its host
                    for parcel in parcels:
                        _settle(parcel, error)
        finally:
            self._sending = None

    async def _store(self, parcels: Sequence[_Parcel]) -> None:
        few, most = _BATCH
        events = [event for parcel in parcels for event in parcel.events]
        if few <= len(events) <= most:
            try:
                await self._events.publish_batch(events)
            except AegisError as error:
                _log.info("events_singly", count=len(events), reason=str(error))
            else:
                for parcel in parcels:
                    _settle(parcel, (len(parcel.events), None))
                return
        await asyncio.gather(*(self._store_singly(parcel) for parcel in parcels))

    async def _store_singly(self, parcel: _Parcel) -> None:
        sent = [self._events.publish(one.subject, one.body, id=one.id) for one in parcel.events]
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        for stored, problem in enumerate(outcomes):
            if isinstance(problem, BaseException):
                _settle(parcel, (stored, problem) if isinstance(problem, AegisError) else problem)
                return
        _settle(parcel, (len(outcomes), None))


def _settle(parcel: _Parcel, outcome: Outcome | BaseException) -> None:
    if parcel.outcome.done():  # whoever has lost the account waits no more
        return
    if isinstance(outcome, BaseException):
        parcel.outcome.set_exception(outcome)
    else:
        parcel.outcome.set_result(outcome)
