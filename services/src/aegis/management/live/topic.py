"""A table that changes, and what has changed in it since a sequence. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple

import msgspec

from aegis.management.problems import Problem, ProblemBody

__all__ = ["Condition", "State", "Topic"]

Condition = Literal["filling", "live", "failing", "unknown"]

_MOST_GONE: Final = 10_000
"""So many rows that are gone are remembered for those who follow; who is further behind begins anew."""
_PART_ROWS: Final = 250
"""Rows in a message, so that a follower's connection never has to take a whole table at once."""


class State(NamedTuple):
    """Whether the rows are what their source says, since when, and why they are not.

    filling: it has not told all of them yet; failing: they are as they were; unknown: it has nothing of that name.
    """

    state: Condition
    since: datetime
    problem: ProblemBody | None = None


class Topic:
    """Rows by their key. `shown` makes plain data, or its JSON, of a row when it is sent, not when it changes.

    Nobody gets any before the source has told all of them once. Sequences of another `origin`, of the same topic at
    another time or instance, mean nothing here.
    """

    def __init__(
        self,
        name: str,
        origin: str,
        shown: Callable[[Any], Any] = lambda row: row,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self.origin = origin
        self.sequence = 0
        self.state = State("filling", now())
        self._is_whole = False
        self._now = now
        self._shown = shown
        self._rows: dict[str, Any] = {}
        self._changed: dict[str, int] = {}  # in the order of the changes
        self._gone: dict[str, int] = {}
        self._floor = 0  # what has changed since then is known
        self._written: dict[int, list[bytes]] = {}  # of this sequence, by the one that it begins behind

    def put(self, key: str, row: Any) -> None:
        """Set a row; what is as it was changes nothing."""
        if key in self._rows and self._rows[key] == row:
            return
        self._rows[key] = row
        self._gone.pop(key, None)
        self._change(key, self._changed)

    def remove(self, key: str) -> None:
        if self._rows.pop(key, None) is None:
            return
        del self._changed[key]
        self._change(key, self._gone)
        if len(self._gone) > _MOST_GONE:
            forgotten = next(iter(self._gone))
            self._floor = self._gone.pop(forgotten)

    def replace(self, rows: Mapping[str, Any]) -> None:
        """Make these all the rows."""
        for key in self._rows.keys() - rows.keys():
            self.remove(key)
        for key, row in rows.items():
            self.put(key, row)
        self.whole()

    def whole(self) -> None:
        """The rows are all that the source has now, and go on to be."""
        self._is_whole = True
        self._become("live")

    def fail(self, problem: Problem) -> None:
        """The rows stay, and get old."""
        self._become("unknown" if problem.body.status == HTTPStatus.NOT_FOUND else "failing", problem.body)

    def _become(self, state: Condition, problem: ProblemBody | None = None) -> None:
        before = self.state
        if (state, problem) != (before.state, before.problem):
            self.state = State(state, before.since if state == before.state else self._now(), problem)

    def __len__(self) -> int:
        return len(self._rows)

    def _change(self, key: str, where: dict[str, int]) -> None:
        self.sequence += 1
        where.pop(key, None)
        where[key] = self.sequence
        self._written.clear()

    def since(self, sequence: int | None) -> list[bytes]:
        """What has changed behind `sequence`, as messages; None, or one too old: all rows. Empty where nothing has."""
        if not self._is_whole:
            return []
        if sequence is not None and not self._floor <= sequence <= self.sequence:
            sequence = None
        if sequence == self.sequence:
            return []
        begin = -1 if sequence is None else sequence
        if begin not in self._written:
            self._written[begin] = self._messages(sequence)
        return self._written[begin]

    def _messages(self, sequence: int | None) -> list[bytes]:
        if sequence is None:
            keys, gone = list(self._rows), list[str]()
        else:
            keys, gone = _behind(self._changed, sequence), _behind(self._gone, sequence)
        starts = range(0, max(len(keys), 1), _PART_ROWS)
        return [
            msgspec.json.encode(
                {
                    "type": "snapshot" if sequence is None else "delta",
                    "topic": self.name,
                    "origin": self.origin,
                    "sequence": self.sequence,
                    "part": part,
                    "parts": len(starts),
                    "rows": {key: self._shown(self._rows[key]) for key in keys[start : start + _PART_ROWS]},
                    "gone": [] if part else gone,
                }
            )
            for part, start in enumerate(starts)
        ]


def _behind(changes: dict[str, int], sequence: int) -> list[str]:
    """The keys that changed behind a sequence; the latest stand last."""
    found: list[str] = []
    for key in reversed(changes):
        if changes[key] <= sequence:
            break
        found.append(key)
    found.reverse()
    return found
