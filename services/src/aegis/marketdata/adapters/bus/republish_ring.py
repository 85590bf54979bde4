"""The republish ring: every tick that is not yet known to be stored, in order.

    [ batches in flight, each awaiting the acknowledgement of its marker | open batch | waiting ]

It is bounded. When it is full, the oldest of those that wait are lost: what is in flight may be stored already, and
is kept until that is known. So each tick accepted ends as stored or as lost, once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Container, Iterable, Sequence
from itertools import chain, islice

from aegis.marketdata.ports import Outgoing


class RepublishRing:
    """A pure book of ticks. `size` bounds all of them together."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.waiting: deque[Outgoing] = deque()
        self.open: list[Outgoing] = []  # sent, their marker is not
        self._in_flight: deque[Sequence[Outgoing]] = deque()
        self._count_in_flight = 0
        self.accepted = 0
        self.stored = 0
        self.lost: Counter[str] = Counter()  # by subject

    def __len__(self) -> int:
        return len(self.waiting) + self.sent

    @property
    def sent(self) -> int:
        """How many are sent and not known to be stored."""
        return self._count_in_flight + len(self.open)

    def add(self, ticks: Sequence[Outgoing]) -> None:
        self.accepted += len(ticks)
        self.waiting.extend(ticks)
        excess = len(self) - self._size
        if excess > 0:
            self._lose(self.waiting.popleft() for _ in range(excess))

    def take(self, limit: int) -> list[Outgoing]:
        """The next to be sent: afterwards they are either `opened` or `returned`."""
        popleft = self.waiting.popleft
        return [popleft() for _ in range(min(limit, len(self.waiting)))]

    def opened(self, ticks: Sequence[Outgoing]) -> None:
        """These were sent, and belong to the batch whose marker comes next."""
        self.open.extend(ticks)

    def returned(self, ticks: Sequence[Outgoing]) -> None:
        """These could not be sent."""
        self.waiting.extendleft(reversed(ticks))

    def close_batch(self) -> Sequence[Outgoing]:
        """The open batch, in flight from now on."""
        batch, self.open = self.open, []
        self._in_flight.append(batch)
        self._count_in_flight += len(batch)
        return batch

    def oldest_in_flight(self, batches: int) -> list[Outgoing]:
        """The ticks of so many batches, of those in flight."""
        return [*chain.from_iterable(islice(self._in_flight, batches))]

    def verified(self) -> None:
        """The oldest batch in flight is stored."""
        count = len(self._in_flight.popleft())
        self._count_in_flight -= count
        self.stored += count

    def in_doubt(self) -> list[Outgoing]:
        """All that were sent and are not known to be stored."""
        return [*chain.from_iterable(self._in_flight), *self.open]

    def resolve(self, missing: Container[bytes]) -> int:
        """Settle all that is in doubt, by the payloads that the stream lacks. Returns how many wait to be sent again.

        A tick whose successor of the same instrument is stored came too late: sent again it would pass for the latest.
        It is lost.
        """
        doubtful = self.in_doubt()
        self._in_flight.clear()
        self._count_in_flight = 0
        self.open = []
        overtaken: set[str] = set()
        again = 0
        for tick in reversed(doubtful):
            subject, payload, _ = tick
            if payload not in missing:
                self.stored += 1
                overtaken.add(subject)
            elif subject in overtaken:
                self.lost[subject] += 1
            else:
                self.waiting.appendleft(tick)
                again += 1
        return again

    def give_up(self) -> None:
        """All that is here is lost."""
        self._lose([*self.in_doubt(), *self.waiting])
        self._in_flight.clear()
        self._count_in_flight = 0
        self.open = []
        self.waiting.clear()

    def _lose(self, ticks: Iterable[Outgoing]) -> None:
        self.lost.update(subject for subject, _, _ in ticks)
