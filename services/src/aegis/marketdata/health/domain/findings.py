"""What the judge finds: a verdict on each instrument and each front, and a level for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from aegis.contracts.reasons import Reason, sentence_of

__all__ = ["ALARMS", "Case", "ExchangeFindings", "Findings", "Level", "Verdict", "exchange_of"]


class Level(IntEnum):
    """How it stands; the exit code of `aegis health`."""

    HEALTHY = 0
    DEGRADED = 1
    CRITICAL = 2
    UNKNOWN = 3  # the check itself could not run


class Verdict(StrEnum):
    """On one instrument that somebody wants."""

    HEALTHY = "healthy"  # it ticks as it usually does
    QUIET = "quiet"  # subscribed, and it ticks too rarely for its silence to mean anything
    RESTING = "resting"  # its session is closed, in a break or an auction
    ENDED = "ended"  # the source is a recording that was played to its end
    EXPIRED = "expired"  # its last trading day is over
    NOT_LISTED = "not_listed"
    NOT_SUBSCRIBED = "not_subscribed"
    NEVER_TICKED = "never_ticked"  # subscribed, and not even the snapshot came that answers a subscription
    STALLED = "stalled"  # silent for longer than chance explains, while its front ticks
    FRONT_SILENT = "front_silent"  # so is all of its exchange
    SESSION_DOWN = "session_down"  # the feed has no session


ALARMS: Final = frozenset(
    {
        Verdict.NOT_LISTED,
        Verdict.NOT_SUBSCRIBED,
        Verdict.NEVER_TICKED,
        Verdict.STALLED,
        Verdict.FRONT_SILENT,
        Verdict.SESSION_DOWN,
    }
)
"""Verdicts that say something is wrong."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """An instrument with which something is wrong. Seconds are of its trading time."""

    instrument: str
    verdict: Verdict
    why: tuple[Reason, ...] = ()
    silent_s: float | None = None
    usual_s: float | None = None  # its usual interval, where it is known


@dataclass(frozen=True, kw_only=True)
class ExchangeFindings:
    """The instruments of one exchange, or of all."""

    phase: str  # of the exchange: that of the product that is furthest in its day
    wanted: int
    subscribed: int
    due: int  # wanted, listed and not expired: what should be covered
    covered: int  # of these, subscribed and without an alarm
    ticked: int  # of the wanted, since we began to look
    verdicts: Mapping[Verdict, int]

    @property
    def coverage(self) -> float:
        """The share of what should be covered that is; 1 where nothing should."""
        return self.covered / self.due if self.due else 1.0


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All of it at one moment of the market."""

    level: Level
    why: tuple[Reason, ...]  # it is not healthy
    market_ns: int  # UTC
    is_trading: bool  # something that is wanted trades
    trouble: tuple[Reason, ...]  # what is wrong with the session as a whole
    is_down: bool  # the feed has no session at all
    cases: tuple[Case, ...]  # by instrument
    in_all: ExchangeFindings
    exchanges: Mapping[str, ExchangeFindings]
    missing: tuple[str, ...] = ()  # the feed listed them, and does so no more before their last trading day

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return sentence_of(self.why)

    @property
    def session_trouble(self) -> str:
        """What is wrong with the session as a whole, in one line; empty: nothing."""
        return sentence_of(self.trouble)

    @property
    def silent(self) -> frozenset[str]:
        """Exchanges of which nothing comes."""
        return frozenset(exchange_of(one.instrument) for one in self.cases if one.verdict is Verdict.FRONT_SILENT)

    @property
    def others_trade(self) -> bool:
        """Whether something is wanted that trades on an exchange which is not silent."""
        silent = self.silent
        return any(one.phase == "trading" for name, one in self.exchanges.items() if name not in silent)


def exchange_of(instrument: str) -> str:
    return instrument.partition(".")[0]
