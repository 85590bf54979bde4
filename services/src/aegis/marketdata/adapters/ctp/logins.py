"""What a CTP session is started with, out of a profile."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.marketdata.adapters.ctp.frames import FrontAddresses, Login, Start
from aegis.profiles import CtpLogin, CtpProfile
from aegis_sdk.errors import ConfigurationError

__all__ = ["LIBRARIES", "libraries_for", "start_of"]

LIBRARIES = "AEGIS_CTP_LIBRARIES"
"""A directory of drop-in CTP libraries, such as ctpsim's; without it the real ones."""


def libraries_for(profile: CtpProfile, environment: Mapping[str, str]) -> str:
    """Where the drop-in libraries are; empty: the real ones. Raises ConfigurationError for others in live trading."""
    found = environment.get(LIBRARIES, "")
    if found and profile.env == "live":
        raise ConfigurationError(LIBRARIES, f"the profile {profile.name} is live: it wants the real libraries")
    return found


def start_of(profile: CtpProfile, login: CtpLogin, libraries: str = "") -> Start:
    """For a session of this login of the profile."""
    return Start(
        login=Login(
            broker_id=login.broker_id,
            user_id=login.user_id,
            password=login.password.get_secret_value(),
            app_id=login.app_id,
            auth_code=login.auth_code.get_secret_value(),
        ),
        fronts=FrontAddresses(market=login.market_fronts, trader=login.trader_fronts),
        production=profile.production,
        libraries=libraries,
    )
