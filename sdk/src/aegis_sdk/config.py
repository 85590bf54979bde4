"""Settings that every process of a desk has: where NATS is, and who this instance is.

A program reads its environment once, in its bootstrap, by `Settings.from_environment(os.environ)`. Variables:

    AEGIS_NATS_URL            nats://host:port, several with commas; needed
    AEGIS_NATS_USER           user name, if the server wants one
    AEGIS_NATS_PASSWORD       its password, or AEGIS_NATS_PASSWORD_FILE, a file that holds it
    AEGIS_NATS_REPLICAS       copies of each stream and bucket: 1 (default) or 3
    AEGIS_INSTANCE            this instance's name; random where it is not given
    AEGIS_ZONE                where it runs; `local` where it is not given
    AEGIS_WEIGHT              its share of calls among its like, 1 to 1000; 100 where it is not given
    AEGIS_METRICS_PORT        where /metrics and /healthz are served, on 127.0.0.1; without it, or 0: a free port
    AEGIS_TIMERS              aggressive, balanced or conservative: the timers of a single-active service, in place of
                              those that it declares
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from aegis_sdk import subjects
from aegis_sdk.errors import ConfigurationError

__all__ = ["Settings", "validated"]

Model = TypeVar("Model", bound=BaseModel)

_SCHEMES: Final = ("nats", "tls")


def _address(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"nats://{url}")
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError("an address is written nats://host:port or tls://host:port")
    if parts.username or parts.password:
        raise ValueError("user and password are settings of their own, never part of the address")
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 4222}"


def _name(text: str) -> str:
    if text and not subjects.TOKEN.fullmatch(text):
        raise ValueError("only letters, digits, '-', '_' and '=', at most 128 of them")
    return text


class Settings(BaseModel):
    """What every process needs to join a desk. Frozen; validated when built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nats_url: Annotated[tuple[Annotated[str, AfterValidator(_address)], ...], Field(min_length=1)]
    nats_user: str = ""
    nats_password: SecretStr = SecretStr("")
    nats_replicas: Literal[1, 3] = 1
    instance: Annotated[str, AfterValidator(_name)] = ""
    zone: Annotated[str, AfterValidator(_name)] = "local"
    weight: Annotated[int, Field(ge=1, le=1000)] = 100
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    timers: Literal["aggressive", "balanced", "conservative"] | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the variables listed above. Raises ConfigurationError naming the variable that is wrong."""
        values: dict[str, Any] = {}
        for field in cls.model_fields:
            variable = _variable(field)
            if environment.get(variable):
                values[field] = environment[variable]
            elif environment.get(f"{variable}_FILE"):
                values[field] = _read_secret(f"{variable}_FILE", environment[f"{variable}_FILE"])
        if "nats_url" in values:
            values["nats_url"] = tuple(part.strip() for part in values["nats_url"].split(","))
        for field in {"nats_replicas", "metrics_port"} & values.keys():
            values[field] = _number(_variable(field), values[field])
        return validated(cls, values, shown=_variable)


def validated(model: type[Model], values: Mapping[str, Any], shown: Callable[[str], str] = str) -> Model:
    """`model` built from values; the first thing that is wrong as one ConfigurationError.

    `shown` turns a field's name into what its user knows it as.
    """
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = shown(str(first["loc"][0])) if first["loc"] else model.__name__
        problem = "is needed, but not set" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(field, problem) from None


def _variable(field: str) -> str:
    return f"AEGIS_{field.upper()}"


def _number(variable: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigurationError(variable, f"{text[:20]!r} is not a number")
    return int(text)


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ConfigurationError(variable, f"cannot be read: {error}") from None
