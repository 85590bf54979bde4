"""What a CTP session is started with, out of a profile."""

from __future__ import annotations

from aegis.marketdata.adapters.ctp.frames import FrontAddresses, Login, Start
from aegis.profiles import CtpLogin, CtpProfile

__all__ = ["start_of"]


def start_of(profile: CtpProfile, login: CtpLogin) -> Start:
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
        libraries=profile.libraries,
    )
