"""A CTP profile: who logs in at which fronts. Frozen, and refused when built if anything in it is wrong.

The limits are the lengths of CTP's own fields (ThostFtdcUserApiDataType.h: BrokerID 10, UserID 15, Password 40, AppID
32, AuthCode 16 bytes). CTP's Python wrapper copies strings into them without looking: a longer one ends the process.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, model_validator

from aegis.contracts.market import Env

__all__ = ["CtpLogin", "CtpProfile"]

_FRONT_BYTES: Final = 100
_FRONTS: Final = 8
_SOCKS: Final = re.compile(
    r"socks(4|4a|5)://[^\s/]+:\d{1,5}(/\S*)?"
)  # the proxy's, and what the broker wants behind it


def _fits(limit: int) -> Callable[[str], str]:
    """Printable ASCII of at most `limit` characters, each of them one byte of CTP's field."""

    def checked(text: str) -> str:
        if not text:
            raise ValueError("is empty")
        if len(text.encode()) > limit:
            raise ValueError(f"has {len(text.encode())} bytes; CTP takes at most {limit}")
        if not (text.isascii() and text.isprintable()) or text != text.strip():
            raise ValueError("may hold printable ASCII only, and no blank at its ends")
        return text

    return checked


def _secret(limit: int) -> Callable[[SecretStr], SecretStr]:
    def checked(secret: SecretStr) -> SecretStr:
        _fits(limit)(secret.get_secret_value())
        return secret

    return checked


def _front(address: str) -> str:
    _fits(_FRONT_BYTES)(address)
    if "@" in address:
        raise ValueError("names a user; a proxy that asks for one is not supported")
    if not (_SOCKS.fullmatch(address) or _is_direct(address)):
        raise ValueError("is not written tcp://host:port (or ssl://, socks4://, socks5://)")
    return address


def _is_direct(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("tcp", "ssl") and bool(parts.hostname and parts.port) and address.endswith(parts.netloc)
    except ValueError:  # the port is none
        return False


def _few(fronts: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(fronts) <= _FRONTS:
        raise ValueError(f"has {len(fronts)} addresses; 1 to {_FRONTS} are wanted")
    return fronts


Fronts = Annotated[tuple[Annotated[str, AfterValidator(_front)], ...], AfterValidator(_few)]


class CtpLogin(BaseModel):
    """One account, and the fronts that it may use, any of which will do."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    broker_id: Annotated[str, AfterValidator(_fits(10))]
    user_id: Annotated[str, AfterValidator(_fits(15))]
    password: Annotated[SecretStr, AfterValidator(_secret(40))]
    app_id: Annotated[str, AfterValidator(_fits(32))]
    auth_code: Annotated[SecretStr, AfterValidator(_secret(16))]
    market_fronts: Fronts
    trader_fronts: Fronts


class CtpProfile(BaseModel):
    """What a CTP session is opened with.

    `env` marks each tick and order. `production` chooses the key by which CTP's library encrypts what it reports of
    this machine: True for production fronts and for SimNow, False for a broker's evaluation fronts. `libraries` is a
    directory of drop-in libraries, such as those of a simulated counter; never with `live`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str
    env: Env
    production: bool
    libraries: str = ""
    primary: CtpLogin
    backup: CtpLogin | None = None

    @model_validator(mode="after")
    def _trade_with_real_libraries(self) -> Self:
        if self.libraries and self.env == "live":
            raise ValueError("a live profile uses CTP's own libraries")
        return self
