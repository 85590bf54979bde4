"""The health agent's settings, read once from the environment.

AEGIS_FEED            the feed set that is watched; `main` where it is not given
AEGIS_HEALTH_REPAIRS  on (default), or off: find and tell, but touch nothing
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from aegis_sdk.config import validated

__all__ = ["HealthSettings"]

_VARIABLES: Final = {"feed": "AEGIS_FEED", "repairs": "AEGIS_HEALTH_REPAIRS"}


class HealthSettings(BaseModel):
    """Frozen; validated when built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feed: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "main"
    repairs: Literal["on", "off"] = "on"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> HealthSettings:
        """Read the variables listed above. Raises ConfigurationError naming the variable that is wrong."""
        values: dict[str, Any] = {
            field: environment[variable] for field, variable in _VARIABLES.items() if environment.get(variable)
        }
        return validated(cls, values, shown=lambda field: _VARIABLES.get(field, field))
