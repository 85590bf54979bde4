"""What routes and live topics show alike."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, JsonValue

from aegis.contracts.market import Env, Flag
from aegis_sdk.instances import Instance, InstanceRecord, InstanceStatus
from aegis_sdk.lease_view import KeyState

__all__ = ["LEASE", "InstanceRow", "InstanceView", "LeaseView", "TickView"]


_INSTANCE: Final = {
    "service": "trading",
    "instance": "trading-1",
    "incarnation": "8f14e45fceea167a",
    "version": "0.1.0",
    "zone": "local",
    "weight": 100,
    "tags": [],
    "status": "ACTIVE",
    "maintenance": False,
    "started_at": "2026-11-28T09:00:00Z",
    "keys": {"paper": 4},
    "endpoints": [],
    "metrics_port": 40123,
    "configuration": {"nats_password": "***"},
}


class InstanceRow(BaseModel):
    """What an instance says of itself, secrets masked. `metrics_port` is on its machine's loopback."""

    model_config = ConfigDict(json_schema_extra={"examples": [_INSTANCE]})

    service: str
    instance: str
    incarnation: str
    version: str
    zone: str
    weight: int
    tags: list[str]
    status: InstanceStatus
    maintenance: bool  # drained until it is released
    started_at: datetime
    keys: dict[str, int]  # held, to their epochs
    endpoints: list[str]
    metrics_port: int | None
    configuration: dict[str, JsonValue]

    @staticmethod
    def told(record: InstanceRecord, status: InstanceStatus) -> InstanceRow:
        return InstanceRow(
            service=record.service,
            instance=record.instance,
            incarnation=record.incarnation,
            version=record.version,
            zone=record.zone,
            weight=record.weight,
            tags=list(record.tags),
            status=status,
            maintenance=record.maintenance,
            started_at=record.started_at,
            keys=record.keys,
            endpoints=list(record.endpoints),
            metrics_port=record.metrics_port,
            configuration=record.configuration,
        )


class InstanceView(InstanceRow):
    """A living instance, and how old its last heartbeat is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_INSTANCE, "heartbeat_age_s": 0.412}]})

    heartbeat_age_s: float

    @classmethod
    def of(cls, one: Instance) -> Self:
        row = InstanceRow.told(one.record, one.status)
        return cls(**row.model_dump(), heartbeat_age_s=round(one.age_s, 3))


LEASE = {
    "service": "trading",
    "key": "paper",
    "holder": "trading-1",
    "epoch": 4,
    "state": "ACTIVE",
    "since": "2026-11-28T09:00:00.123Z",
    "gap_ms": None,
    "last_holder": None,
    "successor": None,
    "sequence": 4,
}


class LeaseView(BaseModel):
    """A key and its latest lease. `gap_ms`: for how long the holder before had been silent; None where it gave it."""

    model_config = ConfigDict(json_schema_extra={"examples": [LEASE]})

    service: str
    key: str
    holder: str | None
    epoch: int | None
    state: KeyState
    since: datetime
    gap_ms: int | None
    last_holder: str | None
    successor: str | None
    sequence: int


class TickView(BaseModel):
    """A tick, as docs/ticks.md describes it. Times are UTC nanoseconds since 1970; a level is [price, lots]."""

    env: Env
    feed: str
    source: str
    session: str
    epoch: int
    sequence: int
    exchange: str
    symbol: str
    trading_day: str
    action_day: str
    ts_exchange_ns: int
    ts_received_ns: int
    last_price: float | None
    open_price: float | None
    high_price: float | None
    low_price: float | None
    pre_close_price: float | None
    pre_settlement_price: float | None
    settlement_price: float | None
    upper_limit_price: float | None
    lower_limit_price: float | None
    volume: int
    turnover: float
    volume_delta: int
    turnover_delta: float
    open_interest: float
    pre_open_interest: float | None
    bids: list[tuple[float, int]]
    asks: list[tuple[float, int]]
    flags: list[Flag]
