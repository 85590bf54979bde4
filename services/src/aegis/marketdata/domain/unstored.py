"""What live subscribers have had and the stream has not, as far as a standby knows: it stores that when it takes over.

While the stream has no leader, ticks go to live subscribers only, and whoever publishes keeps them for the stream. If
it dies, only those who listened have them. Of each instrument both sources tell in order, and what is stored is never
followed by what was published before it.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

__all__ = ["Place", "Unstored"]

Place = tuple[int, int]
"""Epoch and sequence of a tick of an instrument."""
_NOWHERE: Final[Place] = 0, 0


class _Heard(NamedTuple):
    subject: str
    payload: bytes
    place: Place


class Unstored:
    """`size` bounds the ticks: beyond it the oldest that is not stored is forgotten."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heard: deque[_Heard] = deque()  # the first one is not stored
        self._stored: dict[str, Place] = {}  # the latest of each instrument
        self.forgotten = 0

    def heard(self, subject: str, payload: bytes, place: Place) -> None:
        """Live subscribers have this, which was neither heard nor stored before."""
        self._heard.append(_Heard(subject, payload, place))
        if len(self._heard) > self._size:
            self._heard.popleft()
            self.forgotten += 1
            self._leave_out_stored()

    def stored(self, subject: str, place: Place) -> None:
        """The stream has this. It may be told again."""
        if place > self._stored.get(subject, _NOWHERE):
            self._stored[subject] = place
            self._leave_out_stored()

    def take(self) -> list[tuple[str, bytes, int]]:
        """Subject, payload and sequence of what is left, in order. Nothing is left any more."""
        left = [(one.subject, one.payload, one.place[1]) for one in self._heard if not self._is_stored(one)]
        self._heard.clear()
        return left

    def _leave_out_stored(self) -> None:
        heard = self._heard
        while heard and self._is_stored(heard[0]):
            heard.popleft()

    def _is_stored(self, one: _Heard) -> bool:
        return one.place <= self._stored.get(one.subject, _NOWHERE)
