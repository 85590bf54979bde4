"""Instruments that tick, or do not, at a pace that the test sets, and a judge that is told so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aegis.contracts.reasons import Reason
from aegis.contracts.subscriptions import SubscriptionState
from aegis.exchanges.sessions import to_utc_ns
from aegis.marketdata.health.domain.findings import Findings, Verdict
from aegis.marketdata.health.domain.judge import FeedSeen, Judge

S = 1_000_000_000
DAY = "20250102"
FAST = ("SHFE.rb2505", "SHFE.hc2505", "SHFE.cu2502", "SHFE.al2502")
SLOW = "SHFE.ru2505"
OTHERS = ("DCE.m2505", "DCE.y2505", "DCE.p2505")
PACES = dict.fromkeys((*FAST, *OTHERS), 0.5) | {SLOW: 20.0}


def at(clock: str, day: str = DAY) -> int:
    hour, minute, second = map(int, clock.split(":"))
    return to_utc_ns(day, hour * 3600 + minute * 60 + second)


class Bench:
    """A judge, and instruments that tick evenly. Our clock is that of the market, from 0 on."""

    def __init__(self, clock: str, paces: Mapping[str, float] = PACES, day: str = DAY, **feed: object) -> None:
        self.now_ns = self.begin_ns = at(clock, day)
        self.judge = Judge(self.now_ns, 0.0)
        self.paces = dict(paces)
        self.states: dict[str, tuple[SubscriptionState, Reason | None]] = dict.fromkeys(paces, ("ticking", None))
        self.feed(**feed)
        self.want()

    def feed(self, **changes: object) -> None:
        self.judge.feed(FeedSeen(**{"session": "1", "state": "ready", **changes}))  # type: ignore[arg-type]

    def want(self, **changes: object) -> None:
        self.judge.want([(name, state, why) for name, (state, why) in self.states.items()])

    @property
    def wall_s(self) -> float:
        return (self.now_ns - self.begin_ns) / S

    def run(self, seconds: float, silent: Iterable[str] = ()) -> Findings:
        """Let time pass in steps of a quarter of a second."""
        found = self.judge.look(self.wall_s)
        for _ in range(round(seconds * 4)):
            self.now_ns += S // 4
            for name, pace_s in self.paces.items():
                if self.now_ns % int(pace_s * S) == 0 and name not in silent:
                    self.judge.tick(name, self.now_ns, (), self.wall_s)
            found = self.judge.look(self.wall_s)
        return found

    def until_found(self, silent: Iterable[str], most_s: float = 300) -> tuple[float, Findings]:
        """Seconds until something is found, and what."""
        for quarter in range(round(most_s * 4)):
            found = self.run(0.25, silent)
            if found.cases or found.session_trouble:
                return (quarter + 1) / 4, found
        raise AssertionError("nothing was found")


def verdicts(found: Findings) -> dict[str, Verdict]:
    return {one.instrument: one.verdict for one in found.cases}
