"""The recorder's settings, read once from the environment.

AEGIS_RECORD_DIRECTORY  where to record; needed
AEGIS_RECORD_FROM       where a new recording begins: all (default) that the stream has, or now
AEGIS_RECORD_PART_S     seconds from the first tick of a part to its file, at most; 60
AEGIS_RECORD_PART_TICKS ticks in a part, at most, of all exchanges; 131072 need about 150 MB of memory
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aegis_sdk.config import validated

__all__ = ["RecorderSettings"]

_PREFIX = "AEGIS_RECORD_"
_NAMES = {"begin": f"{_PREFIX}FROM"}


class RecorderSettings(BaseModel):
    """Frozen; validated when built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    directory: Path
    begin: Literal["all", "now"] = "all"
    part_s: Annotated[float, Field(ge=0.05, le=3_600)] = 60.0
    part_ticks: Annotated[int, Field(ge=1_000, le=1_000_000)] = 131_072

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> RecorderSettings:
        """Read the variables listed above. Raises ConfigurationError naming the variable that is wrong."""
        values: dict[str, Any] = {
            field: environment[variable] for field in cls.model_fields if environment.get(variable := _variable(field))
        }
        return validated(cls, values, shown=_variable)


def _variable(field: str) -> str:
    return _NAMES.get(field, f"{_PREFIX}{field.upper()}")
