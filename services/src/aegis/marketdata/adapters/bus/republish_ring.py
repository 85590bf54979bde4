"""The republish ring: every tick that may have to be sent again, in order.

    [ proven | batch in flight, awaiting the acknowledgement of its marker, or open batch | waiting ]

Ticks may go to live subscribers first, while the stream cannot be written: they wait on, for the stream alone. So do
those that another instance had sent to live subscribers, and has not stored: they are adopted.

It is bounded. When it is full, the oldest of those that wait are lost: what was sent may be stored already, and stays
until that is known. So each tick accepted ends as stored or as lost, once. Proven ticks stay for a moment: a server
that acknowledges before it writes forgets them when it is killed. They may make the ring a quarter longer.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Container, Iterable, Sequence
from itertools import chain, islice, takewhile
from typing import NamedTuple

from aegis.marketdata.ports import Left, Outgoing


class _Proven(NamedTuple):
    """A batch that was stored. `before` is the sequence in the stream behind which it is, `at` when that was known."""

    ticks: Sequence[Outgoing]
    before: int
    at: float


class RepublishRing:
    """A pure book of ticks. `size` bounds those never proven; `keep_s` is how long proven ones stay, in seconds."""

    def __init__(self, size: int, keep_s: float) -> None:
        self._size = size
        self._keep_s = keep_s
        self.waiting: deque[Outgoing] = deque()
        self.open: list[Outgoing] = []  # sent, their marker is not
        self.in_flight: Sequence[Outgoing] = ()
        self._proven: deque[_Proven] = deque()
        self._count_proven = 0
        self.in_doubt: list[Outgoing] = []
        self._proven_in_doubt = 0  # how many of them, the first, were proven once
        self.sequence = 0  # in the stream, of the last marker: nothing in flight is before it
        self._fresh = 0  # how many of those that wait, the last, were never sent
        self.delivered = 0  # how many of those that wait, the first, only the stream lacks
        self._adopted: set[bytes] = set()  # payloads of the first of all: live subscribers have had them, of another
        self.accepted = 0
        self.handed_over = 0  # sent, each counted once
        self.stored = 0  # goes back when a server forgot what it had acknowledged
        self.left = 0  # to another instance
        self.adopted = 0  # of another instance
        self.lost: Counter[str] = Counter()  # by subject
        self.lost_sent = 0  # of them, sent before: whoever listened may have had them

    def __len__(self) -> int:
        """How many are not known to be stored."""
        return len(self.waiting) + self.sent

    @property
    def unproven(self) -> Sequence[Outgoing]:
        """What is in doubt and was never proven to be stored."""
        return self.in_doubt[self._proven_in_doubt :]

    @property
    def sent(self) -> int:
        """How many are sent and not known to be stored."""
        return len(self.in_flight) + len(self.open) + len(self.in_doubt)

    # Sending

    def add(self, ticks: Sequence[Outgoing]) -> None:
        self.accepted += len(ticks)
        self.waiting.extend(ticks)
        self._fresh += len(ticks)
        excess = len(self) - self._proven_in_doubt - self._size
        if excess > 0:
            self.lost_sent += min(excess, len(self.waiting) - self._fresh)
            self._lose(self.waiting.popleft() for _ in range(excess))
            self._fresh = min(self._fresh, len(self.waiting))
            self.delivered = max(0, self.delivered - excess)

    def take(self, limit: int) -> tuple[list[Outgoing], bool]:
        """The next to be sent, and whether live subscribers have had them. Then they are `opened` or `returned`."""
        popleft, delivered = self.waiting.popleft, self.delivered > 0
        ticks = [popleft() for _ in range(min(limit, self.delivered or len(self.waiting)))]
        self.delivered -= len(ticks) if delivered else 0
        return ticks, delivered

    def undelivered(self, limit: int) -> list[Outgoing]:
        """The next of those that wait which live subscribers have not had, to be sent to them alone."""
        return [*islice(self.waiting, self.delivered, self.delivered + limit)]

    def deliver(self, count: int) -> None:
        """So many of the `undelivered` were sent to live subscribers."""
        self.delivered += count
        never_sent = min(self._fresh, len(self.waiting) - self.delivered)
        self.handed_over += self._fresh - never_sent
        self._fresh = never_sent

    def opened(self, ticks: Sequence[Outgoing]) -> None:
        """These were sent, and belong to the batch whose marker comes next."""
        self.open.extend(ticks)
        first_time = max(0, self._fresh - len(self.waiting))
        self._fresh -= first_time
        self.handed_over += first_time

    def returned(self, ticks: Sequence[Outgoing], *, delivered: bool) -> None:
        """These could not be sent, or have to be sent again."""
        self.waiting.extendleft(reversed(ticks))
        self.delivered += len(ticks) if delivered else 0

    def cut(self) -> Sequence[Outgoing]:
        """The connection broke: what live subscribers may lack of what was sent, and nothing that waits was."""
        self.delivered = self._count_adopted(self.waiting)
        return self.unproven[self._count_adopted(self.unproven) :]

    def _count_adopted(self, ticks: Iterable[Outgoing]) -> int:
        """How many of these, the first, are another's."""
        return sum(1 for _ in takewhile(lambda tick: tick[1] in self._adopted, ticks)) if self._adopted else 0

    def close_batch(self) -> Sequence[Outgoing]:
        """The open batch, in flight from now on. No other one is."""
        assert not self.in_flight
        self.in_flight, self.open = self.open, []
        return self.in_flight

    # Another's

    def adopt(self, ticks: Sequence[Outgoing], *, after: int | None) -> None:
        """What another one has sent to live subscribers, for the stream alone. Before anything of ours is sent.

        Behind `after` the stream may have some of it: that is in doubt, until it is resolved. None: it has nothing.
        """
        self._adopted = {payload for _, payload, _ in ticks}
        self.accepted += len(ticks)
        self.handed_over += len(ticks)
        self.adopted += len(ticks)
        if after is None:
            self.returned(ticks, delivered=True)
        else:
            self.in_doubt, self.sequence = [*ticks], after

    # Proof

    def prove(self, sequence: int, now: float) -> None:
        """The batch in flight is stored, its marker has this sequence. `now` is of a steady clock."""
        batch, self.in_flight = self.in_flight, ()
        self._proven.append(_Proven(batch, self.sequence, now))
        self.sequence = sequence
        self._count_proven += len(batch)
        self.stored += len(batch)
        while self._proven[0].at < now - self._keep_s or self._count_proven > self._size // 4:
            forgotten = self._proven.popleft().ticks
            self._count_proven -= len(forgotten)
            self._adopted.difference_update([payload for _, payload, _ in forgotten] if self._adopted else ())

    def doubt(self) -> None:
        """The stream may lack anything that was sent, also what was proven a moment ago: look for it behind `sequence`.

        Ends with `resolve` or `give_up`; nothing is sent until then.
        """
        if self._proven:
            self.sequence = self._proven[0].before
        proven = chain.from_iterable(batch.ticks for batch in self._proven)
        self.in_doubt = [*proven, *self.in_flight, *self.open]
        self._proven.clear()
        self.in_flight, self.open = (), []
        self.stored -= self._count_proven
        self._proven_in_doubt, self._count_proven = self._count_proven, 0

    def resolve(self, missing: Container[bytes], sequence: int, *, delivered: bool) -> int:
        """Settle what is in doubt, by the payloads that the stream lacks. Returns how many wait to be sent again.

        A tick whose successor of the same instrument is stored came too late: sent again it would pass for the latest.
        It is lost. `sequence` is that of a marker behind all of them. `delivered` says whether live subscribers have
        had what was in doubt; if not, they have had what was proven once, and what is adopted, but nothing that waits.
        """
        had, had_again = max(self._proven_in_doubt, self._count_adopted(self.in_doubt)), 0
        overtaken: set[str] = set()
        again: deque[Outgoing] = deque()
        for place, tick in reversed([*enumerate(self.in_doubt)]):
            subject, payload, _ = tick
            if payload not in missing:
                self.stored += 1
                overtaken.add(subject)
            elif subject in overtaken:
                self.lost[subject] += 1
                self.lost_sent += 1
            else:
                again.appendleft(tick)
                had_again += delivered or place < had
        self.in_doubt, self._proven_in_doubt = [], 0
        self.waiting.extendleft(reversed(again))
        self.delivered += had_again
        self.sequence = sequence
        return len(again)

    def give_up(self) -> None:
        """All that was never proven to be stored is lost."""
        if not self.in_doubt:
            self.doubt()
        self.stored += self._proven_in_doubt
        self.lost_sent += len(self.unproven) + len(self.waiting) - self._fresh
        self._lose([*self.unproven, *self.waiting])
        self._clear()

    def leave(self, cut: Sequence[Outgoing]) -> Left:
        """Another instance publishes now: give up what was never proven to be stored.

        `cut` is what live subscribers may lack of what was sent.
        """
        if not self.in_doubt:
            self.doubt()
        self.stored += self._proven_in_doubt
        left = [*self.unproven, *self.waiting]
        had = self._count_adopted(left) if cut else len(self.unproven) + self.delivered
        self.left += len(left)
        self._clear()
        return Left(left[:had], left[had:], self.sequence)

    def _clear(self) -> None:
        self.in_doubt, self._proven_in_doubt = [], 0
        self.waiting.clear()
        self._fresh = self.delivered = 0
        self._adopted = set()

    def _lose(self, ticks: Iterable[Outgoing]) -> None:
        self.lost.update(subject for subject, _, _ in ticks)
