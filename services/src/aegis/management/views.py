"""What routes and live topics show alike."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, JsonValue

from aegis_sdk.instances import Instance, InstanceStatus

__all__ = ["InstanceView"]


class InstanceView(BaseModel):
    """A living instance. `configuration` has its secrets masked; `metrics_port` is on its machine's loopback."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "service": "trading",
                    "instance": "trading-1",
                    "incarnation": "8f14e45fceea167a",
                    "version": "0.1.0",
                    "zone": "local",
                    "weight": 100,
                    "tags": [],
                    "status": "ACTIVE",
                    "heartbeat_age_s": 0.12,
                    "started_at": "2026-11-28T09:00:00Z",
                    "keys": {"paper": 4},
                    "endpoints": [],
                    "metrics_port": 40123,
                    "configuration": {"nats_password": "***"},
                }
            ]
        }
    )

    service: str
    instance: str
    incarnation: str
    version: str
    zone: str
    weight: int
    tags: list[str]
    status: InstanceStatus
    heartbeat_age_s: float
    started_at: datetime
    keys: dict[str, int]  # held, to their epochs
    endpoints: list[str]
    metrics_port: int | None
    configuration: dict[str, JsonValue]

    @classmethod
    def of(cls, one: Instance) -> Self:
        record = one.record
        return cls(
            service=record.service,
            instance=record.instance,
            incarnation=record.incarnation,
            version=record.version,
            zone=record.zone,
            weight=record.weight,
            tags=list(record.tags),
            status=one.status,
            heartbeat_age_s=round(one.age_s, 3),
            started_at=record.started_at,
            keys=record.keys,
            endpoints=list(record.endpoints),
            metrics_port=record.metrics_port,
            configuration=record.configuration,
        )
