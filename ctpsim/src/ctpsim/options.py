"""What `ctpsim serve` is told."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from aegis.exchanges.calendar import CALENDAR, Calendar
from aegis.exchanges.sessions import to_utc_ns
from aegis_sdk.errors import ConfigurationError
from ctpsim.frames import Limits
from ctpsim.front.users import User
from ctpsim.market.universe import Universe

__all__ = ["MarketKind", "ServeOptions", "moment_ns", "random_user"]

MarketKind = Literal["simulated", "replay", "load"]


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Raises ConfigurationError, naming the option that does not fit the others."""

    directory: Path
    market: MarketKind = "simulated"
    path: Path | None = None
    """Of the replay: a .csv or .csv.gz file, or a directory of them."""
    universe: Universe = "futures"
    speed: float = 1.0
    """Seconds of the market's time in a real one; of a replay 0 is as fast as clients read."""
    instruments: int = 100_000
    """Of the load market, at most."""
    rate: float | None = None
    """Ticks a second of all that are subscribed; the load market's default is 5,000."""
    seed: int = 1
    day: str = ""
    """The first trading day, YYYYMMDD; blank: today."""
    begin: str = ""
    """Where the real hours begin, 2025-11-28T20:00 in Shanghai; blank: trading time only, one day after the other."""
    holidays: frozenset[str] = frozenset()
    """Beside those of the calendar."""
    users: tuple[User, ...] = ()
    faults: tuple[str, ...] = ()
    fronts: int = 1
    """Pairs of ports; the second is for clients that know a backup."""
    ports: tuple[int, ...] = ()
    """For market data and trading, of each front in turn; free ones where none are given."""
    limits: Limits = field(default_factory=Limits)
    record: Path | None = None
    """A new file for each tick that somebody got: symbol, UTC nanoseconds, volume, last price, best bid, best ask."""
    parent: int | None = None
    """Ends with this process."""

    def __post_init__(self) -> None:
        if (self.path is not None) != (self.market == "replay"):
            raise ConfigurationError("path", "a replay needs one, and nothing else takes one")
        if not (math.isfinite(self.speed) and (self.speed > 0 or (self.speed == 0 and self.market == "replay"))):
            raise ConfigurationError("speed", f"{self.speed} is no speed of this market")
        if self.rate is not None and not 0 < self.rate <= 1_000_000:
            raise ConfigurationError("rate", f"{self.rate} is not above 0 and at most a million")
        if self.begin and self.market != "simulated":
            raise ConfigurationError("begin", "only the simulated market lives through the real hours")
        if self.record is not None and self.market == "load":
            raise ConfigurationError("record", "ticks of the load market are packed beforehand, and not written down")
        if not 1 <= self.fronts <= 4:
            raise ConfigurationError("fronts", f"{self.fronts} is not between 1 and 4")
        if self.ports and len(self.ports) != 2 * self.fronts:
            raise ConfigurationError(
                "port", f"{self.fronts} fronts have {2 * self.fronts} ports, not {len(self.ports)}"
            )
        if self.instruments < 1:
            raise ConfigurationError("instruments", f"{self.instruments} is less than 1")

    @property
    def calendar(self) -> Calendar:
        return replace(CALENDAR, holidays=CALENDAR.holidays | self.holidays)


def moment_ns(text: str) -> int:
    """A Shanghai time as UTC nanoseconds. Raises ConfigurationError."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M")
    except ValueError:
        raise ConfigurationError("begin", f"{text!r} is not written as 2025-11-28T20:00") from None
    return to_utc_ns(f"{moment:%Y%m%d}", moment.hour * 3600 + moment.minute * 60)


def random_user() -> User:
    return User(
        broker_id="9999",
        user_id=f"{secrets.randbelow(900_000) + 100_000}",
        password=secrets.token_urlsafe(12),
        app_id="client_ctpsim_1.0",
        auth_code=secrets.token_hex(8).upper(),
    )
