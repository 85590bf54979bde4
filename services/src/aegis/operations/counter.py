"""The simulated CTP counter of a desk: a process of its own, and the profile by which market data logs in there.

Its ports and its user are made anew with each desk, before anything starts: so it can be started again by itself, and
whoever logs in finds it where it was.
"""

from __future__ import annotations

import importlib.util
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aegis.operations.plan import ServicePlan
from aegis.profiles.writing import write_private, write_profile
from aegis_sdk.server import ports

__all__ = ["Counter", "is_built"]

_NAME: Final = "ctpsim"
_REQUESTS_PER_S: Final = 500
"""Of a session, as brokers bound them: a desk that asks for all futures at once is refused some, and asks again."""
_LIBRARIES: Final = ("libthostmduserapi_se.so", "libthosttraderapi_se.so")


def is_built() -> bool:
    """Whether this machine has the counter, its drop-in libraries and vnpy's wrappers."""
    built = all((_libraries() / name).exists() for name in _LIBRARIES)
    return built and all(importlib.util.find_spec(name) for name in (_NAME, "vnpy_ctp"))


@dataclass(frozen=True)
class Counter:
    """Kept in `directory`, which holds secrets: of mode 0700, its files of 0600."""

    directory: Path
    fronts: tuple[tuple[int, int], ...]  # market data and trader ports: of the primary login, and of the backup

    @classmethod
    def on_free_ports(cls, directory: Path, reserved: ports.Reserved) -> Counter:
        """On ports that are reserved for it, also while it is down."""
        market, trader, market_too, trader_too = reserved.pick(4)
        return cls(directory, ((market, trader), (market_too, trader_too)))

    def service(self) -> ServicePlan:
        """Its process. It is ready when its access file says so."""
        return ServicePlan(
            service=_NAME,
            instance=_NAME,
            command=(
                *(sys.executable, "-m", _NAME, "serve", "--directory", str(self.directory)),
                *("--users", str(self._users), "--fronts", str(len(self.fronts))),
                *("--requests-per-s", str(_REQUESTS_PER_S)),
                *(word for front in self.fronts for port in front for word in ("--port", str(port))),
            ),
            ready_file=str(self.directory / "access.json"),
        )

    def environment(self) -> Mapping[str, str]:
        """What market data is told, to log in there."""
        return {"AEGIS_PROFILE": str(self._profile)}

    def write(self) -> None:
        """Make a user for each login, and write down what both sides must know of them."""
        users = [_user() for _ in self.fronts]
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._users, json.dumps(users))
        logins = [_login(user, front) for user, front in zip(users, self.fronts, strict=True)]
        write_profile(self._profile, _libraries(), *logins)

    @property
    def _users(self) -> Path:
        return self.directory / "users.json"

    @property
    def _profile(self) -> Path:
        return self.directory / "ctpsim.toml"


def _user() -> dict[str, str]:
    return {
        "broker_id": "9999",
        "user_id": f"{secrets.randbelow(900_000) + 100_000}",
        "password": secrets.token_urlsafe(12),
        "app_id": "aegis_ctpsim_1.0",
        "auth_code": secrets.token_hex(8).upper(),
    }


def _login(user: dict[str, str], front: tuple[int, int]) -> dict[str, str]:
    market, trader = (f"tcp://{ports.HOST}:{port}" for port in front)
    return {**user, "market_fronts": market, "trader_fronts": trader}


def _libraries() -> Path:
    return Path(sys.prefix) / "share" / _NAME / "lib"
