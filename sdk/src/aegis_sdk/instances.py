"""What is said about services and their instances: records in KV, and heartbeats. Pure data."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple, cast

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SecretStr

__all__ = [
    "Changed",
    "Heartbeat",
    "Instance",
    "InstanceRecord",
    "InstanceStatus",
    "Joined",
    "Left",
    "Reason",
    "ServiceDefinition",
    "Vitals",
    "digest",
    "masked",
    "new_incarnation",
]

HEARTBEAT_S: Final = 0.25
MASK: Final = "***"
_SECRET_NAME: Final = re.compile(
    r"passw|secret|credential|api[_-]?key|private[_-]?key|auth[_-]?code|(^|[_-])(token|nkey|seed|pin)$", re.I
)
_WITHIN: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # where accessToken has its second word
_USER_INFO: Final = re.compile(r"(?<=://)[^/@\s]+@")

Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9_=-]{1,128}$")]


class InstanceStatus(StrEnum):
    """What an instance says of itself."""

    STARTING = "STARTING"  # announced, not yet serving
    ACTIVE = "ACTIVE"
    STANDBY = "STANDBY"
    DRAINING = "DRAINING"  # finishes what it has and takes nothing new
    UNHEALTHY = "UNHEALTHY"
    GONE = "GONE"  # only in the last heartbeat of an orderly stop


def new_incarnation() -> str:
    """64 random bits in hex: one start of a process. Which of two is the newer, only their order in KV tells."""
    return secrets.token_hex(8)


def masked(value: Any, name: str = "") -> Any:
    """A configuration that may be shown: values of names like `password`, and users in addresses, become `***`."""
    if isinstance(value, SecretStr) or (value and _SECRET_NAME.search(_WITHIN.sub("_", name))):
        return MASK if value else ""
    if isinstance(value, str):
        return _USER_INFO.sub(f"{MASK}@", value)
    if isinstance(value, Mapping):
        return {key: masked(item, str(key)) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in cast("list[Any]", value)]
    return value


class InstanceRecord(BaseModel):
    """One start of one instance, as KV bucket `aegis_instances` holds it. What is alive, heartbeats tell."""

    model_config = ConfigDict(frozen=True)

    service: Token
    instance: Token
    incarnation: Token = Field(default_factory=new_incarnation)
    version: str = ""
    zone: str = ""
    weight: int = Field(default=100, ge=0)
    tags: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()  # subjects
    started_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    status: InstanceStatus = InstanceStatus.STARTING
    maintenance: bool = False  # DRAINING until it is released; otherwise until it ends
    keys: dict[str, int] = {}  # held as the single active instance, to their epochs
    configuration: Annotated[dict[str, JsonValue], BeforeValidator(masked)] = {}
    metrics_port: int | None = None
    heartbeat_s: float = Field(default=HEARTBEAT_S, gt=0)


class ServiceDefinition(BaseModel):
    """What a service is, whichever instances run, as KV bucket `aegis_services` holds it."""

    model_config = ConfigDict(frozen=True)

    name: Token
    version: str = ""
    methods: tuple[str, ...] = ()
    description: str = ""


class Heartbeat(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an instance says four times a second or more on core NATS. `sequence` grows within an incarnation.

    The rest is said by instances of single-active services: how many keys they hold, and which of them they say are
    suspended. `pairs` come when they change, after a reconnect and every 5 s, `digest` and `held` each time.
    """

    incarnation: str
    status: InstanceStatus
    sequence: int
    held: int = 0
    digest: str = ""  # of the pairs
    pairs: dict[str, int] | None = None  # key to epoch; None: not said this time
    suspended: tuple[str, ...] = ()  # at most 400


class Vitals(NamedTuple):
    """What a registration asks for right before each heartbeat. `pairs` are all; it sends them when it is time to."""

    held: int = 0
    digest: str = ""
    pairs: Mapping[str, int] = MappingProxyType({})
    suspended: tuple[str, ...] = ()


def digest(pairs: Mapping[str, int]) -> str:
    """16 hex digits of the (key, epoch) pairs, whatever their order; empty where there are none."""
    if not pairs:
        return ""
    said = "\n".join(f"{key} {epoch}" for key, epoch in sorted(pairs.items()))
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


class Reason(StrEnum):
    """Why an instance left."""

    STOPPED = "stopped"  # it said goodbye
    DRAINED = "drained"  # it said goodbye after draining
    KILLED = "killed"  # nobody answers on its subjects any more
    SILENT = "silent"  # it is connected, but says nothing: stopped or hanging
    REPLACED = "replaced"  # the same instance was started anew


class Instance(NamedTuple):
    """An instance as the table knows it. `status` is that of its last heartbeat, `age_s` the seconds since then."""

    record: InstanceRecord
    status: InstanceStatus
    age_s: float
    confirmed: bool  # heard by this table; if not, only its record is known


class Joined(NamedTuple):
    instance: Instance


class Left(NamedTuple):
    instance: Instance
    reason: Reason


class Changed(NamedTuple):
    instance: Instance
    before: Instance
