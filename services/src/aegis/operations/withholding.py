"""What only the process that logs in at a front is told: an environment is inherited by whatever is started."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

import msgspec
from pydantic import BaseModel

from aegis.operations.plan import ServicePlan
from aegis.profiles import variables

__all__ = ["withhold"]


class _Account(BaseModel):
    profile: str | None = None


class _AccountsFile(BaseModel):
    """What is of interest here of the accounts that trading trades."""

    accounts: dict[str, _Account] = {}


def withhold(services: Sequence[ServicePlan], environment: MutableMapping[str, str]) -> list[ServicePlan]:
    """Take what profiles refer to out of our environment, for those services alone that log in by them.

    Raises ProfileError where there is no such profile.
    """
    told = {one.instance: _told(one, environment) for one in services}
    for name in {name for one in told.values() for name in one}:
        del environment[name]
    return [msgspec.structs.replace(one, environment={**told[one.instance], **one.environment}) for one in services]


def _told(service: ServicePlan, environment: Mapping[str, str]) -> dict[str, str]:
    named = {name for profile in _profiles(service, environment) for name in variables(profile, environment)}
    return {name: environment[name] for name in named if name in environment}


def _profiles(service: ServicePlan, environment: Mapping[str, str]) -> list[str]:
    """By which a service logs in."""
    setting = {**environment, **service.environment}
    match service.service:
        case "marketdata":
            return [setting["AEGIS_PROFILE"]] if setting.get("AEGIS_PROFILE") else []
        case "trading":
            return _of_accounts(Path(setting["AEGIS_ACCOUNTS"])) if setting.get("AEGIS_ACCOUNTS") else []
        case _:
            return []


def _of_accounts(path: Path) -> list[str]:
    """The profiles of an accounts file. What is wrong with that the service itself says, and ends."""
    try:
        accounts = _AccountsFile.model_validate(tomllib.loads(path.read_text())).accounts
    except (OSError, ValueError):
        return []
    return [one.profile for one in accounts.values() if one.profile is not None]
