"""The simulated CTP counter of a desk: a process of its own, and the profile by which market data logs in there.

Its ports and its user are made anew with each desk, before anything starts: so it can be started again by itself, and
whoever logs in finds it where it was.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aegis.operations.plan import ServicePlan
from aegis_sdk.server import ports

__all__ = ["Counter", "is_built"]

_NAME: Final = "ctpsim"
_LIBRARIES: Final = ("libthostmduserapi_se.so", "libthosttraderapi_se.so")


def is_built() -> bool:
    """Whether this machine has the counter, its drop-in libraries and vnpy's wrappers."""
    built = all((_libraries() / name).exists() for name in _LIBRARIES)
    return built and all(importlib.util.find_spec(name) for name in (_NAME, "vnpy_ctp"))


@dataclass(frozen=True)
class Counter:
    """Kept in `directory`, which holds secrets: of mode 0700, its files of 0600."""

    directory: Path
    market_port: int
    trader_port: int

    @classmethod
    def on_free_ports(cls, directory: Path) -> Counter:
        return cls(directory, *ports.pick(2))

    def service(self) -> ServicePlan:
        """Its process. It is ready when its access file says so."""
        return ServicePlan(
            service=_NAME,
            instance=_NAME,
            command=(
                *(sys.executable, "-m", _NAME, "serve", "--directory", str(self.directory)),
                *("--users", str(self._users), "--port", str(self.market_port), "--port", str(self.trader_port)),
            ),
            ready_file=str(self.directory / "access.json"),
        )

    def environment(self) -> Mapping[str, str]:
        """What market data is told, to log in there."""
        return {"AEGIS_PROFILE": str(self._profile)}

    def write(self) -> None:
        """Make a user, and write down what both sides must know of it."""
        user = {
            "broker_id": "9999",
            "user_id": f"{secrets.randbelow(900_000) + 100_000}",
            "password": secrets.token_urlsafe(12),
            "app_id": "aegis_ctpsim_1.0",
            "auth_code": secrets.token_hex(8).upper(),
        }
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(self._users, json.dumps([user]))
        login = "\n".join(f'{name} = "{value}"' for name, value in user.items())
        fronts = f"""market_fronts = ["tcp://{ports.HOST}:{self.market_port}"]
trader_fronts = ["tcp://{ports.HOST}:{self.trader_port}"]"""
        whole = f'env = "sim"\nmode = "production"\nlibraries = "{_libraries()}"'
        _write(self._profile, f"{whole}\n\n[primary]\n{login}\n{fronts}\n")

    @property
    def _users(self) -> Path:
        return self.directory / "users.json"

    @property
    def _profile(self) -> Path:
        return self.directory / "ctpsim.toml"


def _libraries() -> Path:
    return Path(sys.prefix) / "share" / _NAME / "lib"


def _write(path: Path, text: str) -> None:
    """Readable by its owner only from the first byte on, whole or not at all."""
    partial = path.with_name(f".{path.name}")
    partial.unlink(missing_ok=True)
    with open(partial, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    partial.replace(path)
