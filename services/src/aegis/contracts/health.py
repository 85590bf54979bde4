"""What the health agent finds and does, and how the operations plane is told and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from aegis.contracts.reasons import Reason
from aegis_sdk.method import Empty, Method

__all__ = [
    "ESCALATED",
    "REPORT",
    "SERVICE",
    "CaseView",
    "Escalation",
    "ExchangeView",
    "HealthChanged",
    "HealthReport",
    "HealthUnknown",
    "InstanceView",
    "LevelName",
    "RecoveryAnswer",
    "RepairDone",
    "RepairKind",
    "RepairView",
    "UniverseView",
]

SERVICE: Final = "health"
OPERATIONS: Final = "operations"

LevelName = Literal["healthy", "degraded", "critical", "unknown"]
RepairKind = Literal["resubscribe", "renew", "fail_over", "escalate"]
RepairOutcome = Literal["done", "failed", "not_possible"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExchangeView(_Frozen):
    """The instruments of one exchange, or of all; `verdicts` counts the wanted by what was found of each."""

    exchange: str  # empty: all
    phase: str  # closed, break, auction or trading
    wanted: int
    subscribed: int
    due: int  # wanted, listed and not expired
    covered: int  # of these, subscribed and without an alarm
    ticked: int  # of the wanted, since the agent began to look
    coverage: float  # covered / due; 1 where nothing is due
    verdicts: dict[str, int]


class InstanceView(_Frozen):
    """An instance of market data that brings this feed set."""

    instance: str
    status: str  # ACTIVE, STANDBY and so on
    holds: bool  # whether it publishes
    session: str
    state: str
    why: list[Reason]


class CaseView(_Frozen):
    """An instrument with which something is wrong. Seconds are of its trading time, null where they are not known."""

    instrument: str
    verdict: str
    why: list[Reason]
    silent_s: float | None
    usual_s: float | None  # the interval that 19 of 20 of its intervals do not exceed
    attempts: int  # repairs that were tried


class RepairView(_Frozen):
    """A repair that was tried; `instruments` is how many it was for, 0: all."""

    at: datetime
    kind: RepairKind
    instruments: int
    why: list[Reason]
    outcome: RepairOutcome
    result: Reason | None


class UniverseView(_Frozen):
    """The futures that the calendar expects on this trading day, next to those that the feed lists.

    For people: what an exchange has begun or ended to list since the table of products was written shows here. Of each
    kind at most 20 are named.
    """

    listed: int
    expected: int
    expired: list[str]  # listed, and past their last trading day
    unexpected: int
    named_unexpected: list[str]
    not_listed: int
    named_not_listed: list[str]
    missing: int  # listed since the agent began, not past their last trading day, and listed no more
    named_missing: list[str]


class HealthReport(_Frozen):
    """How a feed set is. `exit_code` is that of `aegis health`: 0 healthy, 1 degraded, 2 critical, 3 unknown."""

    feed: str
    level: LevelName
    exit_code: int
    why: list[Reason]  # it is not healthy
    checked_at: datetime
    market_time: datetime
    agent_epoch: int | None  # of the agent that says so; null: a look without one
    repairs_on: bool
    instances: list[InstanceView]
    in_all: ExchangeView
    exchanges: list[ExchangeView]
    cases: list[CaseView]  # at most 200, by instrument
    universe: UniverseView
    repairs: list[RepairView]  # the last 20
    escalated: list[str]  # what was left to a person: instruments, or "session"


class HealthUnknown(_Frozen):
    """What `aegis health --json` prints in place of a report where there is none."""

    feed: str
    level: Literal["unknown"] = "unknown"
    exit_code: Literal[3] = 3
    why: list[Reason]


class HealthChanged(_Frozen):
    """Event `event.health.<feed>.changed`: another level, or other instruments with alarms; at most 50 are named."""

    feed: str
    level: LevelName
    why: list[Reason]
    cases: int
    named: list[str]
    market_time: datetime


class RepairDone(_Frozen):
    """Event `event.health.<feed>.repair`: a repair was tried; at most 50 of its instruments are named."""

    feed: str
    kind: RepairKind
    instruments: int  # 0: all
    named: list[str]
    why: list[Reason]
    outcome: RepairOutcome
    result: Reason | None


class Escalation(_Frozen):
    """Event `event.health.<feed>.escalated`, and what `operations.escalated` is told: repairs have not helped."""

    feed: str
    level: LevelName
    why: list[Reason]
    instruments: int  # 0: the session as a whole
    named: list[str]  # at most 50
    tried: list[RepairView]


class RecoveryAnswer(_Frozen):
    """What the operations plane says to an escalation.

    none: nothing is to be done here. retry: what was wrong is mended, begin the repairs anew. hold: somebody is at work
    on it, so repair nothing for `hold_s` seconds.
    """

    decision: Literal["none", "retry", "hold"] = "none"
    hold_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    note: Annotated[str, Field(max_length=500)] = ""


REPORT: Final = Method(SERVICE, "report", Empty, HealthReport, idempotent=True)
ESCALATED: Final = Method(OPERATIONS, "escalated", Escalation, RecoveryAnswer)
