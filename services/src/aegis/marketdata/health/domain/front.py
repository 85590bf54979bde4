"""A front: all instruments of an exchange, taken together, and whether its silence is more than chance.

It is judged by the paces of those that trade now, once `MEMBERS` of them are known. Fronts that have less are judged as
one, where together they have as many, or where all others are silent. Of a front without any pace that is known only
two things can be said: that in `UNHEARD_S` not one tick came, and that it ticked much faster than that before.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Final

from aegis.marketdata.health.domain.pace import ENOUGH, Pace

__all__ = ["FRONT_S", "MEMBERS", "UNHEARD_S", "Front", "look_at_all"]

MEMBERS: Final = 3
FRONT_S: Final = 3.0
"""No front is silent before."""
UNHEARD_S: Final = 60.0
"""Nor, before that, one of which no pace is known."""

_INTERVALS: Final = 9.0
_MEANS: Final = 27.0  # as many as nine usual intervals are, where they have no memory
_PAUSE_S: Final = 0.75
_TURN_S: Final = 0.5  # exchanges send the snapshots of all contracts together, twice a second: so long is no pause
_PAUSE_TICKS: Final = 8.0  # that would have come meanwhile; by chance that is seen once in 3,000
_LULL: Final = 1.5
_MOST_LULL: Final = 4.0
_LULL_TICKS: Final = 50.0
_LULL_S: Final = 20.0
_LULL_WATCHED: Final = 0.5


class _Silence:
    """Of one front, or of several that were judged as one: the first tick ends it for all."""

    __slots__ = ("is_over",)

    def __init__(self) -> None:
        self.is_over = False


class Front:
    """Begin each look with `begin`, `count` those that are wanted and trade, and end it with `look_at_all`."""

    __slots__ = (
        *("expected", "heard", "heard_s", "is_heard", "lull", "members", "opened_ns", "paused_s"),
        *(
            "rate",
            "silence",
            "silent_s",
            "subscribed",
            "ticked_ns",
            "ticks",
            "trading",
            "usual",
            "watched",
            "watched_s",
        ),
    )

    def __init__(self) -> None:
        self.ticked_ns = 0  # by the time of the market
        self.ticks = 0  # since the last look, while it traded
        self.paused_s = 0.0  # all its pauses, which are none of a single instrument's
        self.rate = 0.0  # ticks a second, of the last `_LULL_S`, as far as these were watched
        self.watched = 0.0  # the share of them
        self.is_heard = False  # something came while it traded, if only a snapshot
        self.heard = 0  # ticks while it traded, of all looks
        self.watched_s = self.heard_s = 0.0  # for how long we have looked on, and had by its latest tick
        self.silence: _Silence | None = None  # as it was found last
        self.begin()

    def begin(self) -> None:
        self.trading = 0
        self.subscribed = 0
        self.members = 0  # of these, such with a pace that is known
        self.opened_ns = 0
        self.usual = 0.0  # ticks a second that are expected at least, of those that trade now
        self.expected = 0.0  # on average
        self.lull = 1.0  # how much slower than usual it is
        self.silent_s = 0.0

    def count(self, opened_ns: int, pace: Pace, *, subscribed: bool) -> None:
        """One of its instruments is wanted, and trades since then."""
        self.trading += 1
        if not subscribed:
            return
        self.opened_ns = min(self.opened_ns, opened_ns) if self.subscribed else opened_ns
        self.subscribed += 1
        if pace.is_known:
            self.members += 1
            self.usual += 1 / max(pace.usual_s, 0.001)
            self.expected += 1 / max(pace.mean_s, 0.001)

    def tick(self, now_ns: int, opened_ns: int, *, snapshot: bool) -> None:
        """One of its instruments has ticked, or brought a snapshot of no new trade."""
        if opened_ns:
            self.paused_s += self.pause_s((now_ns - max(self.ticked_ns, opened_ns)) / 1e9)
            self.is_heard = True
        self.ticked_ns = now_ns
        self.end_silence()
        if not snapshot:
            self.ticks += 1

    def pause_s(self, silent_s: float) -> float:
        """How much of a silence is a pause of the whole front: nothing, unless many would have ticked meanwhile."""
        is_pause = self.members >= MEMBERS and silent_s > _PAUSE_S and silent_s * self.expected > _PAUSE_TICKS
        return silent_s - _TURN_S if is_pause else 0.0

    def look(self, elapsed_s: float, now_ns: int) -> None:
        """Be at a time of the market, so long after the last look."""
        self.watched_s += elapsed_s
        if self.ticks:
            self.heard += self.ticks
            self.heard_s = self.watched_s
        if self.members and 0 < elapsed_s < _LULL_S:
            part = elapsed_s / _LULL_S
            self.rate += part * (self.ticks / elapsed_s - self.rate)
            self.watched += part * (1 - self.watched)
        self.ticks = 0
        usually, rate = self.expected, self.rate / max(self.watched, 0.001)
        if usually * _LULL_S > _LULL_TICKS and rate * _LULL < usually and self.watched > _LULL_WATCHED:
            self.lull = min(usually / max(rate, 0.001), _MOST_LULL)
        if self.ticked_ns > now_ns:  # the market has begun anew, at an earlier time
            self.ticked_ns = 0
        self.silent_s = (now_ns - max(self.ticked_ns, self.opened_ns)) / 1e9

    def end_silence(self) -> None:
        if self.silence is not None:
            self.silence.is_over, self.silence = True, None

    @property
    def is_silent(self) -> bool:
        """Whether it was found so, and has not ticked since."""
        return self.silence is not None and not self.silence.is_over

    @property
    def is_unproven(self) -> bool:
        """Whether nothing came of it yet, for longer than one would think."""
        return not self.is_heard and self.silent_s > FRONT_S


def look_at_all(fronts: Iterable[Front], elapsed_s: float, now_ns: int) -> float:
    """Judge them, each alone or all as one. For how long all are silent; 0 where too little is known to compare."""
    trading: list[Front] = []
    for front in fronts:
        if not front.trading:
            front.end_silence()
        elif front.subscribed:
            front.look(elapsed_s, now_ns)
            trading.append(front)
    for front in trading:
        if front.members >= MEMBERS or (front.subscribed >= MEMBERS and not front.members):
            _judge([front])
    rest = [front for front in trading if not front.is_silent]
    if rest and all(front.members < MEMBERS for front in rest):
        _judge(rest, others=len(rest) < len(trading))
    few = sum(front.members for front in trading) < MEMBERS
    return 0.0 if few else min(front.silent_s for front in trading)


def _judge(fronts: list[Front], *, others: bool = False) -> None:
    if min(front.silent_s for front in fronts) > _limit_s(fronts, others):
        silence = _Silence()
        for front in fronts:
            front.silence = silence


def _limit_s(fronts: list[Front], others: bool) -> float:
    """The longest silence of all of them that may be chance; `others`: while all others are silent."""
    members = sum(front.members for front in fronts)
    if members >= MEMBERS or (members and others):
        return max(FRONT_S, _INTERVALS / sum(front.usual for front in fronts))
    if members or others:  # so few are judged by their own paces
        return inf
    if not any(front.is_heard for front in fronts):
        return UNHEARD_S
    heard, heard_s = sum(front.heard for front in fronts), max(front.heard_s for front in fronts)
    return max(UNHEARD_S, _MEANS * heard_s / heard) if heard >= ENOUGH else inf
