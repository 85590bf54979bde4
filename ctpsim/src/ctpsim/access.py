"""The file by which others find a running counter, and what lets them in. Mode 0600."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from aegis_sdk.errors import AegisError

__all__ = ["Access", "FrontAddress", "UserAccess", "read_access", "write_access"]

NAME: Final = "access.json"


class FrontAddress(msgspec.Struct, frozen=True, kw_only=True):
    """As a CTP client writes it: tcp://127.0.0.1:PORT."""

    market: str
    trader: str


class UserAccess(msgspec.Struct, frozen=True, kw_only=True):
    broker_id: str
    user_id: str
    password: str
    app_id: str
    auth_code: str

    def __repr__(self) -> str:
        return f"UserAccess({self.broker_id}, {self.user_id})"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """`control_port` hears whoever knows the token."""

    pid: int
    fronts: tuple[FrontAddress, ...]
    users: tuple[UserAccess, ...]
    libraries: str
    locale: str
    control_port: int
    token: str

    def login(self, user: int = 0, front: int = 0) -> dict[str, str]:
        """How one of the users logs in, by the fields of a section of a profile."""
        at = self.fronts[front]
        return {**msgspec.structs.asdict(self.users[user]), "market_fronts": at.market, "trader_fronts": at.trader}

    def __repr__(self) -> str:
        return f"Access(pid={self.pid}, fronts={self.fronts})"


def write_access(directory: Path, access: Access) -> Path:
    """At once, and readable by its owner only."""
    path = directory / NAME
    partial = directory / f".{NAME}.{os.getpid()}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(access), indent=2))
    partial.replace(path)
    return path


def read_access(path: Path) -> Access:
    """Raises AegisError where there is none, or none that is understood."""
    file = path / NAME if path.is_dir() else path
    try:
        return msgspec.json.decode(file.read_bytes(), type=Access)
    except FileNotFoundError:
        raise AegisError(f"no counter has left {file}: ctpsim serve") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise AegisError(f"{file} cannot be read: {error}") from error
