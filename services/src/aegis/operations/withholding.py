"""What only the process that logs in at a front is told: an environment is inherited by whatever is started."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

import msgspec

from aegis.operations.plan import ServicePlan
from aegis.profiles import variables

__all__ = ["withhold"]

_PROFILE = "AEGIS_PROFILE"
_LOGS_IN = "marketdata"


def withhold(services: Sequence[ServicePlan], environment: MutableMapping[str, str]) -> list[ServicePlan]:
    """Take what a profile refers to out of our environment, for those services alone that log in by it.

    Raises ProfileError where there is no such profile.
    """
    told = {one.instance: _told(one, environment) for one in services if one.service == _LOGS_IN}
    for name in {name for one in told.values() for name in one}:
        del environment[name]
    return [
        msgspec.structs.replace(one, environment={**told.get(one.instance, {}), **one.environment}) for one in services
    ]


def _told(service: ServicePlan, environment: MutableMapping[str, str]) -> dict[str, str]:
    profile = service.environment.get(_PROFILE) or environment.get(_PROFILE)
    named = variables(profile, environment) if profile else set[str]()
    return {name: environment[name] for name in named if name in environment}
