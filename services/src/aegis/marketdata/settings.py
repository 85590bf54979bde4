"""The market data service's settings, read once from the environment.

AEGIS_FEED                 the feed set's name; `main` where it is not given
AEGIS_CODEC                json (default), msgpack or pickle
AEGIS_REPLAY               a tick file, a directory of them, or of a recording
AEGIS_PROFILE              a CTP profile, by name or path; the simulated market where neither is given
AEGIS_LOGIN                which of its logins: primary (default) or backup
AEGIS_PREFERRED            the instance that publishes, if it can, where none does yet
AEGIS_SPEED                1 (default): as recorded, or as the session clock goes; N times faster; 0: as fast as can be
AEGIS_WALL_CLOCK           1: the simulated market follows the real sessions
AEGIS_WANTED               what the desk wants: futures (default; of a replay everything), everything or nothing
AEGIS_UNIVERSE             of the simulated market: core (default), all futures, or options too
AEGIS_SEED                 of the simulated market
AEGIS_RATE                 ticks a second of the simulated market; its natural rate where it is not given
AEGIS_IN_TURN              1: at that rate all contracts have as many ticks, not those more that are traded more
AEGIS_CTP_ATTEMPTS         logins that may fail for other reasons than a counter that is not there, before FAILED; 5
AEGIS_CTP_STALL_S          seconds without a tick after which a session that ticks once a second is replaced, while what
                           ticked trades; 15
AEGIS_BRIDGE_TICKS         size of the bridge ring; 32768, and 1024 for CTP, whose sessions have gates of their own
AEGIS_REPUBLISH_TICKS      size of the republish ring; 132000 holds 66 s at 2,000 a second
AEGIS_TICKS_MAX_BYTES      what the stream TICKS may hold
AEGIS_TICKS_MAX_AGE_HOURS  how long it holds it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aegis_sdk.config import validated
from aegis_sdk.timers import AGGRESSIVE

__all__ = ["TIMERS", "MarketDataSettings"]

TIMERS: Final = replace(AGGRESSIVE, ask_after_s=0.06, proof_s=0.02)
"""A holder is asked once a heartbeat is late. The wait until the holder before has no proof left is for who answers by
one: here nobody does, ticks are fenced by their epoch. 20 ms of it let one that lives read that it was replaced.
"""


class MarketDataSettings(BaseModel):
    """Frozen; validated when built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feed: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "main"
    codec: Literal["json", "msgpack", "pickle"] = "json"
    replay: Path | None = None
    profile: str | None = None
    login: Literal["primary", "backup"] = "primary"
    preferred: Annotated[str, Field(pattern=r"^[A-Za-z0-9_=-]{1,128}$")] | None = None
    speed: Annotated[float, Field(ge=0, le=1_000_000)] = 1.0
    wall_clock: bool = False
    wanted: Literal["futures", "everything", "nothing"] | None = None
    universe: Literal["core", "futures", "options"] = "core"
    seed: int = 1
    rate: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    in_turn: bool = False
    ctp_attempts: Annotated[int, Field(ge=1, le=1_000)] = 5
    ctp_stall_s: Annotated[float, Field(ge=1, le=3_600)] = 15.0
    bridge_ticks: Annotated[int, Field(ge=1_000, le=10_000_000)] | None = None
    republish_ticks: Annotated[int, Field(ge=20_000, le=10_000_000)] = 132_000
    ticks_max_bytes: Annotated[int, Field(ge=10 << 20)] = 2 << 30
    ticks_max_age_hours: Annotated[float, Field(gt=0)] = 72.0

    @model_validator(mode="after")
    def _fit_together(self) -> MarketDataSettings:
        if self.replay is not None and self.wall_clock:
            raise ValueError("AEGIS_WALL_CLOCK is for the simulated market; a replay has the times of its file")
        if self.profile is None and self.login != "primary":
            raise ValueError("AEGIS_LOGIN is for the CTP fronts of AEGIS_PROFILE; other sources know no login")
        if self.profile is not None:
            for field in ("replay", "wall_clock", "seed", "rate", "in_turn", "speed"):
                if getattr(self, field) != type(self).model_fields[field].default:
                    raise ValueError(f"{_variable(field)} is for other sources than the CTP front of AEGIS_PROFILE")
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> MarketDataSettings:
        """Read the variables listed above. Raises ConfigurationError naming the variable that is wrong."""
        values: dict[str, Any] = {
            field: environment[variable] for field in cls.model_fields if environment.get(variable := _variable(field))
        }
        return validated(cls, values, shown=_variable)


def _variable(field: str) -> str:
    return f"AEGIS_{field.upper()}"
