"""Who a session logs in as and where, out of a profile."""

from __future__ import annotations

from aegis.ctp.frames import FrontAddresses, Login
from aegis.profiles import CtpLogin

__all__ = ["fronts_of", "login_of"]


def login_of(login: CtpLogin) -> Login:
    return Login(
        broker_id=login.broker_id,
        user_id=login.user_id,
        password=login.password.get_secret_value(),
        app_id=login.app_id,
        auth_code=login.auth_code.get_secret_value(),
    )


def fronts_of(login: CtpLogin) -> FrontAddresses:
    return FrontAddresses(market=login.market_fronts, trader=login.trader_fronts)
