"""The management service's settings, read once from the environment.

AEGIS_MANAGEMENT_HOST             the address to listen on; 127.0.0.1. Another than the loopback needs ORIGINS, and TLS
                                  or BEHIND_TLS
AEGIS_MANAGEMENT_PORT             8420; 0: a free one
AEGIS_MANAGEMENT_ANY_PORT         1: a free port where that one is in use
AEGIS_MANAGEMENT_TLS_CERTIFICATE  a PEM file of the certificate and its chain
AEGIS_MANAGEMENT_TLS_KEY          a PEM file of its key, which is not encrypted
AEGIS_MANAGEMENT_BEHIND_TLS       1: what stands in front of us speaks TLS with the browsers; needs PROXIES
AEGIS_MANAGEMENT_ORIGINS          where browsers find us, with commas between them: https://desk.example.com
AEGIS_MANAGEMENT_PROXIES          addresses or networks whose X-Forwarded-For is believed, with commas between them
AEGIS_MANAGEMENT_CONSOLE          the directory of a built console; that of `make ui`, where it is there; empty: none
AEGIS_MANAGEMENT_RECORDING        the directory of the desk's recording, for bars older than the stream
AEGIS_MANAGEMENT_NOTE             a file that says where we listen and the first sign-in; for its owner's eyes only
AEGIS_MANAGEMENT_NATS_MONITORS    where the NATS servers answer their monitoring pages, with commas between them:
                                  http://127.0.0.1:8222
AEGIS_MANAGEMENT_IDLE_MIN         minutes after which a session that asks nothing ends; 30
AEGIS_MANAGEMENT_SESSION_H        hours after which each session ends; 12
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from aegis.management.certificates import loaded
from aegis_sdk.config import validated
from aegis_sdk.errors import ConfigurationError

__all__ = ["ManagementSettings"]

_USUAL_PORTS: Final = {"http": 80, "https": 443}


def _listed(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("an origin is written https://host or http://host:port")
    if parts.username or parts.password:
        raise ValueError("an origin has no user")
    return _as_browsers_say(text.lower())


def _as_browsers_say(origin: str) -> str:
    """Without the scheme's usual port: so they write it, as Origin and as Host."""
    parts = urlsplit(origin)
    return origin.removesuffix(f":{parts.port}") if parts.port == _USUAL_PORTS[parts.scheme] else origin


def _proxy(text: str) -> str:
    """What else is given, a name or `*`, would be believed of nobody, or of everybody."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{text} is neither an address, 10.0.0.1, nor a network, 10.0.0.0/8") from None
    return text


def _page(text: str) -> str:
    return _origin(text.rstrip("/"))


class ManagementSettings(BaseModel):
    """Frozen; validated when built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]{2,45}$")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8420
    any_port: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    behind_tls: bool = False
    origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...], Field(max_length=16), BeforeValidator(_listed)
    ] = ()
    proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_proxy)], ...], Field(max_length=64), BeforeValidator(_listed)
    ] = ()
    console: Path | None = None
    recording: Path | None = None
    note: Path | None = None
    nats_monitors: Annotated[
        tuple[Annotated[str, AfterValidator(_page)], ...], Field(max_length=16), BeforeValidator(_listed)
    ] = ()
    idle_min: Annotated[int, Field(ge=1, le=1_440)] = 30
    session_h: Annotated[int, Field(ge=1, le=168)] = 12

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ManagementSettings:
        """Read the variables listed above. Raises ConfigurationError naming the variable that is wrong."""
        values: dict[str, Any] = {
            field: environment[variable] for field in cls.model_fields if environment.get(variable := _variable(field))
        }
        settings = validated(cls, values, shown=_variable)
        settings.check()
        return settings

    def check(self) -> None:
        """Raises ConfigurationError for what does not go together."""
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            raise ConfigurationError(_variable("host"), f"{self.host!r} is no address") from None
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigurationError(_variable("tls_key"), "certificate and key are set both or not at all")
        for field in ("tls_certificate", "tls_key"):
            file: Path | None = getattr(self, field)
            if file is not None and not file.is_file():
                raise ConfigurationError(_variable(field), f"there is no file {file}")
        if self.tls_certificate is not None and self.tls_key is not None:
            loaded(self.tls_certificate, self.tls_key)
        if self.console is not None and not (self.console / "index.html").is_file():
            raise ConfigurationError(_variable("console"), f"{self.console} has no index.html")
        if self.behind_tls and not self.proxies:
            raise ConfigurationError(
                _variable("proxies"),
                "is needed with AEGIS_MANAGEMENT_BEHIND_TLS: the address of the proxy, which tells whom it serves; "
                "without, all people are one to us, and one of them uses up the attempts of all to sign in",
            )
        if address.is_loopback:
            return
        if not self.is_secure:
            raise ConfigurationError(
                _variable("host"),
                f"{self.host} is not the loopback: set the TLS certificate and key, or AEGIS_MANAGEMENT_BEHIND_TLS=1",
            )
        if not self.origins:
            raise ConfigurationError(_variable("origins"), f"is needed to listen on {self.host}")

    @property
    def is_secure(self) -> bool:
        """Whether browsers speak TLS: with us, or with what stands in front of us."""
        return self.tls_certificate is not None or self.behind_tls

    def own_origins(self, port: int) -> tuple[str, ...]:
        """Where browsers find us, once we listen on `port`; the first is what we tell people."""
        if not ipaddress.ip_address(self.host).is_loopback:
            return self.origins
        scheme = "https" if self.tls_certificate else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        own = (_as_browsers_say(f"{scheme}://{name}:{port}") for name in (host, "localhost"))
        return tuple(dict.fromkeys((*self.origins, *own)))


def _variable(field: str) -> str:
    return f"AEGIS_MANAGEMENT_{field.upper()}"
