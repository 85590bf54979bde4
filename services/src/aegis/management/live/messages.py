"""What a client and the server say to each other over the WebSocket, and the rows of each topic.

The first message is the server's `hello`. A client subscribes, with origin and sequence of the last complete message
where it goes on after a cut, and gets of each topic a `snapshot`, which replaces all rows, then `delta`s, which set
some `rows` and take out those `gone`. Large ones come in `parts`: the first is 0. A `state` says of each topic whether
its rows are true; none of them comes before all are known.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.json_schema import models_json_schema

from aegis.contracts.marketdata import FeedStatus
from aegis.contracts.orders import Account, Order, Position
from aegis.contracts.subscriptions import SubscriptionView
from aegis.management.audit import AuditEntry
from aegis.management.jetstream import ConsumerView
from aegis.management.logs import LogLine
from aegis.management.problems import ProblemBody
from aegis.management.views import InstanceRow, LeaseView, TickView
from aegis_sdk.discovery import DirectoryState
from aegis_sdk.samples import Sample

__all__ = [
    "MOST_TOPICS",
    "REF",
    "Alive",
    "Asked",
    "Hello",
    "LiveMessage",
    "LiveRows",
    "Refused",
    "Table",
    "TopicState",
    "live_schemas",
]

MOST_TOPICS: Final = 200
REF: Final = "#/components/schemas/{model}"


class Wanted(BaseModel):
    """A topic; with origin and sequence from there on."""

    model_config = ConfigDict(extra="forbid")

    topic: Annotated[str, Field(max_length=128)]
    origin: Annotated[str, Field(max_length=16)] = ""
    sequence: Annotated[int, Field(ge=0, le=2**53)] | None = None


class Asked(BaseModel):
    """What a client sends over the WebSocket."""

    model_config = ConfigDict(extra="forbid")

    op: Literal["subscribe", "unsubscribe"]
    topics: Annotated[list[Wanted], Field(min_length=1, max_length=MOST_TOPICS)]


class Hello(BaseModel):
    """The first message: which instance answers."""

    type: Literal["hello"] = "hello"
    instance: str


class Alive(BaseModel):
    """Once a second. What is shown is old while the service hears nothing of the desk: `stale`."""

    type: Literal["alive"] = "alive"
    at: datetime
    hears: DirectoryState


class Refused(BaseModel):
    """A topic that is not followed, and why: `not_found`, `role_needed` or `overloaded`."""

    type: Literal["refused"] = "refused"
    topic: str
    problem: ProblemBody


class TopicState(BaseModel):
    """Of a topic at first, and when it changes: whether its rows are what their source says, and since when.

    `filling`: not known yet, what a client had before is old. `failing`: the source cannot be read, `problem` says why;
    the rows are as they were at `since`, and it is tried again each second.
    """

    type: Literal["state"] = "state"
    topic: str
    state: Literal["filling", "live", "failing"]
    since: datetime
    problem: ProblemBody | None = None


class Table(BaseModel):
    """Rows of a topic by their keys: all of them, or what has changed. `LiveRows` has their shapes."""

    type: Literal["snapshot", "delta"]
    topic: str
    origin: str
    sequence: int
    part: int
    parts: int
    rows: dict[str, Any]
    gone: list[str]


class LiveMessage(RootModel[Annotated[Hello | Alive | Refused | TopicState | Table, Field(discriminator="type")]]):
    """Any message of the server."""


class Beat(BaseModel):
    """How old the last heartbeat of an instance is."""

    age_s: float


class LiveRows(BaseModel):
    """A row of each kind of topic, by the topic's first word. Of `orders` the row's key tells which it is."""

    instances: InstanceRow
    beats: Beat
    leases: LeaseView
    metrics: Sample
    feeds: FeedStatus
    coverage: SubscriptionView
    ticks: TickView
    orders: Order | Position | Account
    consumers: ConsumerView
    audit: AuditEntry
    logs: LogLine


def live_schemas() -> dict[str, Any]:
    """All of that for the OpenAPI document, which knows no WebSockets."""
    said = models_json_schema(
        [(Asked, "validation"), (LiveMessage, "serialization"), (LiveRows, "serialization")], ref_template=REF
    )
    return said[1]["$defs"]
